"""Windows beside the widget: plan editor, spectrum, retraining. Made when first wanted: they load more than it does."""

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QDialog, QVBoxLayout, QWidget

from rdl_live.view.live.session import KINDS, Activity, Images, Severity, Snapshot

if TYPE_CHECKING:
    from rdl_live.acquire.plan import Plan
    from rdl_live.optics.microscope import Microscope
    from rdl_live.view.live.sim_widget import SimWidget
    from rdl_live.view.patterns.spectrum_view import SpectrumView
    from rdl_live.view.plan.editor import PlanEditor
    from rdl_live.view.plan.model import PlanModel
    from rdl_live.view.plan.presets import Preset
    from rdl_live.view.retrain.panel import RetrainPanel
    from rdl_live.view.retrain.state import Retrainer


class ToolWindows(QObject):
    """The tool windows of one widget."""

    def __init__(self, owner: "SimWidget") -> None:
        """Make no window yet."""
        super().__init__(owner)
        self._owner = owner
        self.plan: PlanEditor | None = None
        self.spectrum: SpectrumView | None = None
        self.retrain: RetrainPanel | None = None
        self._windows: dict[str, QDialog] = {}

    # The plan editor ------------------------------------------------------------------------------------

    def show_plan(self) -> None:
        """Show the plan editor."""
        snapshot, microscope = self._owner.session.snapshot, self._owner.session.microscope
        if microscope is None or snapshot.chip is None:
            self._owner.tell("the devices are not loaded yet; plan when they are", Severity.WARNING)
            return
        if self.plan is None:
            self.plan = self._made_plan(microscope, snapshot)
        self._show("plan", "Plan", self.plan)
        self.show_snapshot(snapshot)

    def _made_plan(self, microscope: "Microscope", snapshot: Snapshot) -> "PlanEditor":
        from rdl_live.view.plan.editor import PlanEditor
        from rdl_live.view.plan.model import PlanModel

        first = self._presets()[0].plan
        assert first is not None  # a time-lapse of one colour is always possible
        chip = snapshot.chip or (0, 0)
        model = PlanModel(microscope, first, (chip[1], chip[0]))
        model.set_region(snapshot.settings.region)
        editor = PlanEditor(model, self._presets)
        editor.run_requested.connect(self._run)
        editor.region_requested.connect(lambda: model.set_region(self._owner.session.snapshot.settings.region))
        editor.place_requested.connect(lambda: self._add_place(model))
        return editor

    def _add_place(self, model: "PlanModel") -> None:
        place = self._owner.session.snapshot.stage_um
        if place is None:
            self._owner.tell("no stage answers, so the place must be typed in", Severity.WARNING)
        else:
            model.add_place(*place)

    def _presets(self) -> "tuple[Preset, ...]":
        from rdl_live.view.plan.presets import Now, presets

        snapshot, microscope = self._owner.session.snapshot, self._owner.session.microscope
        if microscope is None:
            return ()
        settings = snapshot.settings
        pixel_um, region = microscope.optics.pixel_size_um, settings.region or (0, 0, 512, 512)
        field_um = (region[3] * pixel_um, region[2] * pixel_um)
        light = (settings.channel, settings.power_percent, settings.exposure_ms)
        lights = {} if self.plan is None else self.plan.model.lights
        lights = {name: one for name, one in lights.items() if one[0] > 0 and one[1] > 0}  # it may be a draft yet
        return presets(microscope, Now(*light, field_um, snapshot.stage_um, lights))

    def _run(self, plan: "Plan") -> None:
        self._owner.session.record(self._owner.new_folder(plan.name), plan)

    # The spectrum ---------------------------------------------------------------------------------------

    def show_spectrum(self) -> None:
        """Show the spectrum of an image."""
        if self.spectrum is None:
            from rdl_live.view.patterns.spectrum_view import SpectrumView

            self.spectrum = SpectrumView(KINDS)
        self._show("spectrum", "Spectrum", self.spectrum)
        if self._owner.images is not None:
            self.show_images(self._owner.images)
        self.show_snapshot(self._owner.session.snapshot)

    # Retraining -----------------------------------------------------------------------------------------

    def make_retrain(self, retrainer: "Retrainer") -> None:
        """Make the retraining window, hidden: it notes what is recorded."""
        from rdl_live.view.retrain.panel import RetrainPanel

        owner = self._owner
        self.retrain = RetrainPanel(owner.session, retrainer, lambda: owner.controls.folder)
        self.retrain.told.connect(lambda severity, text: owner.tell(text, severity))
        self.retrain.offered.connect(owner.controls.offer)

    def show_retrain(self) -> None:
        """Show the retraining window."""
        if self.retrain is not None:
            self._show("retrain", "Retrain the denoiser", self.retrain)

    # What is shown --------------------------------------------------------------------------------------

    def show_images(self, images: Images) -> None:
        """Pass new images on."""
        microscope = self._owner.session.microscope
        if self.spectrum is None or not self.spectrum.isVisible() or microscope is None:
            return
        names = [one.name for one in microscope.channels]
        if images.channel in names:
            self.spectrum.set_optics(microscope.cutoff(microscope.channel(images.channel)))
        self.spectrum.show_pictures(images.pictures)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Pass on how it is."""
        if self.retrain is not None:
            self.retrain.show_snapshot(snapshot)
        if self.plan is not None and self.plan.isVisible():
            busy = {Activity.RECORDING: "a recording runs", Activity.BROKEN: "the devices do not answer"}
            self.plan.set_busy(busy.get(snapshot.activity, ""))
            self.plan.model.disk_free_bytes = snapshot.disk_free_bytes
        if self.spectrum is not None and self.spectrum.isVisible():
            self.spectrum.set_patterns(snapshot.patterns)

    def close(self) -> None:
        """Close all windows."""
        for window in self._windows.values():
            window.close()

    def _show(self, name: str, title: str, content: QWidget) -> None:
        if name not in self._windows:
            window = QDialog(self._owner.window())
            window.setObjectName(f"window-{name}")
            window.setWindowTitle(title)
            column = QVBoxLayout(window)
            column.setContentsMargins(4, 4, 4, 4)
            column.addWidget(content)
            window.resize(content.sizeHint())
            self._windows[name] = window
        window = self._windows[name]
        window.show()
        window.raise_()
        window.activateWindow()
