"""Which panes are shown live, and what stands in them: as the stage that makes the images gives them."""

from rdl_live._names import NO_DENOISER
from rdl_live.view.live.session import KINDS, TRUTH, Activity, Images, Snapshot, title_of
from rdl_live.view.panes.grid import PaneGrid

ERROR_TIP = (
    "Difference from the true specimen, which a simulated microscope knows: root mean square, relative to the "
    "specimen's own contrast. 0 is perfect, 1 is no better than a grey image"
)
_WAITING = {
    Activity.OPENING: "Loading the devices …",
    Activity.IDLE: "Press Live (Ctrl+L)",
    Activity.BROKEN: "The devices do not answer.\nMenu: Reconnect devices",
}


class LivePanes:
    """Keeps a grid of panes as the microscope is."""

    def __init__(self, grid: PaneGrid) -> None:
        """Nothing is shown yet."""
        self._grid = grid
        self._denoiser = NO_DENOISER
        self._extra: frozenset[str] = frozenset()
        """Names of the pictures that not every microscope gives, and that have panes."""

    @property
    def best_two(self) -> tuple[str, str]:
        """Names of the two images that are worth a comparison."""
        return ("sim", "denoised") if self._denoiser != NO_DENOISER else ("widefield", "sim")

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show the pane of the denoised image when there is one, and why there is no image yet."""
        name = snapshot.settings.denoiser
        if name != self._denoiser:
            self._denoiser = name
            self._grid.show_pane("denoised", name != NO_DENOISER)
        text = _WAITING.get(snapshot.activity, snapshot.says)
        if text != self._grid.busy_text:
            self._grid.set_busy_text(text)

    def show_images(self, images: Images) -> None:
        """Show new images, each in its pane."""
        self._make_panes(images)
        self._grid.show_pictures(images.channel, {**dict.fromkeys(self._grid.panes), **images.pictures})

    def _make_panes(self, images: Images) -> None:
        """Give every image that the stage makes a pane, and hide those of a stage before."""
        grid = self._grid
        extra = frozenset(images.pictures) - frozenset(KINDS)
        if extra != self._extra:  # only then: what the user hides stays hidden
            for name in images.pictures:
                grid.add_pane(name, title_of(name))
                grid.panes[name].reference = name == TRUTH
            for name in extra ^ self._extra:
                grid.show_pane(name, name in extra)
            self._extra = extra
        for name, pane in grid.panes.items():
            error = images.errors.get(name)
            pane.show_note("" if error is None else f"error {error:.2f}", ERROR_TIP)
        if images.by_network and images["denoised"] is None and grid.is_wanted("denoised"):
            grid.show_pane("denoised", False)
