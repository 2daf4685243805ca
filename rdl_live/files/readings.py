"""The ways in which the frames of a stack can be read as series: positions x times x planes x angles x phases.

Angles and phases that a file names are taken as named. Otherwise the patterns may lie along any axis, alone or with
planes or time points, the fastest or the slowest. Every way that fits the counts is a `Reading`; which one is right is
said by the user (`--order`), or decided by the data (`choose`).
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from rdl_live.errors import DataError
from rdl_live.files.stack import Axis, FrameNumbers, Stack
from rdl_live.optics.microscope import PatternGeometry

SERIES_AXES = (Axis.POSITION, Axis.TIME, Axis.Z, Axis.ANGLE, Axis.PHASE)
LOOSE = (Axis.FRAME, Axis.TIME, Axis.Z, Axis.CHANNEL)
MOST_READINGS = 200
"""Ways to read one file that are thought of."""

Part = tuple[Axis, int]
"""What a part of an axis stands for, and its steps."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read a stack."""

    frames: FrameNumbers
    """(position, time, z, angle, phase)."""
    order: tuple[Axis, ...]
    """Axes of more than one step in the order of the file, slowest first; angle and phase always."""
    rank: int
    """0 for what the file and the microscope file say together; the higher, the less is said for it."""

    @property
    def words(self) -> str:
        """The order in the words of `--order`."""
        return "-".join(axis for axis in self.order if axis is not Axis.POSITION)

    def less_likely(self, rank: int) -> "Reading":
        """Return the reading with so much less said for it."""
        return replace(self, rank=self.rank + rank)

    @property
    def planes(self) -> int:
        """Planes of the z stack."""
        return int(self.frames.shape[2])


def readings(stack: Stack, geometry: PatternGeometry, planes: int | None = None) -> list[Reading]:
    """Return the ways to read a stack of one colour, the likeliest first.

    Args:
        stack: without colours; an axis of channels that is left holds patterns.
        geometry: angles and phases of a series, and the order that the microscope file says.
        planes: of a z stack, where the user says so.

    Raises:
        DataError: the frames are no whole number of series.
    """
    if stack.frames.size == 0:
        raise DataError("holds no frames")
    axes = _plain(stack, geometry)
    missing = _missing(axes, geometry)
    found: dict[tuple[bytes, tuple[int, ...]], Reading] = {}
    for parts, rank in _splits(axes, missing, planes):
        reading = _reading(axes.frames, parts, rank + _order_rank(parts, missing, geometry))
        numbers = hashlib.sha256(reading.frames.tobytes()).digest()  # long files have many
        found.setdefault((numbers, reading.frames.shape), reading)
        if len(found) >= MOST_READINGS:
            break
    if not found:
        raise DataError(wrong_count(stack, geometry))
    return sorted(found.values(), key=lambda reading: reading.rank)


def _plain(stack: Stack, geometry: PatternGeometry) -> Stack:
    """Return the stack without axes of one step, positions slowest; one axis of all patterns has no name of its own."""
    named = [axis for axis in (Axis.ANGLE, Axis.PHASE) if axis in stack.axes]
    if len(named) < 2:
        stack = stack.squeezed()
        named = [axis for axis in named if axis in stack.axes]
    both = min(geometry.angles, geometry.phases) > 1
    if len(named) == 1 and stack.size(named[0]) == geometry.frames and both:
        stack = stack.renamed(named[0], Axis.FRAME)
    if Axis.POSITION in stack.axes:
        places = [i for i, axis in enumerate(stack.axes) if axis is Axis.POSITION]
        order = places + [i for i in range(len(stack.axes)) if i not in places]
        stack = Stack(tuple(stack.axes[i] for i in order), stack.frames.transpose(order))
    return stack


def _missing(stack: Stack, geometry: PatternGeometry) -> dict[Axis, int]:
    """Return what the file does not name; refuse what it names with other counts than the microscope file."""
    wanted = {Axis.ANGLE: geometry.angles, Axis.PHASE: geometry.phases}
    found = {axis: stack.size(axis) for axis in wanted if axis in stack.axes}
    wrong = [f"{n} {a}s (pattern.{a}s says {wanted[a]})" for a, n in found.items() if n != wanted[a]]
    if wrong:
        raise DataError(f"the file names {' and '.join(wrong)}; correct the pattern section of the microscope file")
    return {axis: n for axis, n in wanted.items() if axis not in found and n > 1}


