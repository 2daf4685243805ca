"""A recording, browsed with the same panes as live: a dockable widget. Reads and computes in a thread of its own."""

import html

from qtpy.compat import isalive
from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import QSplitter, QTabWidget, QTextBrowser, QVBoxLayout, QWidget

from rdl_live._names import NO_DENOISER
from rdl_live.view.browse.about import Lines, about_image, about_recording
from rdl_live.view.browse.controls import BrowseControls
from rdl_live.view.browse.images import Request, SeriesImages, Shown
from rdl_live.view.browse.latest_worker import LatestWorker
from rdl_live.view.browse.marks import Marks
from rdl_live.view.browse.source import Source
from rdl_live.view.common.column import Column
from rdl_live.view.common.memory import Memory
from rdl_live.view.live.actions import Actions
from rdl_live.view.live.health_panel import HealthPanel
from rdl_live.view.live.image_trust import cautions_of
from rdl_live.view.live.notice_strip import NoticeStrip
from rdl_live.view.live.pane_commands import PaneCommands
from rdl_live.view.live.picture_commands import PictureCommands
from rdl_live.view.live.session import Notice, Severity, kinds_of, title_of
from rdl_live.view.panes.grid import PaneGrid
from rdl_live.view.panes.picture_file import Caption, Shot
from rdl_live.view.patterns.health import pattern_health

PATIENCE_MS = 250
"""How long the image before stays in its pane while the next is computed."""


