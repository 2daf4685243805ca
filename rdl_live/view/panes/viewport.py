"""Which part of the field the panes show. One viewport for all linked panes: they zoom and pan together."""

from collections.abc import Callable
from dataclasses import dataclass

from psygnal import Signal

LARGEST_ZOOM = 64.0
Change = Callable[[], None]


@dataclass(frozen=True)
class Mapping:
    """From the sample to the screen, for one pane."""

    scale: float
    """Screen pixels per um."""
    left: float
    top: float
    """Where the image's corner lies on the pane [screen pixels]."""

    def to_screen(self, x_um: float, y_um: float) -> tuple[float, float]:
        """Return a place of the sample on the pane [screen pixels]."""
        return self.left + x_um * self.scale, self.top + y_um * self.scale

    def to_sample(self, x: float, y: float) -> tuple[float, float]:
        """Return a place of the pane in the sample [um]."""
        return (x - self.left) / self.scale, (y - self.top) / self.scale


class Viewport:
    """Zoom and centre, in the sample's units, so that panes of any size and pixel size can share them."""

    changed = Signal()
    """The part that is shown."""
    pointed = Signal()
    """Where the cursor is."""

    def __init__(self) -> None:
        self._field_um = (0.0, 0.0)
        self._zoom = 1.0
        self._centre_um = (0.0, 0.0)
        self._cursor_um: tuple[float, float] | None = None

    @property
    def field_um(self) -> tuple[float, float]:
        """Height and width of the whole field [um]; 0 before the first picture."""
        return self._field_um

    @property
    def zoom(self) -> float:
        """1: the field fits the pane; 2: half of it does."""
        return self._zoom

    @property
    def centre_um(self) -> tuple[float, float]:
        """Place (x, y) in the middle of each pane [um]."""
        return self._centre_um

    @property
    def cursor_um(self) -> tuple[float, float] | None:
        """Place (x, y) under the cursor [um]; None while it is elsewhere."""
        return self._cursor_um

    def set_field(self, field_um: tuple[float, float]) -> None:
        """Take the size of the pictures; another size is shown as a whole."""
        if max(abs(a - b) for a, b in zip(field_um, self._field_um, strict=True)) > 1e-6:
            self._field_um = field_um
            self.fit()

    def fit(self) -> None:
        """Show the whole field."""
        self._move(1.0, (self._field_um[1] / 2, self._field_um[0] / 2))

    def zoom_at(self, x_um: float, y_um: float, factor: float) -> None:
        """Zoom by a factor; the place given stays where it is on the screen."""
        zoom = min(max(self._zoom * factor, 1.0), LARGEST_ZOOM)
        ratio = self._zoom / zoom
        cx, cy = self._centre_um
        self._move(zoom, (x_um + (cx - x_um) * ratio, y_um + (cy - y_um) * ratio))

    def pan(self, dx_um: float, dy_um: float) -> None:
        """Move what is shown; positive to the right and down in the sample."""
        self._move(self._zoom, (self._centre_um[0] + dx_um, self._centre_um[1] + dy_um))

    def show(self, zoom: float, centre_um: tuple[float, float]) -> None:
        """Show what was shown before, as remembered by `zoom` and `centre_um`."""
        self._move(min(max(zoom, 1.0), LARGEST_ZOOM), centre_um)

    def point(self, cursor_um: tuple[float, float] | None) -> None:
        """Take the place under the cursor, or None where it leaves."""
        if cursor_um != self._cursor_um:
            self._cursor_um = cursor_um
            self.pointed.emit()

    def mapping(self, width: float, height: float) -> Mapping:
        """Return how a pane of this size [screen pixels] shows the sample."""
        rows_um, columns_um = (max(side, 1e-9) for side in self._field_um)
        scale = min(width / columns_um, height / rows_um) * self._zoom
        scale = max(scale, 1e-9)
        cx, cy = self._centre_um
        return Mapping(scale, width / 2 - cx * scale, height / 2 - cy * scale)

    def _move(self, zoom: float, centre_um: tuple[float, float]) -> None:
        """Keep the centre so that the pane is not empty: at zoom 1 nothing can be moved."""
        rows_um, columns_um = self._field_um
        centre = (_within(centre_um[0], columns_um, zoom), _within(centre_um[1], rows_um, zoom))
        if (zoom, centre) != (self._zoom, self._centre_um):
            self._zoom, self._centre_um = zoom, centre
            self.changed.emit()


def _within(centre: float, side: float, zoom: float) -> float:
    half = side / 2 / zoom
    return min(max(centre, half), side - half)
