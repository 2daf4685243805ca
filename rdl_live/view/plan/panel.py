"""The plan editor as a panel: it knows the session's light, region and place, and runs plans there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rdl_live.view.live.panel import PanelHost
from rdl_live.view.live.session import Activity, Severity, Snapshot
from rdl_live.view.plan.editor import PlanEditor
from rdl_live.view.plan.model import PlanModel
from rdl_live.view.plan.presets import Now, Preset, presets

if TYPE_CHECKING:
    from rdl_live.acquire.plan import Plan
    from rdl_live.optics.microscope import Microscope

_BUSY = {Activity.RECORDING: "a recording runs", Activity.BROKEN: "the devices do not answer"}


class PlanPanel(PlanEditor):
    """The plan editor of a window."""

    def __init__(self, host: PanelHost, microscope: "Microscope", chip: tuple[int, int]) -> None:
        """Begin with a time-lapse of what live view shows; `chip` is (width, height) of the camera [pixels]."""
        self._host = host
        snapshot = host.session.snapshot
        first = _presets(host, {})[0].plan
        assert first is not None  # a time-lapse of one colour is always possible
        model = PlanModel(microscope, first, (chip[1], chip[0]))
        model.set_region(snapshot.settings.region)
        super().__init__(model, self.presets)
        self.run_requested.connect(self._record)
        self.region_requested.connect(lambda: model.set_region(host.session.snapshot.settings.region))
        self.place_requested.connect(self._add_place)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Take note of what is going on."""
        if self.isVisible():
            self.set_busy(_BUSY.get(snapshot.activity, ""))
            self.model.disk_free_bytes = snapshot.disk_free_bytes

    def presets(self) -> tuple[Preset, ...]:
        """Return plans to begin with, with the light that is set now."""
        lights = {name: one for name, one in self.model.lights.items() if one[0] > 0 and one[1] > 0}  # may be a draft
        return _presets(self._host, lights)

    def add_places(self, places: Sequence[tuple[float, float, float | None, str]]) -> None:
        """Add places: x, y, z [um] and name of each."""
        for x_um, y_um, z_um, name in places:
            self.model.add_place(x_um, y_um, z_um, name)

    def _record(self, plan: "Plan") -> None:
        self._host.session.record(self._host.new_folder(plan.name), plan)

    def _add_place(self) -> None:
        stage = self._host.session.snapshot.stage
        if stage.xy_um is None:
            self._host.notify("no stage answers: type the position", Severity.WARNING)
        else:
            self.model.add_place(*stage.xy_um, stage.z_um)


def make(host: PanelHost) -> PlanPanel | None:
    """Return the panel; None, and a word about it, before the devices are loaded."""
    snapshot, microscope = host.session.snapshot, host.session.microscope
    if microscope is None or snapshot.chip is None:
        host.notify("the devices are still loading; open the plan when they are ready", Severity.WARNING)
        return None
    return PlanPanel(host, microscope, snapshot.chip)


def _presets(host: PanelHost, lights: dict[str, tuple[float, float]]) -> tuple[Preset, ...]:
    snapshot, microscope = host.session.snapshot, host.session.microscope
    if microscope is None:
        return ()
    settings = snapshot.settings
    pixel_um, region = microscope.optics.pixel_size_um, settings.region or (0, 0, 512, 512)
    field_um = (region[3] * pixel_um, region[2] * pixel_um)
    light = (settings.channel, settings.power_percent, settings.exposure_ms)
    return presets(microscope, Now(*light, field_um, snapshot.stage.xy_um, lights))