class Browser(QWidget):
    """Shows a recording. It owns the source, and closes it."""

    _came = Signal(object)
    _failed = Signal(object)

    def __init__(
        self,
        source: Source,
        images: SeriesImages,
        memory: Memory | None = None,
        denoisers: tuple[str, ...] = (NO_DENOISER,),
        parent: QWidget | None = None,
    ) -> None:
        """Show the first series.

        Args:
            source: the recording; closed by `end`.
            images: makes its images, in a thread of the browser's.
            memory: what is remembered for the next start.
            denoisers: names of weights to choose from, and "none".
            parent: as usual.
        """
        super().__init__(parent)
        self.setObjectName("browser")
        self.source, self.memory = source, memory or Memory("browser")
        self.shown: Shown | None = None
        """What is seen, so far."""
        self._patterns: object = None
        self._kinds = kinds_of(source.microscope)
        self.grid, self.notices, self.lamps = PaneGrid(list(self._kinds.items())), NoticeStrip(), HealthPanel()
        self.about = QTextBrowser()
        self.about.setObjectName("browse-about")
        self.about.setOpenLinks(False)
        self.controls = BrowseControls(source.sizes, self._marks_of(0, 0, 0), denoisers)
        self._request = self.controls.request
        self._spectrum: QWidget | None = None
        self.commands = Actions(self)
        self.pictures = PictureCommands(self, self.grid, self.memory, self.shot, self._picture_name, self._notify)
        self._lay_out()
        self._make_actions()
        self._recall()
        self._came.connect(self._show, Qt.ConnectionType.QueuedConnection)
        self._failed.connect(self._notify_failure, Qt.ConnectionType.QueuedConnection)
        self._worker: LatestWorker[Request, Shown] = LatestWorker(images.steps, self._came.emit, self._failed.emit)
        self.controls.wanted.connect(self.ask)
        self.ask(self._request)

    # Layout ---------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        lamps = QWidget()
        column = QVBoxLayout(lamps)
        column.addWidget(self.lamps)
        column.addStretch(1)
        self.tabs = QTabWidget()
        self.tabs.setObjectName("browse-tabs")
        self.tabs.addTab(self.about, "About")
        self.tabs.addTab(Column(lamps), "Patterns")
        self._spectrum_tab = QWidget()
        QVBoxLayout(self._spectrum_tab).setContentsMargins(0, 0, 0, 0)
        self.tabs.addTab(self._spectrum_tab, "Spectrum")
        self.tabs.currentChanged.connect(self._show_spectrum)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.grid)
        self.splitter.addWidget(self.tabs)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        self.splitter.setCollapsible(0, False)
        em = self.fontMetrics().averageCharWidth()
        self.splitter.setSizes([150 * em, 48 * em])
        whole = QVBoxLayout(self)
        whole.setContentsMargins(4, 4, 4, 4)
        whole.setSpacing(3)
        whole.addWidget(self.notices)
        whole.addWidget(self.splitter, 1)
        whole.addWidget(self.controls)

    def _make_actions(self) -> None:
        add, controls = self.commands.add, self.controls
        self.pictures.add_to(self.commands)
        add("go", "play", "Play", "Space", "Play the time-lapse, or stop playing", controls.play.toggle)
        add("go", "next", "Next time point", "Ctrl+Right", "Go to the next time point", lambda: controls.step(1))
        add(
            "go",
            "previous",
            "Previous time point",
            "Ctrl+Left",
            "Go to the previous time point",
            lambda: controls.step(-1),
        )
        tip = "Go to the next series with a problem"
        add("go", "marked", "Next marked series", "Ctrl+M", tip, lambda: controls.go_marked(1))
        self.panes = PaneCommands(self.commands, self.grid, self._kinds, self._best_two)

    # What is shown --------------------------------------------------------------------------------------

    def ask(self, request: Request) -> None:
        """Show this as soon as it is read and computed; a request before it that is not done yet is forgotten."""
        image = request.where.image
        if image != self._request.where.image:
            self.controls.show_marks(self._marks_of(*image))
        self._request = request
        self.controls.ready = False
        self._show_state("reading …")
        self._worker.ask(request)
        # The window may be gone by then.
        QTimer.singleShot(PATIENCE_MS, lambda: self._clear_late(request) if isalive(self) else None)  # type: ignore[no-untyped-call]

    @property
    def idle(self) -> bool:
        """Whether all that was asked for is shown."""
        return self.controls.ready

    def _show(self, shown: Shown) -> None:
        if shown.request != self._request:
            return
        self.shown = shown
        if shown.problem:
            self._notify(shown.problem, Severity.ERROR)
        if "denoised" in shown.pictures or shown.request.denoiser != NO_DENOISER:
            self.grid.show_pane("denoised", True)
        elif shown.done:
            self.grid.show_pane("denoised", False)
        for name in {*shown.pictures} - {*self.grid.panes}:
            self.grid.add_pane(name, title_of(name))
        for name in {*self.grid.panes} - {*self._kinds}:
            if self.grid.is_wanted(name) != (name in shown.pictures):
                self.grid.show_pane(name, name in shown.pictures)
        self._show_pictures(shown)
        if shown.done:
            self.controls.ready = True
        scope = self.source.microscope
        waits = "sim" not in shown.pictures and (scope is None or scope.image_name == "sim")
        computing = "computing the SIM image …" if waits and shown.pictures else "computing …"
        self._show_state("" if shown.done else computing)
        self._show_about()
        if shown.patterns is not None and shown.patterns is not self._patterns:
            self._patterns = shown.patterns
            self.lamps.show_health(pattern_health(shown.patterns, shown.nominal))
        self.grid.show_cautions(cautions_of(shown.patterns, shown.doubts, nominal=shown.nominal))
        self._show_spectrum()

    def _show_pictures(self, shown: Shown) -> None:
        channel = self.source.sizes.channels[shown.request.where.channel]
        names = {*shown.pictures, *shown.absent}
        pictures = {name: shown.pictures.get(name) for name in self.grid.panes if shown.done or name in names}
        for name in self.grid.panes:
            self._explain(name, shown.absent.get(name, "" if shown.done else "Computing …"))
        self.grid.show_pictures(channel, pictures)

    def _clear_late(self, request: Request) -> None:
        """Empty the panes whose image is of another series and takes its time."""
        if request != self._request or self.controls.ready:
            return
        made = self.shown.pictures if self.shown is not None and self.shown.request == request else {}
        late = {name: None for name in self.grid.panes if name not in made}
        for name in late:
            self._explain(name, "Computing …")
        self.grid.show_pictures(self.source.sizes.channels[request.where.channel], late)

    def _explain(self, name: str, text: str) -> None:
        canvas = self.grid.panes[name].canvas
        if canvas.busy_text != text:
            canvas.busy_text = text
            canvas.update()

    def _show_state(self, text: str) -> None:
        request = self._request
        words = self.controls.marks.words(request.where.time)
        parts = [self.controls.marks.summary, f"this one: {words}" if words != "complete" else "", text]
        self.controls.state.setText("   ·   ".join(part for part in parts if part))

    def _show_about(self) -> None:
        groups = (
            ("This image", about_image(self.source, self._request.where, self.shown)),
            ("Recording", about_recording(self.source)),
        )
        text = "".join(_table(title, lines) for title, lines in groups)
        if text != self.about.property("told"):
            bar = self.about.verticalScrollBar()
            place = bar.value() if bar is not None else 0
            self.about.setProperty("told", text)
            self.about.setHtml(text)
            if bar is not None:
                bar.setValue(place)

    def _show_spectrum(self) -> None:
        """Draw the spectrum if its tab is open; what draws it is loaded only then."""
        if self.tabs.currentWidget() is not self._spectrum_tab or self.shown is None:
            return
        from rdl_live.view.patterns.spectrum_view import SpectrumView

        if self._spectrum is None:
            self._spectrum = SpectrumView(self._kinds)
            layout = self._spectrum_tab.layout()
            assert layout is not None
            layout.addWidget(self._spectrum)
        view = self._spectrum
        assert isinstance(view, SpectrumView)
        view.set_optics(self._cutoff())
        view.set_patterns(self.shown.patterns)
        view.show_pictures({name: self.shown.pictures.get(name) for name in self._kinds})
        if self.shown.done:
            view.draw()

    def _cutoff(self) -> float | None:
        scope = self.source.microscope
        if scope is None:
            return None
        name = self.source.sizes.channels[self._request.where.channel]
        known = [channel for channel in scope.channels if channel.name == name]
        return scope.cutoff(known[0] if known else None)

    def _marks_of(self, position: int, channel: int, z: int) -> Marks:
        from rdl_live.files.recorder.layout import ImageAddress

        image = ImageAddress(position, channel, z)
        return Marks.of(self.source.flags(image), self.source.has_stored(image))

    # What the user does ---------------------------------------------------------------------------------

    def shot(self, name: str | None = None) -> Shot | None:
        """Return the picture of a pane to be saved; by default the best one that is shown."""
        shown = self.shown
        if shown is None:
            return None
        names = [one for one in self.grid.shown if one in shown.pictures]
        name = name or (names[-1] if names else None)
        if name is None or name not in shown.pictures:
            return None
        channel = self.source.sizes.channels[shown.request.where.channel]
        pane = self.grid.panes[name]
        where = shown.request.where
        facts = [f"time point {where.time + 1} of {self.source.sizes.times}", self.source.path.parent.name]
        lines = about_image(self.source, where, shown)
        made = {"recording": str(self.source.path), "image": dict(lines)}
        if shown.patterns is not None:
            made["patterns"] = shown.patterns.model_dump(mode="json")
        known = tuple(fact for fact in facts if fact)
        caption = Caption(f"{pane.title}, {channel}", None, shown.photons, known, pane.caution)
        return Shot(shown.pictures[name], pane.contrast, caption, pane.canvas.layer.doubt, channel, made)

    def _picture_name(self) -> str:
        shot = self.shot()
        title = "picture" if shot is None else shot.caption.title.replace(", ", "-").replace(" ", "-")
        return f"{title}-t{self._request.where.time + 1}.png"

    def _best_two(self) -> tuple[str, str]:
        denoised = self.shown is not None and "denoised" in self.shown.pictures
        if "sim" not in self._kinds:
            return "raw", "widefield"
        return ("sim", "denoised") if denoised else ("widefield", "sim")

    def _notify(self, text: str, severity: Severity, details: str = "") -> None:
        self.notices.add(Notice(0, severity, text, details))

    def _notify_failure(self, error: Exception) -> None:
        self.controls.ready = True
        self._show_state("")
        text = f"the images of this series could not be made ({type(error).__name__}: {error}); others may be fine"
        self._notify(text, Severity.ERROR)

    # What is remembered ---------------------------------------------------------------------------------

    def _recall(self) -> None:
        self.panes.recall(self.memory)

    def remember(self) -> None:
        """Write down what is to be as it was at the next start."""
        self.memory.put(**self.panes.to_remember())
        self.memory.save()

    def end(self) -> None:
        """Remember, end the thread, close the files."""
        self.remember()
        self.controls.play.setChecked(False)
        self._came.disconnect(self._show)
        self._failed.disconnect(self._notify_failure)
        if self._worker.close():
            self.source.close()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Room for the panes."""
        return QSize(1280, 720)


def _table(title: str, lines: Lines) -> str:
    rows = "".join(
        f"<tr><td style='padding-right: 8px'><b>{html.escape(name)}</b></td><td>{html.escape(text)}</td></tr>"
        for name, text in lines
    )
    return f"<h4>{html.escape(title)}</h4><table cellspacing='0' cellpadding='2'>{rows}</table>"
