"""The head of the plan editor: the plan's name, where it begins, and the file that it is in."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from rdl_live.acquire.plan import Plan
from rdl_live.errors import RdlError
from rdl_live.view.plan.fields import Bound
from rdl_live.view.plan.model import PlanModel
from rdl_live.view.plan.presets import Preset

PLANS = "Plans (*.yaml *.yml)"


class PlanHead(QWidget):
    """Names, opens and saves the plan of a model."""

    def __init__(self, model: PlanModel, presets: Callable[[], tuple[Preset, ...]]) -> None:
        """Show the plan's name and file.

        Args:
            model: the draft.
            presets: asked each time the menu opens.
        """
        super().__init__()
        self.model, self._presets = model, presets
        name = QLineEdit()
        name.setObjectName("plan-name")
        name.setToolTip("Name of the plan; the folder of its recording is named after it")
        self._field, self._name = name, Bound(self.model, ("name",), name, name.setText)
        # A method, which Qt forgets with this object: a field that loses the keyboard as it is destroyed says so, too.
        name.editingFinished.connect(self._rename)
        self._preset_button = QToolButton()
        self._preset_button.setText("New from …")
        self._preset_button.setObjectName("plan-presets")
        self._preset_button.setToolTip("Start from a common plan, with the current light and position")
        self._preset_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self._preset_button)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(lambda: self._fill_presets(menu))
        self._preset_button.setMenu(menu)
        self._file = QLabel()
        row, files = QHBoxLayout(), QHBoxLayout()
        row.addWidget(QLabel("Plan"))
        row.addWidget(name, 1)
        row.addWidget(self._preset_button)
        files.addWidget(self._file, 1)
        for text, tip, do, key in (
            ("Open …", "Read a plan from a file", self.open, "open"),
            ("Save", "Write the plan to its file", self.save, "save"),
            ("Save as …", "Write the plan to another file", self.save_as, "save-as"),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.setObjectName(f"plan-{key}")
            button.clicked.connect(lambda _=False, do=do: do())
            files.addWidget(button)
        head = QVBoxLayout(self)
        head.setContentsMargins(0, 0, 0, 0)
        head.addLayout(row)
        head.addLayout(files)

    def _rename(self) -> None:
        self._name.change(self._field.text())

    def refresh(self) -> None:
        """Show name and file."""
        self._name.refresh()
        path = self.model.path
        name = "not saved" if path is None else path.name
        self._file.setText(f"{name}{' (changed)' if self.model.modified and path else ''}")
        self._file.setToolTip("" if path is None else str(path))

    def _fill_presets(self, menu: QMenu) -> None:
        menu.clear()
        for preset in self._presets():
            action = menu.addAction(preset.name)
            assert action is not None
            action.setToolTip(preset.meaning if preset.plan else f"{preset.meaning}. Not here: {preset.why_not}")
            action.setEnabled(preset.plan is not None)
            action.triggered.connect(lambda _=False, plan=preset.plan: self._take(plan))

    def _take(self, plan: Plan | None) -> None:
        if plan is not None and self._may_be_lost():
            self.model.path = None
            self.model.load(plan)

    def open(self) -> None:
        """Ask for a file, and edit its plan."""
        if not self._may_be_lost():
            return
        chosen, _ = QFileDialog.getOpenFileName(self, "Open a plan", self._folder(), PLANS)
        if chosen:
            self._try(lambda: self.model.open(Path(chosen)), "This plan cannot be opened")

    def save(self) -> None:
        """Write the plan to the file that it is of."""
        path = self.model.path
        if path is None:
            self.save_as()
        else:
            self._try(lambda: self.model.save(path, overwrite=True), "This plan cannot be saved")

    def save_as(self) -> None:
        """Ask for a file (and, if it exists, whether it may be replaced), and write the plan."""
        start = f"{self._folder()}/{self.model.get('name')}.yaml"
        chosen, _ = QFileDialog.getSaveFileName(self, "Save the plan", start, PLANS)
        if not chosen:
            return
        path = Path(chosen)
        typed = bool(path.suffix)
        path = path if typed else path.with_suffix(".yaml")
        # The dialog has asked about the name that was typed, not about the one with the ending added.
        self._try(lambda: self.model.save(path, overwrite=typed), "This plan cannot be saved")

    def _folder(self) -> str:
        return str(self.model.path.parent if self.model.path else Path.home())

    def _may_be_lost(self) -> bool:
        if not self.model.modified:
            return True
        question = "The plan has changes that are not saved. Go on without them?"
        return QMessageBox.question(self, "Plan", question) == QMessageBox.StandardButton.Yes

    def _try(self, do: Callable[[], None], title: str) -> None:
        try:
            do()
        except RdlError as error:
            QMessageBox.warning(self, title, str(error))
