"""Frames on their way to the device: whole and in their places, whatever becomes of the series before."""

import numpy as np
import pytest
import torch

from rdl_live.files.recorder import FrameTag
from rdl_live.optics import Camera, to_photons
from rdl_live.stream.assembler import Assembler
from rdl_live.stream.upload import Upload, pin

SHAPE = (2, 3, 16, 20)
CAMERA = Camera(offset_adu=100.0, gain_e_per_adu=0.5)
CPU = torch.device("cpu")


def series(seed: int, dtype: type[np.generic] = np.uint16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, SHAPE).astype(dtype)


@pytest.mark.parametrize("twins", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_photons_are_those_of_the_frames(twins: bool, dtype: type[np.generic]) -> None:
    upload = Upload(CPU, SHAPE, dtype, twins=twins)
    assembler = Assembler((2, 3), SHAPE[2:], dtype=dtype, on_frame=upload.sent)
    for number in range(5):
        frames, whole = series(number, dtype), None
        for angle, phase in np.random.default_rng(number).permutation(list(np.ndindex(2, 3))):
            assert whole is None
            whole = assembler.add(frames[angle, phase], FrameTag(number, int(angle), int(phase)))
        assert whole is not None
        photons = upload.photons(whole.frames, CAMERA, None)
        assert torch.equal(photons, to_photons(torch.from_numpy(frames), CAMERA))
        assert photons.dtype == torch.float32


def test_a_series_that_was_given_up_leaves_nothing_in_the_next() -> None:
    upload = Upload(CPU, SHAPE, np.uint16, twins=True)
    assembler = Assembler((2, 3), SHAPE[2:], on_frame=upload.sent, open_series=1)
    first, second = series(1), series(2)
    for angle, phase in list(np.ndindex(2, 3))[:4]:
        assembler.add(first[angle, phase], FrameTag(0, angle, phase))
    whole = None
    for angle, phase in np.ndindex(2, 3):
        whole = assembler.add(second[angle, phase], FrameTag(1, angle, phase))
    assert whole is not None
    assert torch.equal(upload.photons(whole.frames, CAMERA, None), to_photons(torch.from_numpy(second), CAMERA))


def test_single_frames_and_buffers_of_others_are_sent_when_asked() -> None:
    upload, frame = Upload(CPU, SHAPE, np.uint16, twins=True), series(3)[0, 0]
    assert torch.equal(upload.photons(frame, CAMERA, None), to_photons(torch.from_numpy(frame), CAMERA))


def test_a_processor_needs_no_pinned_memory() -> None:
    assert not pin(series(1), CPU)