def _splits(stack: Stack, missing: dict[Axis, int], planes: int | None) -> Iterator[tuple[list[Part], int]]:
    """Go through the ways to divide the axes, each with how little is said for it."""
    sizes = list(zip(stack.axes, stack.frames.shape, strict=True))
    loose = [i for i, axis in enumerate(stack.axes) if axis in LOOSE]
    for places in itertools.product(loose, repeat=len(missing)):
        inside: dict[int, list[Part]] = {}
        for part, place in zip(missing.items(), places, strict=True):
            inside.setdefault(place, []).append(part)
        if any(sizes[i][1] % prod(n for _, n in parts) for i, parts in inside.items()):
            continue
        apart = 2 if len(inside) > 1 and len(loose) > 1 else 0
        ways = [list(_ways(axis, n, inside.get(i), len(loose) == 1, planes)) for i, (axis, n) in enumerate(sizes)]
        for chosen in itertools.product(*ways):
            yield [part for parts, _ in chosen for part in parts], apart + sum(rank for _, rank in chosen)
    if len(loose) > 1 and missing and loose == list(range(loose[0], loose[0] + len(loose))):
        yield from _across(sizes, loose, missing, planes)


def _across(
    sizes: list[Part], loose: list[int], missing: dict[Axis, int], planes: int | None
) -> Iterator[tuple[list[Part], int]]:
    """Go through the ways to read loose axes as one, whatever they are called."""
    total, wanted = prod(sizes[i][1] for i in loose), prod(missing.values())
    if total % wanted:
        return
    before, after = sizes[: loose[0]], sizes[loose[-1] + 1 :]
    for parts, rank in _ways(Axis.FRAME, total, list(missing.items()), True, planes):
        yield [*before, *parts, *after], 4 + rank


def _ways(
    axis: Axis, size: int, inside: list[Part] | None, alone: bool, planes: int | None
) -> Iterator[tuple[list[Part], int]]:
    """Go through the ways to divide one axis into patterns and the rest, with how little is said for each."""
    if not inside:
        yield [(axis, size)], 0
        return
    rest = size // prod(n for _, n in inside)
    is_free = planes is None and (alone or axis not in (Axis.TIME, Axis.Z))
    for others in _rests(axis, rest, alone, planes):
        for order in itertools.permutations([*inside, *others]):
            around = set(order[: len(others)]) == set(others)
            if is_free and not _is_usual([name for name, _ in order], len(others), around):
                continue
            in_turn = len(others) < 2 or order[0][0] is Axis.TIME
            yield list(order), 0 if around and in_turn else 8


def _is_usual(names: list[Axis], others: int, around: bool) -> bool:
    """Whether steps that have no name of their own are called as they should be, so that each way comes once."""
    if others == 2:
        return names[0] is Axis.TIME and not around
    return Axis.Z not in names if around else Axis.TIME not in names


