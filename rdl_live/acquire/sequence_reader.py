"""Reads the frames of a running camera sequence by the camera's own count, so that a lost frame leaves a hole."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy.typing as npt

from rdl_live.acquire.core import CAMERA_THREAD
from rdl_live.acquire.faults import asking
from rdl_live.acquire.frame_age import FrameAge
from rdl_live.acquire.thread_work import ThreadWork
from rdl_live.errors import DeviceError
from rdl_live.optics.hardware import CameraRole

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

POLL_S = 0.0005
COMPUTES_S = 30.0
"""Patience beyond the camera's time-out with a camera in Python whose thread is seen to compute: a simulated one on a
busy computer. One that waits for hardware computes not."""
LOOK_S = 0.5


class Arrival(NamedTuple):
    """A frame of the sequence, or the place where one is missing."""

    number: int
    frame: npt.NDArray[Any] | None
    tags: Mapping[str, Any]
    read_s: float
    """When it was read, or missed, by `time.perf_counter` [s]."""


def read_sequence(
    core: "CMMCorePlus",
    camera: CameraRole,
    count: int,
    frame_s: float,
    stopped: Callable[[], bool],
    repeated: Callable[[int], None] = lambda _: None,
) -> Iterator[Arrival]:
    """Go through a sequence of `count` frames in order; each index comes once, as a frame or as a hole.

    Without `frame_index_tag` nobody knows which frame of a short sequence is missing: then all are holes.

    Args:
        core: has started the sequence.
        camera: its role.
        count: frames asked for.
        frame_s: time of one frame [s].
        stopped: whether to give up, asked while nothing comes.
        repeated: called with the index of a frame that came twice running; the second one is left out.

    Raises:
        DeviceError: the camera stalls, its buffer overflowed, its count runs backwards, or a frame is of an earlier
            sequence.
    """
    arrivals = _arrivals(core, camera, frame_s, stopped)
    if camera.frame_index_tag is None:
        frames = list(arrivals)
        if len(frames) != count:
            if not stopped():
                yield from (_hole(i) for i in range(count))
            return
        yield from (Arrival(i, *arrival) for i, arrival in enumerate(frames))
        return
    due = 0
    for frame, tags, read_s in arrivals:
        index = _counted(camera, tags)
        if due and index == due - 1:
            repeated(index)
            continue
        if index < due or index >= count:
            raise DeviceError(
                f"{camera.device}: sent a frame with {camera.frame_index_tag} = {index} where {due} to {count - 1} can "
                "come; check hardware.camera.frame_index_tag, which must count exposures from 0 in each sequence"
            )
        yield from (_hole(i) for i in range(due, index))
        yield Arrival(index, frame, tags, read_s)
        due = index + 1
        if due == count:
            return
    if not stopped():
        yield from (_hole(i) for i in range(due, count))


def _hole(number: int) -> Arrival:
    return Arrival(number, None, {}, time.perf_counter())


def _arrivals(
    core: "CMMCorePlus", camera: CameraRole, frame_s: float, stopped: Callable[[], bool]
) -> Iterator[tuple[npt.NDArray[Any], Mapping[str, Any], float]]:
    """Yield what comes and when it was read, until the camera has finished, or `stopped`."""
    patience_s = camera.timeout_s + frame_s
    deadline = time.monotonic() + patience_s
    came, age = 0, FrameAge(camera)
    while True:
        if core.getRemainingImageCount():
            with asking(camera.device, "fetching a frame"):
                frame, tags = core.popNextImageAndMD(fix=False)
            came += 1
            deadline = time.monotonic() + patience_s
            kept = dict(tags)
            age.check(kept)
            yield frame, kept, time.perf_counter()
        elif stopped():
            return
        elif not core.isSequenceRunning():
            if core.getRemainingImageCount():
                continue  # it came between the two questions
            break
        elif time.monotonic() > deadline:
            if time.monotonic() < deadline + COMPUTES_S and _computes():
                continue
            raise DeviceError(
                f"{camera.device}: has stalled: no frame for {patience_s:.1f} s after frame {came} of the sequence; "
                "check camera and trigger, or raise hardware.camera.timeout_s"
            )
        else:
            time.sleep(POLL_S)
    if core.isBufferOverflowed():
        raise DeviceError(
            f"{camera.device}: the core's buffer overflowed after frame {came} of the sequence; record to a faster "
            "disk, or take a smaller region"
        )


def _computes() -> bool:
    """Look for a moment whether the thread of a camera in Python computes."""
    works = [ThreadWork(one) for one in threading.enumerate() if type(one).__name__ == CAMERA_THREAD]
    time.sleep(LOOK_S if works else 0.0)
    return any(work.goes_on() for work in works)


def _counted(camera: CameraRole, tags: Mapping[str, Any]) -> int:
    try:
        return int(tags[camera.frame_index_tag or ""])
    except (KeyError, ValueError) as error:
        raise DeviceError(
            f"{camera.device}: its frames have no whole number under {camera.frame_index_tag!r}; correct "
            f"hardware.camera.frame_index_tag (they have {', '.join(map(str, tags))})"
        ) from error
