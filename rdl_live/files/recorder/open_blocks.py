"""The series that are being filled, at most one for each image."""

from rdl_live.errors import DataError
from rdl_live.files.recorder.block import OpenBlock
from rdl_live.files.recorder.codec import Block
from rdl_live.files.recorder.layout import MAX_HOLES, MAX_TIME_POINTS, ImageAddress, StreamLayout
from rdl_live.files.recorder.recycled import Recycled
from rdl_live.files.recorder.tags import FrameTag

KEPT = 3
"""Blocks whose memory is used again: one is filled, one is written, one waits. New memory costs more than the copy."""


class OpenBlocks:
    """Sorts frames into series by index, and says which series are ready to be written.

    A series is ready when all its slots are filled or marked, when another time point of the same image
    begins, or when too many are open.
    """

    def __init__(self, layout: StreamLayout, limit: int) -> None:
        """Keep at most `limit` series open."""
        self._layout, self._limit = layout, limit
        self._recycled = Recycled(KEPT)
        self._open: dict[ImageAddress, OpenBlock] = {}
        self._done: dict[ImageAddress, set[int]] = {image: set() for image in layout.images}
        # Once, and not for each frame.
        self._sizes = {
            "time": layout.time_points or MAX_TIME_POINTS,
            "channel": len(layout.channels),
            "z": layout.z_planes,
            "position": layout.positions,
            **{"angle": 1, "phase": 1},
            **dict(layout.inner),
        }

    def put(self, tag: FrameTag, frame: Block | None, number: int) -> list[OpenBlock]:
        """Fill a slot, and return the series that are ready.

        Raises:
            DataError: an index outside of the layout, a series that was written already, a slot filled twice,
                a frame of another size or number type.
        """
        self._check(tag, frame)
        ready: list[OpenBlock] = []
        block = self._open.get(tag.image)
        if block is None or block.time != tag.time:
            ready += self._begin(tag.image, tag.time)
            block = self._open[tag.image]
        block.put(tag, frame, number)
        if block.full:
            ready.append(self._take(tag.image))
        return ready

    def amend(self, tag: FrameTag) -> bool:
        """Add flags to a frame that came before; return whether its series is open still."""
        block = self._open.get(tag.image)
        return block is not None and block.time == tag.time and block.amend(tag)

    def take_all(self) -> list[OpenBlock]:
        """Return all open series, as they are."""
        return [self._take(image) for image in list(self._open)]

    def _begin(self, image: ImageAddress, time: int) -> list[OpenBlock]:
        ready = [self._take(image)] if image in self._open else []
        if len(self._open) >= self._limit:
            ready.append(self._take(next(iter(self._open))))
        memory = self._recycled.array(self._layout.block_shape, self._layout.dtype)
        self._open[image] = OpenBlock(self._layout, image, time, memory)
        return ready

    def _take(self, image: ImageAddress) -> OpenBlock:
        block = self._open.pop(image)
        self._done[image].add(block.time)
        return block

    def _check(self, tag: FrameTag, frame: Block | None) -> None:
        layout = self._layout
        for name, size in self._sizes.items():
            if getattr(tag, name) >= size:
                raise DataError(f"frame at {tag}: the recording was planned with {name} below {size}")
        done = self._done[tag.image]
        if tag.time > len(done) + MAX_HOLES:
            raise DataError(f"frame at {tag}: only {len(done)} series came before; time points count from 0, by 1")
        if tag.time in done:
            raise DataError(
                f"frame at {tag}: its series was finished already (another time point began, or all frames "
                "had come); it is not stored"
            )
        if frame is not None and (frame.shape != layout.frame or frame.dtype != layout.dtype):
            raise DataError(
                f"frame at {tag}: is {frame.shape} {frame.dtype}, the recording was started with "
                f"{layout.frame} {layout.dtype}; stop it before ROI, binning or bit depth change"
            )
