"""One size measured: the scene, every contender's times and errors, the references, the floor."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from benchmarks.contender import Contender, MissingError
from benchmarks.grids import Real, doubled
from benchmarks.ours import Ours
from benchmarks.peer import Peer
from benchmarks.scene import Scene, make_scene
from benchmarks.score import PatternErrors, filtered_nrmse, nrmse, pattern_errors
from benchmarks.textbook import best_textbook
from benchmarks.timing import Job, Timing, interleaved

CONTENDERS: tuple[Callable[[Scene], Contender], ...] = (Ours, Peer)


@dataclass(frozen=True)
class Quality:
    """Errors of one image against the truth."""

    nrmse: float
    filtered_nrmse: float
    """After the best radial filter."""


@dataclass(frozen=True)
class Entry:
    """All that was measured of one contender."""

    quality: Quality
    patterns: PatternErrors
    mean_ratio: float
    """Mean of its image as it comes, relative to the mean of the raw frames in photons."""
    estimate: Timing
    reconstruct: Timing
    update: Timing


@dataclass(frozen=True)
class Measurement:
    """One size."""

    size: int
    photons: float
    entries: dict[str, Entry]
    references: dict[str, Quality]
    """Widefield, and a textbook Wiener that is told the true pattern."""
    parts: dict[str, Timing]
    """Of rdl-live's `estimate`: the search for the patterns, the building of the filters. And the floor."""
    settings: dict[str, float]
    notes: list[str] = field(default_factory=list)

    def ratio(self, what: str, over: str = Peer.name) -> float | None:
        """Return rdl-live's median time for `what` relative to another's, or None where that is missing."""
        if over not in self.entries:
            return None
        mine: Timing = getattr(self.entries[Ours.name], what)
        theirs: Timing = getattr(self.entries[over], what)
        return mine.median_ms / theirs.median_ms


def measure(size: int, *, photons: float, repeats: int, seed: int = 1) -> Measurement:
    """Simulate `size` x `size` frames with `photons` per pixel and measure everyone on them."""
    scene = make_scene(size, photons=photons, seed=seed)
    contenders: dict[str, Contender] = {}
    notes = []
    for make in CONTENDERS:
        try:
            contender = make(scene)
        except MissingError as missing:
            notes.append(str(missing))
        else:
            contenders[contender.name] = contender
    times = _times(contenders, _extras(scene, contenders), repeats)
    textbook, w, _ = best_textbook(scene.photons, scene.otf, scene.patterns, scene.truth.astype(np.float64))
    peer = contenders.get(Peer.name)
    return Measurement(
        size=size,
        photons=photons,
        entries={
            name: Entry(
                quality=_quality(contender.scored(scene.truth), scene),
                patterns=pattern_errors(contender.patterns, scene.patterns, (size, size), scene.otf.pixel_um),
                mean_ratio=contender.mean / float(scene.photons.mean()),
                estimate=times[f"{name} estimate"],
                reconstruct=times[f"{name} reconstruct"],
                update=times[f"{name} update"],
            )
            for name, contender in contenders.items()
        },
        references={
            "widefield": _quality(doubled(scene.photons.mean(axis=(0, 1))).real, scene),
            "textbook, true pattern": _quality(textbook, scene),
        },
        parts={name: times[name] for name in ("find patterns", "build filters", "floor")},
        settings={"textbook w": w} | ({"peer w": peer.wiener} if isinstance(peer, Peer) else {}),
        notes=notes,
    )


def floor(scene: Scene) -> Job:
    """Return the least work there is: 7 real FFTs at N forward, 1 real FFT at 2N back."""
    y, x = scene.adu.shape[-2:]
    bands = torch.from_numpy(scene.photons.reshape(-1, y, x)[:7]).float()
    spectrum = torch.fft.rfft2(torch.from_numpy(scene.truth))

    def transform() -> object:
        return torch.fft.rfft2(bands), torch.fft.irfft2(spectrum, s=(2 * y, 2 * x))

    return transform


def _extras(scene: Scene, contenders: dict[str, Contender]) -> dict[str, Job]:
    ours = contenders[Ours.name]
    assert isinstance(ours, Ours)
    patterns = ours.patterns
    return {
        "find patterns": ours.find,
        "build filters": lambda: ours.plan(patterns),
        "floor": floor(scene),
    }


def _times(contenders: dict[str, Contender], extras: dict[str, Job], repeats: int) -> dict[str, Timing]:
    """Quick jobs are repeated more often than slow ones; whole reconstructions come before rolling ones."""
    quick: dict[str, Job] = {f"{name} reconstruct": one.reconstruct for name, one in contenders.items()}
    rolling: dict[str, Job] = {f"{name} update": one.update for name, one in contenders.items()}
    slow: dict[str, Job] = {f"{name} estimate": one.estimate for name, one in contenders.items()}
    slow |= {name: extras[name] for name in ("find patterns", "build filters")}
    found = interleaved(quick | {"floor": extras["floor"]}, 3 * repeats, warm=2)
    found |= interleaved(rolling, 3 * repeats, warm=2)
    return found | interleaved(slow, repeats)


def _quality(image: Real, scene: Scene) -> Quality:
    return Quality(nrmse(image, scene.truth), filtered_nrmse(image, scene.truth))
