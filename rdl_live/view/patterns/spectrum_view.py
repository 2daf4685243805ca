"""The spectrum on the screen: what reaches the camera, where the patterns lie, and how fine the image can be.

Drawn with pyqtgraph, which has axes and zooming; it takes a second to load, so a window should import this module only
when somebody asks for a spectrum.
"""

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QShowEvent
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from rdl_live.view.panes.colours import colour_table
from rdl_live.view.panes.picture import Picture
from rdl_live.view.patterns.spectrum import Circle, Marks, Point, power_spectrum, reading, spectrum_marks

if TYPE_CHECKING:  # loads torch
    from rdl_live.optics.pattern import PatternSet

EVERY_S = 0.5
"""A spectrum twice a second is often enough to align by, and costs a few hundredths of a core."""
CAMERA = ("raw", "widefield")
"""Images on the camera's pixels; all others are super-resolved."""
CIRCLE_COLOURS = {"OTF cut-off": "#56b4e9", "SR cut-off": "#f0e442"}
POINT_COLOURS = ("#ff6d5a", "#37d67a", "#c39bff", "#ffb347", "#7fdbff")
"""Orientations, in turn."""


class SpectrumView(QWidget):
    """Shows the spectrum of one of the pictures, with circles and points that are named below."""

    def __init__(self, kinds: Mapping[str, str], parent: QWidget | None = None) -> None:
        """Make an empty view.

        Args:
            kinds: names and titles of the images to choose from; all but `CAMERA` are super-resolved.
            parent: as usual.
        """
        super().__init__(parent)
        self.setObjectName("spectrum")
        self._pictures: dict[str, Picture | None] = {}
        self._drawn: Picture | None = None
        self._drawn_s = -math.inf
        self._cutoff: float | None = None
        self._patterns: PatternSet | None = None
        self.marks = Marks()
        self._items: list[Any] = []
        self.kind = QComboBox()
        self.kind.setObjectName("spectrum-kind")
        self.kind.setToolTip("Which image's spectrum is shown")
        for name, title in kinds.items():
            self.kind.addItem(title, name)
        self.kind.currentIndexChanged.connect(self._chosen)
        self._made_plot()
        self.readout = QLabel("Point at the spectrum to read a frequency")
        self.readout.setObjectName("spectrum-readout")
        self.legend = QLabel()
        self.legend.setObjectName("spectrum-legend")
        self.legend.setWordWrap(True)
        self.legend.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        row = QHBoxLayout()
        row.addWidget(QLabel("Spectrum of"))
        row.addWidget(self.kind, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addLayout(row)
        column.addWidget(self.plot, 1)
        column.addWidget(self.readout)
        column.addWidget(self.legend)
        self._show_marks()

    def _made_plot(self) -> None:
        self.plot = pg.PlotWidget(background=QColor(16, 16, 18))
        self.plot.setMinimumSize(160, 160)
        item = self.plot.getPlotItem()
        item.setAspectLocked(True)
        item.invertY(True)
        item.setMenuEnabled(False)
        item.hideButtons()
        for side, name in (("bottom", "kx"), ("left", "ky")):
            axis = item.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setLabel(f"{name} [cycles/µm]")
            axis.setPen("#a0a0a5")
            axis.setTextPen("#c8c8cd")
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setZValue(-10)
        self._image.setLookupTable(_lookup())
        item.addItem(self._image)
        self.plot.setToolTip("Bright: structure of this size. Wheel: zoom, drag: move, double-click: all")
        self.plot.scene().sigMouseMoved.connect(self._pointed)
        self.plot.scene().sigMouseClicked.connect(self._clicked)

    # What is shown --------------------------------------------------------------------------------------

    def set_optics(self, cutoff: float | None) -> None:
        """Take the detection's cut-off, 2 NA / emission wavelength [cycles/um]; None: not known."""
        if cutoff != self._cutoff:
            self._cutoff = cutoff
            self._show_marks()

    def set_patterns(self, patterns: "PatternSet | None") -> None:
        """Take the illumination."""
        if patterns is not self._patterns:
            self._patterns = patterns
            self._show_marks()

    def show_pictures(self, pictures: Mapping[str, Picture | None]) -> None:
        """Take new pictures; the spectrum follows, not faster than `EVERY_S`, and only while it is seen."""
        self._pictures.update(pictures)
        if self.isVisible() and time.perf_counter() - self._drawn_s >= EVERY_S:
            self.draw()

    def draw(self) -> None:
        """Draw the spectrum of the newest picture now."""
        picture = self._pictures.get(self.current)
        if picture is None or picture is self._drawn:
            if picture is None:
                self._image.clear()
                self._drawn = None
            return
        first = self._drawn is None
        spectrum = power_spectrum(picture)
        low, high = spectrum.levels()
        levels = np.clip((spectrum.log_power - low) * (255.999 / (high - low)), 0, 255).astype(np.uint8)
        self._image.setImage(levels, autoLevels=False, levels=(0, 255))
        self._image.setRect(QRectF(*spectrum.extent))
        self._drawn, self._drawn_s = picture, time.perf_counter()
        if first:
            self.show_all()

    @property
    def current(self) -> str:
        """Name of the image whose spectrum is shown."""
        return str(self.kind.currentData())

    def show_all(self) -> None:
        """Show what holds all marks, or the whole spectrum."""
        reach = max((circle.radius for circle in self.marks.circles), default=0.0) * 1.25
        if not reach:
            reach = max(abs(self._image.boundingRect().left()), 8.0)
        self.plot.setRange(QRectF(-reach, -reach, 2 * reach, 2 * reach), padding=0)

    def _chosen(self) -> None:
        self._drawn = None
        self._image.clear()
        self._show_marks()
        self.draw()

    def _show_marks(self) -> None:
        for item in self._items:
            self.plot.removeItem(item)
        self._items = []
        self.marks = Marks()
        if self._cutoff is not None:
            self.marks = spectrum_marks(self._cutoff, self._patterns, super_resolved=self.current not in CAMERA)
        for circle in self.marks.circles:
            self._add_circle(circle)
        for number, point in enumerate(self.marks.points):
            self._add_point(point, _point_colour(number))
        self.legend.setText(self._explained())

    def _add_circle(self, circle: Circle) -> None:
        angle = np.linspace(0, 2 * np.pi, 181)
        pen = pg.mkPen(CIRCLE_COLOURS[circle.name], width=1.5, style=Qt.PenStyle.DashLine)
        self._add(pg.PlotCurveItem(circle.radius * np.cos(angle), circle.radius * np.sin(angle), pen=pen))
        label = pg.TextItem(circle.name, color=CIRCLE_COLOURS[circle.name], anchor=(0.5, 1), fill=(0, 0, 0, 150))
        label.setPos(0, -circle.radius)
        self._add(label)

    def _add_point(self, point: Point, colour: str) -> None:
        style = Qt.PenStyle.SolidLine if point.trusted else Qt.PenStyle.DotLine
        pen = pg.mkPen(colour, width=1.5, style=style)
        self._add(
            pg.ScatterPlotItem([point.kx, -point.kx], [point.ky, -point.ky], symbol="o", size=16, pen=pen, brush=None)
        )

    def _add(self, item: Any) -> None:
        self.plot.addItem(item, ignoreBounds=True)
        self._items.append(item)

    def _explained(self) -> str:
        if self._cutoff is None:
            return "Without a microscope file there are no marks."
        lines = [_entry("- -", CIRCLE_COLOURS[c.name], c.label, c.meaning) for c in self.marks.circles]
        lines += [_entry("○", _point_colour(number), point.label, "") for number, point in enumerate(self.marks.points)]
        if not self.marks.points:
            lines.append("The patterns are not known yet.")
        return "<br>".join(lines)

    # What the user does ---------------------------------------------------------------------------------

    def _pointed(self, position: Any) -> None:
        place = self.plot.getPlotItem().vb.mapSceneToView(position)
        self.readout.setText(reading(place.x(), place.y()))

    def _clicked(self, event: Any) -> None:
        if event.double():
            self.show_all()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Draw what came while the view was hidden."""
        super().showEvent(event)
        self.draw()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Room for a square and the words below."""
        return QSize(380, 520)


def _lookup() -> np.ndarray:
    table = colour_table("grey")
    return np.stack([table >> shift & 0xFF for shift in (16, 8, 0)], axis=-1).astype(np.uint8)


def _point_colour(number: int) -> str:
    return POINT_COLOURS[number % len(POINT_COLOURS)]


def _entry(mark: str, colour: str, label: str, meaning: str) -> str:
    """Return a line of the legend; marks lie on black, so that their colours are seen on light windows as well."""
    words = f" <small>{meaning}</small>" if meaning else ""
    return f'<span style="color: {colour}; background: #101012;">&nbsp;<b>{mark}</b>&nbsp;</span> {label}{words}'
