"""Pairs on disk: a folder of images of little light, and one of much, with files of the same names."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.files.hyperstacks import HyperStack, open_hyperstack
from rdl_live.train.care.checks import Look, check_alike, check_light, check_order, check_sizes, check_values, look
from rdl_live.train.pairs.field import moved

ENDINGS = (".tif", ".tiff", ".mrc", ".dv", ".zarr", ".nd2", ".czi", ".lif")
MOST_BYTES = 2 * 2**30
"""Of all pairs, as float32: they are kept in memory."""


@dataclass(frozen=True, eq=False)
class CarePair:
    """One field of view, in little light and in much."""

    name: str
    low: Tensor
    """(z,) y, x float32."""
    high: Tensor
    fingerprint: str
    moved_px: tuple[float, float] = (0.0, 0.0)
    """By how much the high image was moved, (y, x)."""
    file: str = ""
    """Name that planes and time points of one file share."""

    @property
    def source(self) -> str:
        """Name of the file, or of the pair, if it is by itself."""
        return self.file or self.name


@dataclass(frozen=True)
class Pairs:
    """What two folders hold."""

    pairs: list[CarePair]
    pixel_um: float | None
    notes: tuple[str, ...]


def open_pairs(low: Path, high: Path, *, volume: bool, channel: int | None = None, planes: int | None = None) -> Pairs:
    """Read and check the pairs of two folders.

    Args:
        low: folder of the noisy images.
        high: folder of the clean ones.
        volume: whether stacks are learnt from; else each plane and time point is an image.
        channel: colour, from 0, where files have several.
        planes: of a stack, where the files do not say.

    Raises:
        DataError: no pairs, or files that are none; the message names the file, both values and what to do.
    """
    found = [_named(folder, option) for folder, option in ((low, "--low"), (high, "--high"))]
    if alone := sorted(found[0].keys() ^ found[1].keys()):
        there, lacking = (low, high) if alone[0] in found[0] else (high, low)
        file = found[0].get(alone[0]) or found[1][alone[0]]
        raise DataError(
            f"{file}: has no fellow of the same name in {lacking} ({len(alone)} such files, this one in {there.name}); "
            "add it, or remove this one"
        )
    pairs: list[CarePair] = []
    looks: list[Look] = []
    notes: list[str] = []
    pixels: list[float] = []
    size = 0
    for name, file in found[0].items():
        new, seen, pixel = _pair(name, file, found[1][name], volume, channel, planes, notes)
        pairs += new
        looks += seen
        pixels += [] if pixel is None else [pixel]
        size += sum(one.low.nbytes + one.high.nbytes for one in new)
        if size > MOST_BYTES:
            raise DataError(
                f"{file}: with it the pairs take more than {MOST_BYTES / 2**30:.0f} GiB; crop them, or use fewer"
            )
    # One field of each file: planes of a stack are alike, and so many need not be compared.
    check_order(list({one.name: one for one in reversed(looks)}.values())[::-1])
    check_light(looks, str(low), str(high))
    registered = [_registered(pair, seen) for pair, seen in zip(pairs, looks, strict=True)]
    far = max((float(np.hypot(*one.moved_px)) for one in registered), default=0.0)
    count = sum(one.moved_px != (0.0, 0.0) for one in registered)
    if count:
        notes.append(f"{count} of {len(registered)} pairs were registered; the largest shift was {far:.2f} pixels")
    registered, again = _without_doubles(registered)
    if again:
        notes.append(f"{len(again)} pairs are there twice and count once, such as {again[0]}")
    return Pairs(registered, float(np.median(pixels)) if pixels else None, tuple(notes))


def _named(folder: Path, option: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder; {option} wants the folder that holds the images")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.name.lower().endswith(ENDINGS):
            continue
        stem = path.name[: -len(path.suffix)].removesuffix(".ome")
        if stem in found:
            raise DataError(f"{path}: {found[stem].name} has the same name; remove one of them")
        found[stem] = path
    if not found:
        raise DataError(f"{folder}: holds no images ({', '.join(ENDINGS)}); choose another folder for {option}")
    return found


def _pair(
    name: str, low: Path, high: Path, volume: bool, channel: int | None, planes: int | None, notes: list[str]
) -> tuple[list[CarePair], list[Look], float | None]:
    """Return the fields of two files: stacks, or each plane and time point by itself."""
    with (
        open_hyperstack(low, stacked=volume, planes=planes) as one,
        open_hyperstack(high, stacked=volume, planes=planes) as other,
    ):
        _check_files(one, other, volume, channel)
        # Of many files alike it is said once.
        notes += [note for note in one.notes if note not in notes]
        pairs, looks = [], []
        for time in range(one.shape[0]):
            shown, wanted = (_read(file, time, channel or 0) for file in (one, other))
            check_values(shown, str(low))
            check_values(wanted, str(high))
            fields = [(shown, wanted)] if volume else list(zip(shown, wanted, strict=True))
            for plane, (a, b) in enumerate(fields):
                place = f" (time {time})" if volume else f" (time {time}, plane {plane})"
                mark = "" if one.shape[0] * len(fields) == 1 else place
                looks.append(look(name, a, b, f"{low}{mark}", f"{high}{mark}"))
                pairs.append(CarePair(f"{name}{mark}", a, b, _fingerprint(a, b), file=name))
        return pairs, looks, one.pixel_um


def _read(file: HyperStack, time: int, channel: int) -> Tensor:
    return torch.from_numpy(file.read(time, channel).astype(np.float32))


def _check_files(low: HyperStack, high: HyperStack, volume: bool, channel: int | None) -> None:
    if volume and low.shape[2] < 2:
        raise DataError(f"{low.path}: is one plane, and --volume learns from stacks; leave --volume out")
    own = (2, 3, 4) if volume else (3, 4)
    check_sizes([low.shape[axis] for axis in own], [high.shape[axis] for axis in own], str(low.path), str(high.path))
    for axis, what in ((0, "time points"), (1, "channels"), (2, "planes")):
        if low.shape[axis] != high.shape[axis]:
            raise DataError(
                f"{high.path}: has {high.shape[axis]} {what}, {low.path} has {low.shape[axis]}; export both alike"
            )
    channels = low.shape[1]
    if channel is None and channels > 1:
        raise DataError(f"{low.path}: has {channels} channels; say with --channel which is learnt from")
    if channel is not None and not 0 <= channel < channels:
        raise DataError(f"{low.path}: has {channels} channel(s), so --channel {channel} is none of them")
    if low.pixel_um and high.pixel_um and abs(low.pixel_um / high.pixel_um - 1) > 0.02:
        raise DataError(
            f"{high.path}: has pixels of {high.pixel_um:g} um, {low.path} of {low.pixel_um:g} um: pairs need one "
            "scale: resample one of them, or correct the pixel size of the file"
        )


def _registered(pair: CarePair, seen: Look) -> CarePair:
    y, x = check_alike(seen)
    if (y, x) == (0.0, 0.0):
        return pair
    planes = pair.high[None] if pair.high.ndim == 2 else pair.high
    high = torch.stack([moved(plane, y, x) for plane in planes]).reshape(pair.high.shape)
    # What came from beyond the field is not known.
    top, left = (int(np.ceil(max(one, 0))) for one in (y, x))
    bottom, right = (int(np.ceil(max(-one, 0))) for one in (y, x))
    inner = (..., slice(top, high.shape[-2] - bottom), slice(left, high.shape[-1] - right))
    return replace(pair, low=pair.low[inner].contiguous(), high=high[inner].contiguous(), moved_px=(y, x))


def _without_doubles(pairs: Sequence[CarePair]) -> tuple[list[CarePair], list[str]]:
    known: set[str] = set()
    kept, again = [], []
    for one in pairs:
        if one.fingerprint in known:
            again.append(one.name)
        else:
            kept.append(one)
        known.add(one.fingerprint)
    return kept, again


def _fingerprint(low: Tensor, high: Tensor) -> str:
    digest = hashlib.sha256(low.contiguous().numpy().tobytes())
    digest.update(high.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
