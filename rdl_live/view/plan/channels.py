"""The colours of a plan: which, with how much light, for how long."""

from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QWidget

from rdl_live.view.plan.fields import number_box
from rdl_live.view.plan.model import PlanModel


class ChannelRows(QWidget):
    """One row for each channel that can be lit, and for those of a plan that cannot."""

    def __init__(self, model: PlanModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._rows: dict[str, _Row] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(0, 1)
        self._grid.addWidget(QLabel("Light"), 0, 1)
        self._grid.addWidget(QLabel("Exposure"), 0, 2)
        self.refresh()

    def refresh(self) -> None:
        """Show the draft."""
        planned = [channel["name"] for channel in self._model.get("channels")]
        for name in [*self._model.channels, *planned]:
            if name not in self._rows:
                self._rows[name] = _Row(self._model, name, self._grid, 1 + len(self._rows))
        for name, row in self._rows.items():
            row.show(planned.index(name) if name in planned else None)


class _Row:
    """A channel."""

    def __init__(self, model: PlanModel, name: str, grid: QGridLayout, at: int) -> None:
        self._model, self._name = model, name
        known = name in model.channels
        self.used = QCheckBox(name if known else f"{name} (no light source here)")
        self.used.setObjectName(f"plan-channel-{name}")
        self.used.setToolTip("Whether this colour is imaged")
        self.power = number_box(0, 100, " %", 2, "Light in percent of full", f"plan-power-{name}")
        self.exposure = number_box(0, 60_000, " ms", 2, "Exposure of each raw frame", f"plan-exposure-{name}")
        for column, widget in enumerate((self.used, self.power, self.exposure)):
            grid.addWidget(widget, at, column)
        self.used.clicked.connect(lambda used: model.use_channel(name, used))
        self.power.valueChanged.connect(lambda value: self._changed("power_percent", value))
        self.exposure.valueChanged.connect(lambda value: self._changed("exposure_ms", value))

    def show(self, index: int | None) -> None:
        """Show the channel of this index of the draft, or that it is not used."""
        used = index is not None
        self.used.setChecked(used)
        for box, field in ((self.power, "power_percent"), (self.exposure, "exposure_ms")):
            box.setEnabled(used)
            box.blockSignals(True)
            # What a colour would get if it were used is shown as well.
            box.setValue(self._model.light_of(self._name)[field])
            box.blockSignals(False)

    def _changed(self, field: str, value: float) -> None:
        names = [channel["name"] for channel in self._model.get("channels")]
        if self._name in names:
            self._model.set(("channels", names.index(self._name), field), value)
