"""The plan editor: what is imaged, how often, with how much light; and what it takes, before any light is on."""

from collections.abc import Callable

from qtpy.QtCore import QSignalBlocker, QSize, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rdl_live.view.common.column import Column
from rdl_live.view.plan.channels import ChannelRows
from rdl_live.view.plan.fields import Bound, bound_choice, bound_count, bound_number, count_box, number_box
from rdl_live.view.plan.head import PlanHead
from rdl_live.view.plan.model import PlanModel
from rdl_live.view.plan.places import PlaceTable
from rdl_live.view.plan.presets import Preset
from rdl_live.view.plan.summary import PlanSummary

ORDERS = {
    "pzc": "position by position, plane by plane, all colours",
    "pcz": "position by position, colour by colour, all planes",
    "zpc": "plane by plane, position by position, all colours",
    "zcp": "plane by plane, colour by colour, all positions",
    "cpz": "colour by colour, position by position, all planes",
    "czp": "colour by colour, plane by plane, all positions",
}
SEQUENCES = {
    "auto": "as the microscope allows",
    "hardware": "by the camera's trigger (fastest)",
    "software": "by software (slow, works with every pattern source)",
}
TAKEN: dict[str | None, str] = {
    None: "series of patterns, as the microscope file has it",
    "single-frame": "single frames for a network, checked by series of patterns",
}
ON_ERROR = {"stop": "end the plan, with the light off", "skip": "skip it, report it, and continue with the rest"}
# Where colours are dark, the style draws the edge of an empty box as dark as the box itself.
BOXES = (
    "QCheckBox::indicator:unchecked { border: 1px solid #8a8a8f; border-radius: 2px; background: palette(base); "
    "width: 0.75em; height: 0.75em; }"
)


