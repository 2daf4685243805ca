"""The denoisers that are compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from rdl_live._names import NO_DENOISER
from rdl_live.errors import ConfigError
from rdl_live.restore import Restorer
from rdl_live.restore.suited import SERIES, check_suited
from rdl_live.train.recordings.film import Film
from rdl_live.train.recordings.place import Place
from rdl_models import Weights, load_weights


@dataclass(frozen=True)
class Candidate:
    """A denoiser, or the plain Wiener reconstruction."""

    name: str
    """As the user gave it."""
    weights: Weights | None
    """None for the plain reconstruction."""

    @property
    def network(self) -> nn.Module | None:
        """The network itself."""
        return None if self.weights is None else self.weights.network

    def restorer(self, film: Film, like: "Candidate") -> Restorer:
        """Return what restores whole frames; the plain one borrows the weights of another and does not use them."""
        weights = self.weights or like.weights
        if weights is None:
            raise ConfigError("--models none: name at least one denoiser to compare it with, such as none,rdl")
        return Restorer(film.scope, film.patterns, film.shape, weights, channel=film.channel, maps=film.maps)


def candidates(names: Sequence[str]) -> list[Candidate]:
    """Load the denoisers.

    Raises:
        ConfigError: fewer than two, one twice, one that does not exist, or one that this comparison cannot judge.
        DataError: a damaged file.
    """
    cleaned = [name.strip() for name in names if name.strip()]
    if len(set(cleaned)) < 2:
        raise ConfigError(f"--models {','.join(names)}: name two or more different ones, such as rdl,mine.safetensors")
    if len(set(cleaned)) < len(cleaned):
        raise ConfigError(f"--models {','.join(names)}: one is named twice")
    return [Candidate(name, None if name == NO_DENOISER else _comparable(name)) for name in cleaned]


def _comparable(name: str) -> Weights:
    """Load weights that can predict held-out photons: those that denoise SIM series."""
    loaded = load_weights(name)
    check_suited(loaded.card, f"--models {name}", SERIES, "predict held-out photons of SIM series")
    return loaded


def unseen_times(film: Film, models: Sequence[Candidate]) -> tuple[list[int], bool]:
    """Return the time points that no model was trained on, and whether some were left out for that."""
    times = set(range(len(film)))
    left_out = False
    for model in models:
        recordings = [] if model.weights is None else model.weights.card.trained_on.get("recordings", [])
        for one in recordings:
            if one.get("fingerprint") == film.fingerprint:
                times &= {int(time) - film.first for time in one.get("held_out", [])}
                left_out = True
    return sorted(times), left_out


def held_area(film: Film, models: Sequence[Candidate]) -> Tensor | None:
    """Return what of the frame (y, x) was kept out of all trainings on this recording, 1 or 0; None if nothing was."""
    area: Tensor | None = None
    for model in models:
        recordings = [] if model.weights is None else model.weights.card.trained_on.get("recordings", [])
        for one in recordings:
            if one.get("fingerprint") == film.fingerprint and one.get("held_out_place"):
                mine = Place(*(int(value) for value in one["held_out_place"])).area(film)
                area = mine if area is None else area * mine
    return area if area is not None and bool(area.any()) else None


def label(name: str) -> str:
    """Return what a picture's title says."""
    return "super-resolved, no denoising" if name == NO_DENOISER else f"denoised by {Path(name).name}"
