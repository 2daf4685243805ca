"""Linked panes: they zoom and pan together; any can be hidden or shown alone, and two can be compared by a split."""

import math
from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QImage, QResizeEvent
from qtpy.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from rdl_live.view.common.banner import Caution
from rdl_live.view.panes.canvas import ImageCanvas
from rdl_live.view.panes.contrast import Contrast, ContrastHistory
from rdl_live.view.panes.pane import ImagePane, layers_of, rendered_canvas
from rdl_live.view.panes.picture import Picture
from rdl_live.view.panes.viewport import Viewport

_SPACING = 2


class PaneGrid(QWidget):
    """Panes for the kinds of image of one field of view, with their contrasts."""

    region_dragged = Signal(float, float, float, float)
    """Left, top, width, height of a region that was dragged in any pane [um]."""
    place_clicked = Signal(float, float)
    """x, y of a place that was clicked in any pane while clicks move the sample [um from the image's corner]."""
    dragged = Signal(float, float)
    """Way to the right and down of such a drag [um]."""
    layout_changed = Signal()
    """Other panes are shown than before."""

    def __init__(
        self, kinds: Sequence[tuple[str, str]], history: ContrastHistory | None = None, parent: QWidget | None = None
    ) -> None:
        """Make the panes.

        Args:
            kinds: name and title of each.
            history: contrasts; shared with others, or of its own.
            parent: as usual.
        """
        super().__init__(parent)
        self.viewport = Viewport()
        self.history = history or ContrastHistory()
        self.channel = ""
        self.busy_text = ""
        self.panes: dict[str, ImagePane] = {}
        self._wanted: dict[str, bool] = {}
        self._alone: str | None = None
        self._arranged: list[str] | None = None
        self._columns = 0
        self._split = _SplitView(self.viewport, [(name, title) for name, title in kinds], self)
        self._split.setVisible(False)
        self._split.chosen.connect(self._refresh_split)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(_SPACING)
        for name, title in kinds:
            self._made_pane(name, title)
        self._split.canvas.region_dragged.connect(self._region_dragged)
        self._split.canvas.place_clicked.connect(self.place_clicked)
        self._split.canvas.dragged.connect(self.dragged)
        self._arrange()

    def add_pane(self, name: str, title: str) -> None:
        """Add a pane for another kind of image, unless it is there; it is hidden at first."""
        if name not in self.panes:
            self._made_pane(name, title)
            self.panes[name].canvas.busy_text = self.busy_text
            self._split.add(name, title)
            self._wanted[name] = False
            self.panes[name].setVisible(False)

    def _made_pane(self, name: str, title: str) -> None:
        pane = self.panes[name] = ImagePane(name, title, self.viewport, self)
        self._wanted[name] = True
        pane.contrast_wanted.connect(lambda contrast, joined, n=name: self._contrast_wanted(n, contrast, joined))
        pane.maximise_wanted.connect(lambda n=name: self.show_alone(None if self._alone == n else n))
        pane.hide_wanted.connect(lambda n=name: self.show_pane(n, False))
        pane.region_dragged.connect(self._region_dragged)
        pane.canvas.moves = self._split.canvas.moves
        pane.canvas.place_clicked.connect(self.place_clicked)
        pane.canvas.dragged.connect(self.dragged)

    # Pictures and contrasts -----------------------------------------------------------------------------

    def show_pictures(self, channel: str, pictures: Mapping[str, Picture | None]) -> None:
        """Show pictures by the name of their pane; panes that are not named keep theirs."""
        self.channel = channel
        for name, picture in pictures.items():
            pane = self.panes[name]
            if picture is None:
                pane.show_picture(None)
            elif pane.isVisible() or self._split.shows(name):
                pane.show_picture(picture, self.history.fit(name, channel, picture))
            else:
                pane.picture = picture
        if self.splits:
            self._refresh_split()

    def undo(self) -> None:
        """Take the last change of a contrast back."""
        self._show_again(self.history.undo())

    def redo(self) -> None:
        """Make it again."""
        self._show_again(self.history.redo())

    def set_busy_text(self, text: str) -> None:
        """Tell why there is no picture yet."""
        self.busy_text = text
        for canvas in self.canvases:
            canvas.busy_text = text
            canvas.update()

    def show_cautions(self, cautions: Mapping[str, Caution]) -> None:
        """Say on images, by the name of their pane, whether they are not to be believed."""
        if any(self.panes[name].canvas.layer.caution != one for name, one in cautions.items()):
            for name, one in cautions.items():
                self.panes[name].show_caution(one)
            self._refresh_split()

    def show_doubt(self, wanted: bool) -> None:
        """Shade where images should not be believed, as far as that is known."""
        for pane in self.panes.values():
            pane.show_doubt(wanted)
        self._refresh_split()

    def show_worth(self, wanted: bool) -> None:
        """Shade where several series make an image, as far as that is known."""
        for pane in self.panes.values():
            pane.show_worth(wanted)
        self._refresh_split()

    def move_by_mouse(self, wanted: bool) -> None:
        """Let clicks and drags in the panes move the sample, or the picture on the screen again."""
        for canvas in self.canvases:
            canvas.moves = wanted
            canvas.cancel_move()

    @property
    def canvases(self) -> list[ImageCanvas]:
        """Every surface that shows images."""
        return [*(pane.canvas for pane in self.panes.values()), self._split.canvas]

    # Which panes are shown ------------------------------------------------------------------------------

    @property
    def shown(self) -> list[str]:
        """Names of the panes that are shown."""
        if self._alone is not None:
            return [self._alone]
        return [name for name, wanted in self._wanted.items() if wanted]

    @property
    def splits(self) -> bool:
        """Whether two pictures are compared by a split."""
        return not self._split.isHidden()

    def show_pane(self, name: str, wanted: bool) -> None:
        """Show or hide a pane; the last one stays."""
        others = [other for other, shown in self._wanted.items() if shown and other != name]
        self._wanted[name] = wanted or not others
        self._alone = None
        self._arrange()

    def is_wanted(self, name: str) -> bool:
        """Whether a pane is to be shown."""
        return self._wanted[name]

    def show_alone(self, name: str | None) -> None:
        """Show one pane alone; None: all that are wanted."""
        self._alone = name
        self._arrange()

    def show_split(self, wanted: bool, left: str | None = None, right: str | None = None) -> None:
        """Compare two kinds of image by a line that is dragged, in place of the panes."""
        self._split.choose(left, right)
        self._split.setVisible(wanted)
        self._arrange()
        self._refresh_split()

    @property
    def split_of(self) -> tuple[str, str]:
        """Names of the two kinds that a split compares."""
        return self._split.left, self._split.right

    def rendered(self, scale: float = 1.0) -> QImage:
        """Return the picture to be saved or copied: the split, or the pane that is shown last (the best image)."""
        if self.splits:
            return self._split.rendered(scale)
        return self.best.rendered(scale)

    @property
    def best(self) -> ImagePane:
        """The last pane that is shown and has a picture (of a split: that right of the line): the best image."""
        names = [self._split.right] if self.splits else self.shown
        names = [name for name in names if not self.panes[name].reference] or names
        with_picture = [name for name in names if self.panes[name].picture is not None]
        return self.panes[(with_picture or names)[-1]]

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Arrange anew where another number of columns shows the images larger."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        names = [] if self.splits else self.shown
        columns = best_columns(len(names), self.width(), self.height())
        if (names, columns) == (self._arranged, self._columns):
            return
        self._arranged, self._columns = names, columns
        for widget in (*self.panes.values(), self._split):
            self._grid.removeWidget(widget)
        for name, pane in self.panes.items():
            pane.setVisible(name in names)
        places = placed(len(names), columns)
        for name, place in zip(names, places, strict=True):
            pane = self.panes[name]
            self._grid.addWidget(pane, *place)
            if pane.picture is not None:
                pane.show_picture(pane.picture, self.history.fit(name, self.channel, pane.picture))
        if not names:
            self._grid.addWidget(self._split, 0, 0)
        large = {column for _, column, rows, _ in places if rows > 1}
        used_columns = {column for _, column, _, _ in places} or {0}
        used_rows = {row for row, _, _, _ in places} or {0}
        for index in range(max(self._grid.columnCount(), 1)):
            self._grid.setColumnStretch(index, (2 if index in large else 1) if index in used_columns else 0)
        for index in range(max(self._grid.rowCount(), 1)):
            self._grid.setRowStretch(index, 1 if index in used_rows else 0)
        self.layout_changed.emit()

    def _contrast_wanted(self, name: str, contrast: Contrast, joined: bool) -> None:
        self.history.put(name, self.channel, contrast, joined=joined)
        self._refresh_split()

    def _show_again(self, changed: tuple[str, str] | None) -> None:
        if changed is not None and changed[1] == self.channel and changed[0] in self.panes:
            self.panes[changed[0]].show_contrast(self.history.get(*changed))
            self._refresh_split()

    def _refresh_split(self) -> None:
        if self.splits:
            left, right = self.split_of
            self._split.canvas.show_layers(layers_of(self.panes[left]), layers_of(self.panes[right]))

    def _region_dragged(self, left: float, top: float, width: float, height: float) -> None:
        for canvas in self.canvases:
            canvas.cancel_region()
        self.region_dragged.emit(left, top, width, height)


