"""A panel as another package would add it: it counts what it is shown."""

from qtpy.QtWidgets import QLabel

from rdl_live.view.live.panel import Opened, PanelHost, PanelKind, Where
from rdl_live.view.live.session import Images, Snapshot


class FrameCounter(QLabel):
    """Counts snapshots and images."""

    def __init__(self) -> None:
        super().__init__("nothing yet")
        self.snapshots = self.images = 0

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Count one."""
        self.snapshots += 1
        self.setText(f"{self.snapshots} changes, {self.images} images, now {snapshot.activity}")

    def show_images(self, images: Images) -> None:
        """Count one."""
        del images
        self.images += 1


def make(host: PanelHost) -> FrameCounter:
    """Return the panel."""
    host.notify("the counter was opened")
    return FrameCounter()


COUNTER = PanelKind(
    "frame-counter",
    "Counter",
    Where.WINDOW,
    make,
    Opened("view", "Counter …", "", "How often something changed"),
)
