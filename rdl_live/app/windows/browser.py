"""`rdl-live open`, put together: recording, microscope, window. The recording is shown before torch is loaded."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rdl_live._names import NO_DENOISER
from rdl_live.app.browse.images import RecordingImages
from rdl_live.app.browse.source import open_source
from rdl_live.app.windows.application import delete_windows, qt_application
from rdl_live.app.windows.screen import no_screen
from rdl_live.errors import ConfigError, DataError
from rdl_live.files import RawRequest, load_microscope
from rdl_live.view.browse.source import Source, Where

if TYPE_CHECKING:
    from rdl_live.view.browse.window import BrowserWindow

INTERRUPTED = 130
"""Exit code after Ctrl-C."""
WAKE_MS = 100


def open_recording_source(path: Path, microscope: Path | None = None, reading: RawRequest | None = None) -> Source:
    """Open what is to be browsed.

    Raises:
        ConfigError: the microscope file has mistakes.
        DataError: no recording, or a raw file without a microscope.
    """
    return open_source(path, None if microscope is None else load_microscope(microscope), reading)


def window_of(source: Source, microscope: Path | None = None, device: str = "cpu") -> "BrowserWindow":
    """Return a window that shows a recording; Qt's application must be there."""
    from rdl_live.restore.suited import SERIES
    from rdl_live.view.browse.window import BrowserWindow
    from rdl_live.view.common.memory import Memory
    from rdl_models import find_weights, read_card, shipped

    # Weights for single frames are used live, and by `restore`.
    series = [name for name in shipped() if read_card(find_weights(name)).task in SERIES]
    names, memory = (NO_DENOISER, *series), Memory("browser")
    images = partial(RecordingImages, device=device)
    return BrowserWindow(source, open_recording_source, images, memory, names, microscope=microscope)


def run_browser(
    path: Path,
    microscope: Path | None = None,
    device: str = "cpu",
    reading: RawRequest | None = None,
    *,
    position: str | None = None,
    channel: str | None = None,
) -> int:
    """Show a recording until its window is closed; return the exit code.

    Args:
        path: of the recording.
        microscope: its microscope file, where the recording does not say it.
        device: where to compute.
        reading: how a foreign file is read.
        position: stage position to begin with, by name or number from 0.
        channel: colour to begin with, by name or number from 0.

    Raises:
        RdlError: as `open_recording_source`, before any window is shown.
        ConfigError: there is no screen.
    """
    source = open_recording_source(path, microscope, reading)
    try:
        start = source.sizes.beginning(position, channel)
    except DataError as error:
        source.close()
        raise DataError(f"{path}: {error}") from error
    if (reason := no_screen()) is not None:
        source.close()
        raise ConfigError(f"no window: {reason}; `rdl-live reconstruct` and `export` need none")
    from rdl_live.view.common.garbage import collecting_between_events

    application = qt_application()
    window = window_of(source, microscope, device)
    if start != Where():
        window.browser.controls.go(start)
    window.show()
    with collecting_between_events(), _closed_by_ctrl_c(window) as came:
        code = int(application.exec())
    delete_windows(window)
    return INTERRUPTED if came else code


@contextmanager
def _closed_by_ctrl_c(window: "BrowserWindow") -> Iterator[list[int]]:
    """Let SIGINT and SIGTERM close the window; a timer lets Python see them, which Qt's loop would not."""
    from qtpy.QtCore import QTimer

    came: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        came.append(number)
        window.close()

    timer = QTimer()
    timer.timeout.connect(lambda: None)
    timer.start(WAKE_MS)
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        timer.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
