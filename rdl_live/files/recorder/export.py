"""From a recording to OME-TIFF, which any program opens: one file per stage position, all colours, planes and times."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdl_live.errors import ConfigError, DataError
from rdl_live.files.channel_label import ChannelLabel
from rdl_live.files.ome_document import OmeDescription, PlaneLabel
from rdl_live.files.outputs import check_output
from rdl_live.files.page_writer import PageWriter, pending_tiff
from rdl_live.files.recorder.journal import JournalContent, read_journal
from rdl_live.files.recorder.layout import ImageAddress, RecordingLayout, StreamLayout
from rdl_live.files.recorder.readback import Progress
from rdl_live.files.recorder.recording import Recording
from rdl_live.optics.microscope import SeriesOrder

MOST_HOLES, LEAST_SHARE = 10_000, 0.01
"""Of a recording that lacks more time points than this, this share must be there to be exported."""
MOST_LABELS = 100_000
"""Planes that are described one by one; of longer recordings only the list of time stamps is written."""
ENDINGS = (".ome.tiff", ".ome.tif", ".tiff", ".tif")


@dataclass(frozen=True)
class Exported:
    """A file that was written, or would have been."""

    path: Path
    time_points: int
    """0: there is nothing of this position, and no file was written."""
    missing_frames: int


def export_tiffs(
    recording: str | Path,
    out: str | Path,
    overwrite: bool = False,
    *,
    channel: str | int | None = None,
    position: int | None = None,
    z: int | None = None,
    progress: Progress | None = None,
) -> list[Exported]:
    """Write a recording to OME-TIFF, one file for each stage position, time point by time point.

    Pages run z, channels, time (XYZCT). Of raw recordings Z also counts the phases and T the angles (Modulo
    annotations; the other way round where `pattern.order` is phase-angle). Missing frames are zeros, and are listed as
    "missing_frames" ([t, c, z, angle, phase]) in the file's provenance, beside "timestamps_s" and "pattern_ids"
    (T, C, Z, angle, phase); without the axes C and Z where one image is written.

    Args:
        recording: its folder.
        out: a name that ends in .tif; of several positions each file gets "-p0", "-p1", ... before its ending.
        overwrite: replace existing files.
        channel: write this colour only, by name or number.
        position: write this one only.
        z: write this plane only.
        progress: notified of how many of how many time points are done, over all files.

    Raises:
        DataError: no recording, damaged, or without any time point.
        ConfigError: there is no such channel, position or plane; the message names those that there are.
        OutputError: a file cannot be written.
    """
    root = Path(recording)
    content = read_journal(root)
    layout = content.layout
    colours = _chosen(len(layout.channels), _number_of(layout, channel), "--channel", "channel")
    depths = _chosen(layout.z_planes, z, "--z", "plane")
    places = _chosen(layout.positions, position, "--position", "position")
    files = [_file(Path(out), place, alone=position is not None or layout.positions == 1) for place in places]
    for file in files:
        check_output(file, overwrite, inputs=[root])
    exports = [_Export(root, content, place, colours, depths) for place in places]
    total, done = sum(len(one) for one in exports), 0
    if not total:
        raise DataError(f"{root}: holds no time point, so there is nothing to export")
    written = []
    for one, file in zip(exports, files, strict=True):

        def step(time: int, before: int = done) -> None:
            if progress is not None:
                progress(before + time, total)

        if len(one):
            one.write(file, overwrite, step)
        written.append(Exported(file, len(one), one.missing))
        done += len(one)
    return written


def _chosen(count: int, wanted: int | None, option: str, what: str) -> list[int]:
    if wanted is None:
        return list(range(count))
    if not 0 <= wanted < count:
        there = "only number 0" if count == 1 else f"numbers 0 to {count - 1}"
        raise ConfigError(f"{option} {wanted}: the recording has {there} of its {what}s")
    return [wanted]


def _number_of(layout: StreamLayout, channel: str | int | None) -> int | None:
    """Return the number of a channel that is given by name, or by number where no name is like that."""
    names = [one.name for one in layout.channels]
    if channel is None or isinstance(channel, int):
        return channel
    if channel in names:
        return names.index(channel)
    if channel.isdecimal() and int(channel) < len(names):
        return int(channel)
    raise ConfigError(f"--channel {channel}: the recording has no such colour; it has {', '.join(names)}")


def _file(out: Path, position: int, *, alone: bool) -> Path:
    """Return the file of a position."""
    ending = next((one for one in ENDINGS if out.name.lower().endswith(one)), "")
    if alone or not ending:
        return out
    stem, dots = out.name[: -len(ending)], out.name[-len(ending) :]
    return out.with_name(f"{stem}-p{position}{dots}")


class _Export:
    """One position of a recording, as it goes into a file."""

    def __init__(
        self, root: Path, content: JournalContent, position: int, colours: Sequence[int], depths: Sequence[int]
    ) -> None:
        self._root, self._content, self._position = root, content, position
        self._layout = content.layout
        self._colours, self._depths = colours, depths
        self._images = [
            [Recording(root, content, ImageAddress(position, colour, depth)) for depth in depths] for colour in colours
        ]
        self._times = max(len(image) for row in self._images for image in row)
        if self._times:
            self._check_holes()

    def __len__(self) -> int:
        """Return the number of time points."""
        return self._times

    @property
    def missing(self) -> int:
        """Frames that are written as zeros."""
        return int(np.count_nonzero(~self._table(lambda image: image.valid, fill=False)))

    def write(self, out: Path, overwrite: bool, step: Callable[[int], None]) -> None:
        """Write the file."""
        description = self._description()
        pages = PageWriter(pending_tiff(out, overwrite), lambda _: description, self._times)
        try:
            for time in range(self._times):
                pages.write(self._pages(time))
                step(time + 1)
        except BaseException:
            pages.abort()
            raise
        pages.finish()

    def _pages(self, time: int) -> npt.NDArray[Any]:
        """Return the pages (n, y, x) of a time point: slower of angle and phase, colour, plane, faster of these."""
        empty = np.zeros((*self._inner, *self._layout.frame), self._layout.dtype)
        block = np.stack(
            [[image[time] if time < len(image) else empty for image in row] for row in self._images]
        )  # (c, z, angle, phase, y, x)
        ordered = block.transpose(2, 0, 1, 3, 4, 5) if self._phase_fastest else block.transpose(3, 0, 1, 2, 4, 5)
        return np.ascontiguousarray(ordered).reshape(-1, *self._layout.frame)

    @property
    def _inner(self) -> tuple[int, int]:
        sizes = [size for _, size in self._layout.inner] or [1, 1]
        return sizes[0], sizes[1]

    @property
    def _phase_fastest(self) -> bool:
        layout = self._layout
        return not isinstance(layout, RecordingLayout) or layout.pattern.series_order is not SeriesOrder.PHASE_ANGLE

    def _check_holes(self) -> None:
        """Refuse to fill a disk with zeros for a recording whose journal claims what is not there."""
        whole = self._table(lambda image: image.valid, fill=False).reshape(self._times, -1, self._layout.slots)
        there = int(whole.all(axis=-1).any(axis=-1).sum())
        missing = self._times - there
        if missing > MOST_HOLES and there < LEAST_SHARE * self._times:
            raise DataError(
                f"{self._root}: claims {self._times} time points, of which {there} are there; its journal is "
                "damaged, and the rest would be zeros"
            )

    def _table(self, of: Callable[[Recording], npt.NDArray[Any]], fill: Any) -> npt.NDArray[Any]:
        """Return what is known of all frames, (T, C, Z, angle, phase)."""
        rows = []
        for row in self._images:
            tables = [of(image) for image in row]
            padded = [
                np.concatenate([one, np.full((self._times - len(one), *one.shape[1:]), fill, one.dtype)])
                for one in tables
            ]
            rows.append(np.stack(padded, axis=1))
        return np.stack(rows, axis=1)

    def _description(self) -> OmeDescription:
        layout = self._layout
        labels = [
            ChannelLabel(one.name, one.excitation_nm, one.emission_nm)
            for one in (layout.channels[colour] for colour in self._colours)
        ]
        angles, phases = self._inner
        slow, fast = (angles, phases) if self._phase_fastest else (phases, angles)
        names = ("angle", "phase") if self._phase_fastest else ("phase", "angle")
        raw = isinstance(layout, RecordingLayout)
        place = self._place()
        name = str(place.get("name") or (f"position {self._position}" if layout.positions > 1 else labels[0].name))
        return OmeDescription(
            size_t=self._times * slow,
            size_y=layout.frame[0],
            size_x=layout.frame[1],
            dtype=layout.dtype,
            pixel_size_um=layout.pixel_size_um,
            channel=labels[0],
            more_channels=tuple(labels[1:]),
            size_z=len(self._depths) * fast,
            modulo={"T": (names[0], slow), "Z": (names[1], fast)} if raw else {},
            provenance=self._provenance(),
            name=name,
            acquired=self._content.created,
            z_step_um=layout.z_step_um if len(self._depths) > 1 else None,
            interval_s=layout.interval_s,
            labels=tuple(self._labels(slow, fast, place)),
        )

    def _place(self) -> dict[str, Any]:
        """Return what is known of where the stage was."""
        places = self._layout.provenance.get("positions_um")
        if not isinstance(places, list) or self._position >= len(places):
            return {}
        place = places[self._position]
        return place if isinstance(place, dict) else {}

    def _labels(self, slow: int, fast: int, place: dict[str, Any]) -> Iterator[PlaneLabel]:
        """Say of each plane when and where it was taken."""
        stamps = self._table(lambda image: image.timestamps_s, fill=math.nan)
        if stamps.size > MOST_LABELS:
            return
        known = stamps[np.isfinite(stamps)]
        start_s = float(known.min()) if known.size else 0.0
        x, y = place.get("x_um"), place.get("y_um")
        stage = (float(x), float(y)) if isinstance(x, int | float) and isinstance(y, int | float) else None
        exposures = self._exposures()
        if not self._phase_fastest:
            stamps = stamps.swapaxes(3, 4)
        for t, c, z, outer, inner in np.ndindex(*stamps.shape):
            stamp = float(stamps[t, c, z, outer, inner])
            yield PlaneLabel(
                z=z * fast + inner,
                c=c,
                t=t * slow + outer,
                seconds=stamp - start_s if math.isfinite(stamp) else None,
                exposure_s=exposures[c],
                stage_um=stage,
            )

    def _exposures(self) -> list[float | None]:
        """Return the exposure time of each colour [s], as planned."""
        plan = self._layout.provenance.get("plan")
        planned = plan.get("channels", []) if isinstance(plan, dict) else []
        by_name = {one.get("name"): one.get("exposure_ms") for one in planned if isinstance(one, dict)}
        found = [by_name.get(self._layout.channels[colour].name) for colour in self._colours]
        return [1e-3 * value if isinstance(value, int | float) else None for value in found]

    def _provenance(self) -> dict[str, Any]:
        one = self._images[0][0]
        alone = len(self._colours) == len(self._depths) == 1

        def listed(table: npt.NDArray[Any]) -> list[Any]:
            return list((table[:, 0, 0] if alone else table).tolist())

        stamps = self._table(lambda image: image.timestamps_s, fill=math.nan)
        plain = stamps.astype(object)
        plain[np.isnan(stamps)] = None  # JSON has no NaN
        valid = self._table(lambda image: image.valid, fill=False)
        told = {
            **one.provenance,
            "recording": self._root.name,
            "image": one.image._asdict() if alone else {"position": self._position},
            "interval_s": self._layout.interval_s,
            "missing_frames": np.argwhere(~(valid[:, 0, 0] if alone else valid)).tolist(),
            "timestamps_s": listed(plain),
        }
        if one.kind == "raw":
            return {**told, "pattern_ids": listed(self._table(lambda image: image.pattern_ids, fill=-1))}
        made = [
            [image.records(time)[0].metadata for row in self._images for image in row] for time in range(self._times)
        ]
        return {**told, "images": [records[0] if alone else records for records in made]}
