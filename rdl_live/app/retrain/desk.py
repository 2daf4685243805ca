"""Retraining as the window asks for it: one at a time, on the microscope of the session, weights named by date."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from rdl_live.app.retrain.process import Retraining
from rdl_live.errors import ConfigError, OutputError
from rdl_live.files import atomic_write
from rdl_live.view.retrain.state import Progress

if TYPE_CHECKING:
    from rdl_live.app.session.session import LiveSession

FOLDER = "denoisers"
"""Within the folder of the recordings."""


class RetrainDesk:
    """See `rdl_live.view.retrain.state.Retrainer`, which it fulfils."""

    def __init__(self, session: "LiveSession") -> None:
        """Train for this session's microscope."""
        self._session = session
        self._training: Retraining | None = None

    @property
    def progress(self) -> Progress | None:
        """Where the newest retraining is; None before the first."""
        return None if self._training is None else self._training.status

    def start(self, raws: Sequence[Path], minutes: float, start: str, channel: str, folder: Path) -> None:
        """Begin; see `Retrainer`.

        Raises:
            ConfigError: one runs already, the microscope is not read yet, or there is nothing to learn from.
            OutputError: the folder cannot be made.
        """
        if self._training is not None and not self._training.status.phase.over:
            raise ConfigError("a retraining runs already; wait for it, or cancel it")
        if not raws:
            raise ConfigError("nothing to retrain on: record a time-lapse, or add a recording")
        place = folder / FOLDER
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{place}: cannot be made ({error.strerror}); choose another folder") from error
        out = _free(place, datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S"))
        self.close()
        self._training = Retraining(
            list(raws), self._microscope(out), out, minutes=minutes, start=start, channel=channel, judge=True
        )

    def cancel(self) -> None:
        """End it after the step at hand; nothing is written. Returns at once."""
        if self._training is not None:
            self._training.cancel()

    def close(self) -> None:
        """End it, by force if need be, and wait for that."""
        if self._training is not None:
            self._training.close()

    def _microscope(self, out: Path) -> Path:
        """Return the microscope file; one is written beside the weights where the session was given no file."""
        source, scope = self._session.source, self._session.microscope
        if isinstance(source, str | Path):
            return Path(source)
        if scope is None:
            raise ConfigError("the devices are not loaded yet; retrain when they are")
        path = out.with_suffix(".yaml")
        with atomic_write(path, overwrite=False) as temporary:
            temporary.write_text(yaml.safe_dump(scope.model_dump(mode="json", exclude_defaults=True)), "utf-8")
        return path


def _free(folder: Path, name: str) -> Path:
    number, path = 1, folder / f"{name}.safetensors"
    while path.exists() or path.with_name(f"{path.name}.checkpoint").exists():
        number += 1
        path = folder / f"{name}-{number}.safetensors"
    return path