class PlanEditor(QWidget):
    """Edits a plan. It starts nothing itself: it asks its host to."""

    run_requested = Signal(object)
    """A whole and checked `Plan`."""
    place_requested = Signal()
    """The host is to add where the stage is, by `model.add_place`."""
    region_requested = Signal()
    """The host is to set the region of live view, by `model.set_region`."""

    def __init__(
        self, model: PlanModel, presets: Callable[[], tuple[Preset, ...]] = tuple, parent: QWidget | None = None
    ) -> None:
        """Edit the plan of a model.

        Args:
            model: the draft.
            presets: asked each time the menu opens, for they follow the light and the place of the moment.
            parent: as usual.
        """
        super().__init__(parent)
        self.setObjectName("plan-editor")
        self.setStyleSheet(BOXES)
        self.model, self._busy = model, ""
        self._bound: list[Bound] = []
        self.channels, self.places = ChannelRows(model), PlaceTable(model)
        self.head, self.summary = PlanHead(model, presets), PlanSummary(model)
        self._lay_out()
        self.places.place_wanted.connect(self.place_requested)
        self.summary.run.clicked.connect(self._run)
        model.changed.connect(self.refresh)
        self.refresh()

    def set_busy(self, why: str) -> None:
        """Tell why no plan can be started now; "" if one can."""
        if why != self._busy:
            self._busy = why
            self.summary.refresh(why)

    def refresh(self) -> None:
        """Show the draft; called by the model."""
        for bound in self._bound:
            bound.refresh()
        self.channels.refresh()
        self.places.refresh()
        self._show_optional()
        self.head.refresh()
        self.summary.refresh(self._busy)

    # Layout ---------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(4, 4, 4, 4)
        for group in (self._time_group(), self._colour_group(), self._stack_group()):
            column.addWidget(group)
        column.addWidget(self._place_group())
        column.addWidget(self._limit_group())
        column.addWidget(self._more_group())
        column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(2, 2, 2, 2)
        whole.addWidget(self.head)
        whole.addWidget(Column(inner), 1)
        whole.addWidget(self.summary)

    def _time_group(self) -> QGroupBox:
        group, form = _group("Time")
        self._points = count_box(1, 10_000_000, "", "How many time points", "plan-points")
        self._endless = QCheckBox("until I stop it")
        self._endless.setObjectName("plan-endless")
        self._endless.setToolTip("Continue until you press stop")
        self._endless.clicked.connect(lambda on: self.model.set(("time", "points"), None if on else 10))
        self._points.valueChanged.connect(lambda value: self.model.set(("time", "points"), value))
        row = QHBoxLayout()
        row.addWidget(self._points, 1)
        row.addWidget(self._endless)
        form.addRow("Time points", row)
        interval = number_box(0, 1e6, " s", 3, "From the start of one time point to the next", "plan-interval")
        interval.setSpecialValueText("as fast as possible")
        # Zero is a value of the plan here, not the lack of one.
        bound = Bound(self.model, ("time", "interval_s"), interval, interval.setValue)
        interval.valueChanged.connect(bound.change)
        self._bound.append(bound)
        form.addRow("Every", interval)
        return group

    def _colour_group(self) -> QGroupBox:
        group, form = _group("Colours")
        form.addRow(self.channels)
        return group

    def _stack_group(self) -> QGroupBox:
        group, form = _group("Planes")
        planes = count_box(1, 10_000, "", "Planes around the current focus; 1: no stack", "plan-planes")
        step = number_box(0, 100, " µm", 3, "Distance from one plane to the next", "plan-step")
        self._bound += [
            bound_count(self.model, ("z", "planes"), planes),
            bound_number(self.model, ("z", "step_um"), step),
        ]
        row = QHBoxLayout()
        row.addWidget(planes, 1)
        row.addWidget(QLabel("every"))
        row.addWidget(step, 1)
        form.addRow("Planes", row)
        return group

    def _place_group(self) -> QGroupBox:
        group, form = _group("Positions")
        form.addRow(self.places)
        box, bound = bound_choice(
            self.model,
            ("order",),
            ORDERS,
            "In which order positions, planes and colours are imaged; matters where there are several of each",
            "plan-order",
        )
        self._bound.append(bound)
        form.addRow("Order", box)
        tip = "What to do if a position or a series fails: the stage does not move, the camera stalls"
        failing, bound = bound_choice(self.model, ("on_error",), ON_ERROR, tip, "plan-on-error")
        self._bound.append(bound)
        form.addRow("If one fails", failing)
        return group

    def _limit_group(self) -> QGroupBox:
        group, form = _group("Limits")
        group.setToolTip("A plan that exceeds a limit is not started; checked before any light is on")
        for field, title, unit, tip in (
            ("dose_j_cm2", "Dose", " J/cm²", "Largest dose for one colour at one position"),
            ("duration_s", "Duration", " s", "Longest duration"),
            ("disk_gb", "Disk", " GB", "Most disk space for raw frames"),
        ):
            box = number_box(0, 1e9, unit, 2, tip, f"plan-limit-{field}")
            box.setSpecialValueText("no limit")
            self._bound.append(bound_number(self.model, ("limits", field), box))
            form.addRow(title, box)
        return group

    def _more_group(self) -> QGroupBox:
        group, form = _group("Camera and patterns")
        self._part = QCheckBox("a part of the chip")
        self._part.setObjectName("plan-part")
        self._part.setToolTip("Smaller regions are read faster and take less disk space")
        self._part.clicked.connect(self._part_clicked)
        self._take_region = QPushButton("as in live view")
        self._take_region.setObjectName("plan-region-live")
        self._take_region.setToolTip("Use the camera region that live view has now")
        self._take_region.clicked.connect(lambda _=False: self.region_requested.emit())
        row = QHBoxLayout()
        row.addWidget(self._part, 1)
        row.addWidget(self._take_region)
        form.addRow("Region", row)
        self._region = QWidget()
        corner, size = QHBoxLayout(), QHBoxLayout()
        for field, layout in (("x", corner), ("y", corner), ("width", size), ("height", size)):
            box = count_box(0, 65_536, " px", f"{field} of the region on the chip", f"plan-roi-{field}")
            self._bound.append(bound_count(self.model, ("roi", field), box))
            layout.addWidget(QLabel(field))
            layout.addWidget(box, 1)
        column = QVBoxLayout(self._region)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(corner)
        column.addLayout(size)
        form.addRow(self._region)
        stepped, bound = bound_choice(
            self.model, ("sequence",), SEQUENCES, "What advances the patterns", "plan-sequence"
        )
        self._bound.append(bound)
        form.addRow("Patterns stepped", stepped)
        tip = "One frame in even light is a ninth of the light of a series; a network super-resolves it"
        taken, bound = bound_choice(self.model, ("modality",), TAKEN, tip, "plan-modality")
        self._bound.append(bound)
        form.addRow("Taken", taken)
        tip = "Time points of single frames from one series of patterns to the next, which says whether they agree"
        self._check_every = count_box(1, 100_000, " time points", tip, "plan-check-every")
        self._bound.append(bound_count(self.model, ("check_every",), self._check_every))
        form.addRow("Series every", self._check_every)
        return group

    def _show_optional(self) -> None:
        points = self.model.get("time", "points")
        blocker = QSignalBlocker(self._points)
        self._points.setEnabled(points is not None)
        if points is not None:
            self._points.setValue(points)
        blocker.unblock()
        self._endless.setChecked(points is None)
        self._check_every.setEnabled(self.model.get("modality") == "single-frame")
        self._part.setChecked(self.model.get("roi") is not None)
        self._region.setVisible(self.model.get("roi") is not None)

    # What the user does ---------------------------------------------------------------------------------

    def _run(self) -> None:
        if self.model.ready:
            self.run_requested.emit(self.model.plan)

    def _part_clicked(self, wanted: bool) -> None:
        rows, columns = self.model.frame_shape
        self.model.set_region((columns // 4, rows // 4, columns // 2, rows // 2) if wanted else None)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Room for the fields in one column."""
        return QSize(380, 760)


def _group(title: str) -> tuple[QGroupBox, QFormLayout]:
    group = QGroupBox(title)
    form = QFormLayout(group)
    form.setContentsMargins(8, 4, 8, 6)
    form.setVerticalSpacing(4)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return group, form