def _rests(axis: Axis, rest: int, alone: bool, planes: int | None) -> list[list[Part]]:
    """Return what the steps of an axis besides its patterns may stand for."""
    if rest == 1:
        return [[]]
    if axis in (Axis.TIME, Axis.Z) and not alone:
        return [[(axis, rest)]]
    if planes is not None and 1 < planes < rest:
        return [[(Axis.TIME, rest // planes), (Axis.Z, planes)]] if rest % planes == 0 else []
    if planes is not None:
        return [[(Axis.Z if planes == rest else Axis.TIME, rest)]] if planes in (1, rest) else []
    # Stacks over time, as OMX stores them, of all numbers of planes that fit.
    both = [[(Axis.TIME, rest // n), (Axis.Z, n)] for n in range(2, rest // 2 + 1) if rest % n == 0]
    return [[(Axis.TIME, rest)], [(Axis.Z, rest)], *both]


def _order_rank(parts: Sequence[Part], missing: dict[Axis, int], geometry: PatternGeometry) -> int:
    """Return 0 where angle and phase follow each other as the microscope file says."""
    if len(missing) < 2:
        return 0
    names = [axis for axis, _ in parts]
    phase_faster = names.index(Axis.ANGLE) < names.index(Axis.PHASE)
    said = geometry.series_order.startswith("angle")
    return 0 if phase_faster == said else 16


def _reading(frames: FrameNumbers, parts: Sequence[Part], rank: int) -> Reading:
    names = [Axis.TIME if axis in (Axis.FRAME, Axis.CHANNEL) else axis for axis, _ in parts]
    split = frames.reshape([n for _, n in parts])
    moved = [i for axis in SERIES_AXES for i, name in enumerate(names) if name is axis]
    counts = [prod(n for name, (_, n) in zip(names, parts, strict=True) if name is axis) for axis in SERIES_AXES]
    kept = [name for name, (_, n) in zip(names, parts, strict=True) if n > 1 or name in (Axis.ANGLE, Axis.PHASE)]
    return Reading(split.transpose(moved).reshape(counts), tuple(dict.fromkeys(kept)), rank)


def wrong_count(stack: Stack, geometry: PatternGeometry) -> str:
    """Return what to say of a stack whose frames are no whole number of series."""
    found = stack.frames.size // max(stack.size(Axis.POSITION), 1)
    below = found // geometry.frames * geometry.frames
    nearest = f"{below} or {below + geometry.frames}" if below else f"{geometry.frames}"
    what = "is one single image" if found == 1 else f"has {found} frames, no whole number of series"
    if found > 1 and found % geometry.frames == 0:
        what = f"has {found} frames along {stack.describe()}, which do not divide into series"
    return (
        f"{what}: a series has pattern.angles {geometry.angles} x pattern.phases {geometry.phases} = "
        f"{geometry.frames} frames, so the nearest whole count is {nearest}; correct pattern.angles and "
        "pattern.phases in the microscope file, or give the complete recording"
    )


def said_order(found: list[Reading], stack: Stack, order: str, planes: int | None = None) -> list[Reading]:
    """Return the readings that an explicit order allows; several where it leaves open in which axis patterns lie.

    Args:
        found: all readings.
        stack: what they were made of.
        order: axes, slowest first, such as "angle-z-phase".
        planes: of a z stack, where the user says so.

    Raises:
        DataError: none; says what the file names, or what is needed.
    """
    wanted = tuple(Axis(word) for word in order.split("-"))
    both = {Axis.TIME, Axis.Z} <= set(wanted)
    fitting = [(_unsaid(way, wanted), way) for one in found for way in _called(one) if _follows(way, wanted)]
    if fitting:
        least = min(fitting, key=lambda pair: (pair[0], pair[1].rank))
        # Planes and time points of unknown numbers: one of either is possible as well.
        allowed = [one for unsaid, one in fitting if unsaid == least[0] and one.rank == least[1].rank]
        if both and planes is None:
            allowed = [one for unsaid, one in fitting if unsaid <= least[0] + 1]
        return [replace(one, rank=0) for one in allowed]
    named = [axis for axis in stack.squeezed().axes if axis in (Axis.ANGLE, Axis.PHASE)]
    ways = " or ".join(dict.fromkeys(one.words for one in found[:6]))
    if named:
        raise DataError(
            f"the order is said to be {order}, but the file names its axes {stack.squeezed().describe()} (slowest "
            "first); leave out --order, or name the axes in the file as they are"
        )
    if both:
        raise DataError(f"{order}: say with --planes how many planes a z stack has, for the file does not ({ways} fit)")
    raise DataError(f"{stack.describe()} cannot be read as {order}; what fits is {ways}")


def _called(reading: Reading) -> list[Reading]:
    """Return the reading, and that with its planes as time points, or the other way round, where it has one of both."""
    if min(reading.frames.shape[1:3]) > 1:
        return [reading]
    names = {Axis.TIME: Axis.Z, Axis.Z: Axis.TIME}
    order = tuple(names.get(axis, axis) for axis in reading.order)
    return [reading, Reading(reading.frames.swapaxes(1, 2), order, reading.rank + 1)]


def _follows(reading: Reading, wanted: tuple[Axis, ...]) -> bool:
    """Whether the axes come in an order; a rest that it does not mention must be the slowest."""
    said = [axis for axis in wanted if axis in reading.order]
    present = [axis for axis in reading.order if axis in wanted]
    return said == present


def _unsaid(reading: Reading, wanted: tuple[Axis, ...]) -> int:
    """Return how many axes of a reading the order does not mention, and of the order the reading lacks."""
    own = {axis for axis in reading.order if axis is not Axis.POSITION}
    return len(own ^ set(wanted))


def as_series(frames: FrameNumbers) -> FrameNumbers:
    """Return (series, angle, phase), planes fastest, positions slowest."""
    return np.ascontiguousarray(frames.reshape(-1, *frames.shape[-2:]))
