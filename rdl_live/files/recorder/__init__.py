"""Recording as it comes: every raw frame to OME-Zarr, a series a chunk, with an fsynced journal beside it.

Decision (2026-11): an own chunk writer instead of a library. Measured on 2 shared cores and one virtual disk:
150 series of 9 x 512 x 512 uint16 at 20 photons (708 MB), frames in memory to bytes on the disk, MB/s of frames:

    own, blosc lz4, chunk and journal fsynced       513   stores 40 %, 76 MB resident
    own, blosc zstd, likewise                       417   stores 27 %
    own, uncompressed, likewise                     227   the disk's own speed
    tensorstore 0.1.86, blosc zstd, its threads     775   157 MB
    zarr-python 3.1, blosc zstd, no fsync           224   108 MB
    acquire-zarr by ome-writers 0.3, blosc zstd     173   899 MB
    ome-writers 0.3 on tensorstore, blosc zstd      168   137 MB

The whole recorder (queue, thread, checksums, journal, shape) takes 360 MB/s from a source without rest, at 160 MB
resident with a queue of 64 MB. tensorstore is faster; crash behaviour decides. None of the libraries lets a journal
line be put between "the chunk is on the disk" and "the chunk is in its place", nor can a black frame be distinguished
from one that never came, and on a full disk the ome-writers backends took 300 of 300 frames and complained at the end,
or not at all. A Zarr 3 chunk is one file of standard bytes (numcodecs, which zarr needs anyway), so the writer is 40
lines (`block.py`, `sink.py`), and zarr-python, tensorstore and our own reader open the result. Compression is the
default, for it is faster than the disk.

Order of writing, for each series: chunk to "<chunk>.part"; journal line. From here on a crash of the program takes
nothing back. A second thread: fsync of chunk and journal, for all that came meanwhile at once; rename; zarr.json with
the new length, replaced atomically. `recover` puts right whatever a crash between two of these leaves.
"""

from rdl_live.files.recorder.drain import Limits
from rdl_live.files.recorder.export import Exported, export_tiffs
from rdl_live.files.recorder.layout import ChannelInfo, ImageAddress, RecordingLayout, SrLayout
from rdl_live.files.recorder.place import check_recording_output
from rdl_live.files.recorder.readback import VerifyReport, verify
from rdl_live.files.recorder.recorder import Recorder
from rdl_live.files.recorder.recording import Recording, open_recording
from rdl_live.files.recorder.recover import RecoverReport, recover
from rdl_live.files.recorder.sink import ChunkSink, FolderSink
from rdl_live.files.recorder.space import required_bytes
from rdl_live.files.recorder.sr_recorder import SrRecorder
from rdl_live.files.recorder.stream_recorder import RecorderStatus, RecordingSummary
from rdl_live.files.recorder.tags import FrameFlag, FrameRecord, FrameTag, SeriesKey

__all__ = [
    "ChannelInfo",
    "ChunkSink",
    "Exported",
    "FolderSink",
    "FrameFlag",
    "FrameRecord",
    "FrameTag",
    "ImageAddress",
    "Limits",
    "Recorder",
    "RecorderStatus",
    "Recording",
    "RecordingLayout",
    "RecordingSummary",
    "RecoverReport",
    "SeriesKey",
    "SrLayout",
    "SrRecorder",
    "VerifyReport",
    "check_recording_output",
    "export_tiffs",
    "open_recording",
    "recover",
    "required_bytes",
    "verify",
]
