"""A recording of ours as something to browse: the raw series, and the super-resolved images beside them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from rdl_live._names import RAW_RECORDING, SR_RECORDING
from rdl_live.errors import DataError
from rdl_live.files.recorder.journal import JOURNAL, JournalContent, read_journal
from rdl_live.files.recorder.layout import ImageAddress, RecordingLayout, SrLayout, StreamLayout
from rdl_live.files.recorder.recording import Recording, corner_of
from rdl_live.files.recorder.tags import FrameFlag
from rdl_live.optics.microscope import Microscope
from rdl_live.view.browse.source import Sizes, Stored, Where


class RecordedSource:
    """A recording of ours. An sr.ome.zarr beside it is used; given alone, it is shown alone."""

    def __init__(self, path: Path, microscope: Microscope | None = None) -> None:
        """Read the journals.

        Raises:
            DataError: no recording, or of another version.
        """
        content = read_journal(path)
        self._raw_path, self._sr_path = path, path.with_name(SR_RECORDING)
        self._raw: JournalContent | None = content
        self._sr: JournalContent | None = None
        problems: list[str] = []
        if content.layout.kind == "sr":
            self._raw_path, self._raw, problems = _raw_of(path, content)
            self._sr_path, self._sr = path, content
        elif (self._sr_path / JOURNAL).is_file():
            try:
                self._sr = read_journal(self._sr_path)
            except DataError as error:
                problems = [f"the super-resolved images beside it cannot be read, and are computed instead: {error}"]
        self.path = path
        self.provenance: Mapping[str, Any] = {**content.layout.provenance, **content.remarks}
        self.microscope, told = _microscope(content.layout, microscope)
        self._images: dict[tuple[bool, ImageAddress], Recording] = {}
        self.sizes = self._sizes()
        first = self._recording(False, ImageAddress()) if self._raw is not None else None
        self.notes = (*problems, *told, *(first.notes if first is not None else ()))

    def series(self, where: Where) -> npt.NDArray[Any]:
        """Return raw ADU (angle, phase, y, x); zeros for what is missing."""
        recording = self._recording(False, where.image)
        if recording is None or where.time >= len(recording):
            return np.zeros((self.sizes.angles, self.sizes.phases, *self.sizes.frame), np.uint16)
        return recording[where.time]

    def stored(self, where: Where) -> Stored | None:
        """Return the super-resolved image that was recorded, if there is one."""
        recording = self._recording(True, where.image)
        if recording is None or where.time >= len(recording) or not recording.valid[where.time].all():
            return None
        return Stored(recording[where.time][0, 0], recording.records(where.time)[0].metadata)

    def flags(self, image: ImageAddress) -> npt.NDArray[np.int64]:
        """Return the flags of all frames, (T, angle, phase)."""
        recording = self._recording(False, image)
        table = np.full((self.sizes.times, self.sizes.angles, self.sizes.phases), int(FrameFlag.MISSING), np.int64)
        if recording is not None and len(recording):
            table[: len(recording)] = recording.flags
        return table

    def has_stored(self, image: ImageAddress) -> npt.NDArray[np.bool_]:
        """Return which time points have a super-resolved image, (T,)."""
        recording = self._recording(True, image)
        table = np.zeros(self.sizes.times, np.bool_)
        if recording is not None and len(recording):
            table[: len(recording)] = recording.complete
        return table

    def about(self, where: Where) -> Mapping[str, Any]:
        """Return what the journal says of the first frame of a series, and the times of all."""
        recording = self._recording(False, where.image)
        if recording is None or where.time >= len(recording):
            return {}
        records = recording.records(where.time)
        known = next((record for record in records if record.valid), records[0])
        about: dict[str, Any] = dict(known.metadata)
        stamps = [record.timestamp_s for record in records if record.timestamp_s is not None]
        if stamps:
            about["start_s"], about["span_s"] = min(stamps), max(stamps) - min(stamps)
        return about

    def close(self) -> None:
        """Nothing is held open between reads."""

    def _recording(self, sr: bool, image: ImageAddress) -> Recording | None:
        content = self._sr if sr else self._raw
        if content is None or image not in content.layout.images:
            return None
        key = (sr, image)
        if key not in self._images:
            self._images[key] = Recording(self._sr_path if sr else self._raw_path, content, image)
        return self._images[key]

    def _sizes(self) -> Sizes:
        content = self._raw or self._sr
        assert content is not None  # one of both was opened
        layout = content.layout
        times = max((time + 1 for _, time in [*content.blocks, *content.unusable]), default=0)
        if times == 0:
            raise DataError(f"{self.path}: holds no series yet")
        raw = layout if isinstance(layout, RecordingLayout) else None
        frame, pixel = layout.frame, layout.pixel_size_um
        if isinstance(layout, SrLayout):
            factor = layout.factor
            frame, pixel = (frame[0] // factor, frame[1] // factor), factor * pixel
        angles, phases = raw.pattern.counts if raw else (1, 1)
        corner = corner_of(layout)
        names = tuple(channel.name for channel in layout.channels)
        return Sizes(
            times,
            layout.positions,
            names,
            layout.z_planes,
            angles,
            phases,
            frame,
            pixel,
            corner,
            layout.places,
            raw=raw is not None,
        )


def _raw_of(path: Path, sr: JournalContent) -> tuple[Path, JournalContent | None, list[str]]:
    """Return the raw recording beside a super-resolved one, if there is one that fits."""
    beside = path.with_name(RAW_RECORDING)
    if not (beside / JOURNAL).is_file():
        return beside, None, ["there is no raw recording beside it: only the super-resolved images are shown"]
    content = read_journal(beside)
    if content.layout.images != sr.layout.images:
        return beside, None, [f"{beside.name} beside it is another recording, and is not shown"]
    return beside, content, []


def _microscope(layout: StreamLayout, given: Microscope | None) -> tuple[Microscope | None, list[str]]:
    """Return the microscope: the one given, or that of the recording; with the pixel of the recorded frames."""
    scope, told = given, []
    if scope is None and "microscope" in layout.provenance:
        try:
            scope = Microscope.model_validate(layout.provenance["microscope"])
        except ValidationError:
            told = ["what the recording says of its microscope cannot be read by this version: add --microscope M.yaml"]
    if scope is None:
        return None, told or ["the recording does not say which microscope made it: add --microscope M.yaml"]
    pixel = layout.pixel_size_um * (layout.factor if isinstance(layout, SrLayout) else 1)
    if abs(pixel / scope.optics.pixel_size_um - 1) > 1e-6:
        scope = scope.replace(optics={**scope.optics.model_dump(), "pixel_size_um": pixel})
    return scope, told
