"""One pane: a picture with its title, its value under the cursor, and its histogram."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction, QActionGroup, QImage, QPainter, QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from rdl_live.view.common.banner import Caution
from rdl_live.view.panes.canvas import ImageCanvas, Layer
from rdl_live.view.panes.colours import COLOURS
from rdl_live.view.panes.contrast import Contrast
from rdl_live.view.panes.histogram_strip import HistogramStrip
from rdl_live.view.panes.picture import Picture
from rdl_live.view.panes.viewport import Viewport

HISTOGRAM_EVERY = 4
"""Every so many pictures the histogram is counted anew."""


class ImagePane(QWidget):
    """Shows one kind of image. It decides nothing: contrasts come from outside, changes of them are signalled."""

    contrast_wanted = Signal(object, bool)
    """A `Contrast` that the user chose, and whether it goes on from the change before (a drag)."""
    maximise_wanted = Signal()
    hide_wanted = Signal()
    region_dragged = Signal(float, float, float, float)
    """Left, top, width, height [um]."""

    def __init__(self, name: str, title: str, viewport: Viewport, parent: QWidget | None = None) -> None:
        """Make an empty pane.

        Args:
            name: for the program ("sim").
            title: for the user ("SIM").
            viewport: shared by all panes that zoom and pan together.
            parent: as usual.
        """
        super().__init__(parent)
        self.setObjectName(f"pane-{name}")
        self.name, self.title, self.viewport = name, title, viewport
        self.picture: Picture | None = None
        self.contrast = Contrast()
        self._count = 0
        self.canvas = ImageCanvas(viewport, self)
        self.canvas.layer.title = title
        self.histogram = HistogramStrip(self)
        self.histogram.setObjectName(f"histogram-{name}")
        self.reference = False
        """Whether it shows what is known beforehand: never what was measured, and not the best image of it."""
        self._title = QLabel(f"<b>{title}</b>")
        self._value = QLabel("")
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._lay_out()
        self.canvas.double_clicked.connect(self.maximise_wanted)
        self.canvas.region_dragged.connect(self.region_dragged)
        self.histogram.levels_dragged.connect(self._levels_dragged)
        self.histogram.automatic_wanted.connect(self.make_automatic)
        viewport.pointed.connect(self.show_value)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(4, 0, 0, 0)
        head.setSpacing(2)
        head.addWidget(self._title)
        head.addWidget(self._value, 1)
        self.menu_button = QToolButton()
        self.menu_button.setText("Contrast")
        self.menu_button.setToolTip("Colours, gamma and automatic contrast of this pane; the image never changes")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu_button.setMenu(self._made_menu())
        self.maximise_button = QToolButton()
        # Characters, not icons: Qt's own are black on every theme.
        self.maximise_button.setText("\u25a1")
        self.maximise_button.setToolTip("Show this pane alone, or all again (double-click on the image does the same)")
        self.hide_button = QToolButton()
        self.hide_button.setText("\u2715")
        self.hide_button.setToolTip("Hide this pane; the View menu shows it again")
        for button, name in (
            (self.menu_button, "menu"),
            (self.maximise_button, "maximise"),
            (self.hide_button, "hide"),
        ):
            button.setAutoRaise(True)
            button.setObjectName(f"{name}-{self.name}")
            head.addWidget(button)
        self.maximise_button.clicked.connect(self.maximise_wanted)
        self.hide_button.clicked.connect(self.hide_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(1)
        column.addLayout(head)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.histogram)

    def _made_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self._automatic = QAction("Automatic", menu, checkable=True)
        self._automatic.setToolTip("Choose darkest and brightest value from the image itself")
        self._automatic.triggered.connect(self._automatic_clicked)
        menu.addAction(self._automatic)
        menu.addSeparator()
        self._colour_actions = QActionGroup(menu)
        for colour in COLOURS:
            words = "grey, limits in colour" if colour == "range" else colour
            action = QAction(words.capitalize(), menu, checkable=True)
            action.setData(colour)
            tip = (
                "Grey; what is too dark is blue, what is too bright is red"
                if colour == "range"
                else f"Show in {colour}"
            )
            action.setToolTip(f"{tip}; the values stay as they are")
            self._colour_actions.addAction(action)
            menu.addAction(action)
        self._colour_actions.triggered.connect(self._colour_chosen)
        menu.addSeparator()
        self._gammas = QActionGroup(menu)
        for gamma in (0.5, 0.7, 1.0):
            action = QAction(f"Gamma {gamma:g}" + (" (linear)" if gamma == 1 else " (dim parts brighter)"), menu)
            action.setCheckable(True)
            action.setData(gamma)
            action.setToolTip("Brightness proportional to photons" if gamma == 1 else "Not proportional to photons")
            self._gammas.addAction(action)
            menu.addAction(action)
        self._gammas.triggered.connect(self._gamma_chosen)
        menu.aboutToShow.connect(self._tick)
        return menu

    # What is shown --------------------------------------------------------------------------------------

    def show_picture(self, picture: Picture | None, contrast: Contrast | None = None) -> None:
        """Show a picture from now on, or nothing; painted at the next refresh of the screen."""
        self.picture = picture
        if contrast is not None:
            self.contrast = contrast
        self.canvas.layer.picture, self.canvas.layer.contrast = picture, self.contrast
        if picture is not None:
            self.viewport.set_field(picture.field_um)
            if self._count % HISTOGRAM_EVERY == 0 and self.histogram.isVisible():
                self.histogram.show_picture(picture, self.contrast)
            self._count += 1
        else:
            self._count = 0
        self.canvas.update()
        self.show_value()

    def show_contrast(self, contrast: Contrast) -> None:
        """Show the picture with another contrast."""
        self.contrast = self.canvas.layer.contrast = contrast
        self.histogram.show_contrast(contrast)
        self.canvas.update()

    def show_doubt(self, wanted: bool) -> None:
        """Shade where the image should not be believed, as far as that is known."""
        self.canvas.layer.doubt = wanted
        self.canvas.update()

    def show_worth(self, wanted: bool) -> None:
        """Shade where several series make the image, as far as that is known."""
        self.canvas.layer.worth = wanted
        self.canvas.update()

    def show_caution(self, caution: Caution) -> None:
        """Say on the image that it is not to be believed, until it is cleared."""
        if caution != self.canvas.layer.caution:
            self.canvas.layer.caution = caution
            self.canvas.setToolTip(caution.words)
            self.canvas.update()

    @property
    def caution(self) -> str:
        """Why the image is not to be believed, in one line; "" if it may be."""
        return self.canvas.layer.caution.words.replace("\n", ". ")

    def show_note(self, text: str, tip: str = "") -> None:
        """Show a few words behind the title; "" for none."""
        title = f"<b>{self.title}</b>" + (f"&nbsp; {text}" if text else "")
        if title != self._title.text():
            self._title.setText(title)
            self._title.setToolTip(tip)

    def show_value(self) -> None:
        """Show the value under the cursor, or the unit."""
        cursor = self.viewport.cursor_um
        value = None if cursor is None or self.picture is None else self.picture.at(*cursor)
        text = "" if value is None or self.picture is None else f"{value:.1f} {self.picture.unit}"
        worth = None if cursor is None or self.picture is None else self.picture.worth_at(*cursor)
        if worth is not None:
            text += f", of {worth:.1f} series"
        if text != self._value.text():
            self._value.setText(text)

    def rendered(self, scale: float = 1.0) -> QImage:
        """Return what the pane shows (image and scale bar, no cursor), to be saved or copied."""
        return rendered_canvas(self.canvas, scale)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Give up what a small pane has no room for."""
        super().resizeEvent(event)
        self.menu_button.setVisible(self.width() > 220)

    # What the user does ---------------------------------------------------------------------------------

    def make_automatic(self) -> None:
        """Let the levels follow the picture from now on."""
        automatic = Contrast(gamma=self.contrast.gamma, colour=self.contrast.colour)
        self._want(automatic if self.picture is None else automatic.fitted(self.picture))

    def _levels_dragged(self, low: float, high: float, goes_on: bool) -> None:
        self._want(self.contrast.with_levels(low, high), joined=goes_on)

    def _automatic_clicked(self, wanted: bool) -> None:
        if wanted:
            self.make_automatic()
        else:
            self._want(self.contrast.with_levels(self.contrast.low, self.contrast.high))

    def _colour_chosen(self, action: QAction) -> None:
        self._want(self.contrast.replaced(colour=str(action.data())))

    def _gamma_chosen(self, action: QAction) -> None:
        self._want(self.contrast.replaced(gamma=float(action.data())))

    def _want(self, contrast: Contrast, *, joined: bool = False) -> None:
        self.show_contrast(contrast)
        self.contrast_wanted.emit(contrast, joined)

    def _tick(self) -> None:
        self._automatic.setChecked(self.contrast.automatic)
        for action in self._colour_actions.actions():
            action.setChecked(action.data() == self.contrast.colour)
        for action in self._gammas.actions():
            action.setChecked(abs(float(action.data()) - self.contrast.gamma) < 1e-6)


def layers_of(pane: ImagePane) -> Layer:
    """Return a layer that shows what a pane shows, for a split view."""
    layer = pane.canvas.layer
    return Layer(pane.picture, pane.contrast, layer.doubt, layer.worth, pane.title, layer.caution)


def rendered_canvas(canvas: ImageCanvas, scale: float = 1.0) -> QImage:
    """Return what a canvas shows, without the cursor's cross."""
    ratio = canvas.devicePixelRatioF() * scale
    image = QImage(round(canvas.width() * ratio), round(canvas.height() * ratio), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    painter = QPainter(image)
    canvas.paint_to(painter)
    painter.end()
    return image
