"""What a live run records: every raw frame, and each super-resolved image with how it was made."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rdl_live._names import RAW_RECORDING, SR_RECORDING
from rdl_live.acquire.faults import tried
from rdl_live.app.live.parts import provenance_of, sr_layout
from rdl_live.files.recorder import Recorder, RecordingLayout, RecordingSummary, SrRecorder
from rdl_live.stream import Result


class LiveRecordings:
    """The two recordings of a run, in one folder."""

    def __init__(
        self, folder: Path, layout: RecordingLayout, factor: int, *, overwrite: bool, warn: Callable[[str], None]
    ) -> None:
        """Begin both.

        Args:
            folder: where; it must exist.
            layout: of the raw recording.
            factor: pixels of a super-resolved image for one of the camera's, each way.
            overwrite: replace recordings that are there.
            warn: gets sentences for the user.

        Raises:
            OutputError: they cannot be written there, or will not fit.
        """
        self.raw = Recorder(folder / RAW_RECORDING, layout, overwrite, on_warning=warn)
        try:
            self._sr = SrRecorder(folder / SR_RECORDING, sr_layout(layout, factor), overwrite, on_warning=warn)
        except BaseException:
            tried(self.raw.close)
            raise

    def add(self, result: Result) -> None:
        """Keep an image; in the thread that hands it out."""
        self._sr.append(
            result.sr.cpu().numpy(),
            result.key.time,
            timestamp_s=result.exposed_s,
            channel=result.key.channel,
            z=result.key.z,
            position=result.key.position,
            flags=result.flags,
            provenance=provenance_of(result),
        )

    @property
    def written_bytes(self) -> int:
        """Bytes of raw frames on the disk."""
        return self.raw.status.written_bytes if self.raw.summary is None else self.raw.summary.bytes

    def finish(self, remarks: Mapping[str, Any]) -> list[BaseException]:
        """Close both, each whatever happens to the other, and return what went wrong; once."""
        errors: list[BaseException] = []
        for recorder in (self._sr, self.raw):
            if recorder.summary is None:
                recorder.remarks.update(remarks)
                errors += tried(recorder.close)
        return errors

    def summaries(self) -> tuple[RecordingSummary, RecordingSummary]:
        """Return how the raw recording and that of the images ended.

        Raises:
            OutputError: one of them could not be finished.
        """
        return self.raw.close(), self._sr.close()