class _SplitView(QWidget):
    """Two kinds of image with a line between them."""

    chosen = Signal()

    def __init__(self, viewport: Viewport, kinds: Sequence[tuple[str, str]], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("split")
        self.canvas = ImageCanvas(viewport, self)
        self.canvas.setObjectName("split-canvas")
        self.canvas.split = 0.5
        self._boxes = []
        row = QHBoxLayout()
        row.setContentsMargins(4, 0, 0, 0)
        for index, words in enumerate(("Left of the line", "right of it")):
            box = QComboBox()
            box.setToolTip(f"The image {('left', 'right')[index]} of the line; drag the line to compare")
            for name, title in kinds:
                box.addItem(title, name)
            box.setCurrentIndex(max(len(kinds) - 2, 0) + index if len(kinds) > 1 else 0)
            box.currentIndexChanged.connect(lambda _: self.chosen.emit())
            self._boxes.append(box)
            row.addWidget(QLabel(words))
            row.addWidget(box)
        swap = QPushButton("Swap")
        swap.setToolTip("Exchange the images on the two sides of the line")
        swap.clicked.connect(lambda: self.choose(self.right, self.left))
        row.addWidget(swap)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(1)
        column.addLayout(row)
        column.addWidget(self.canvas, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground, False)

    def add(self, name: str, title: str) -> None:
        """Add a kind to choose from."""
        for box in self._boxes:
            box.addItem(title, name)

    @property
    def left(self) -> str:
        """Name of the kind left of the line."""
        return str(self._boxes[0].currentData())

    @property
    def right(self) -> str:
        """Name of the kind right of it."""
        return str(self._boxes[1].currentData())

    def shows(self, name: str) -> bool:
        """Whether a kind is shown."""
        return not self.isHidden() and name in (self.left, self.right)

    def choose(self, left: str | None, right: str | None) -> None:
        """Compare these; None leaves one as it is."""
        for box, name in zip(self._boxes, (left, right), strict=True):
            if name is not None and (index := box.findData(name)) >= 0:
                box.setCurrentIndex(index)

    def rendered(self, scale: float) -> QImage:
        """Return both, with line and scale bar."""
        return rendered_canvas(self.canvas, scale)


def best_columns(count: int, width: float, height: float) -> int:
    """Return how many columns show `count` square images largest in a space of this size."""
    if count < 1 or width <= 0 or height <= 0:
        return max(count, 1)
    return max(range(1, count + 1), key=lambda columns: min(width / columns, height / math.ceil(count / columns)))


def placed(count: int, columns: int) -> list[tuple[int, int, int, int]]:
    """Return row, column, rows and columns of each pane; of three in two columns the best has a column of its own."""
    if (count, columns) == (3, 2):
        return [(0, 0, 1, 1), (1, 0, 1, 1), (0, 1, 2, 1)]
    return [(index // columns, index % columns, 1, 1) for index in range(count)]
