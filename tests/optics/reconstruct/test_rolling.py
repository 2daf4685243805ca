"""Rolling, batches and number types: however the nine frames come in, the image is the same."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rdl_live.errors import DataError
from rdl_live.optics import Camera, CameraMaps, PatternSet, Reconstructor, evenly_spaced
from rdl_live.optics.reconstruct.rolling import RENEWED
from tests.optics.reconstruct.conftest import LINEAR, SCOPE, scope_for, uneven

SHAPE = (31, 38)
DOUBTFUL = PatternSet(patterns=(LINEAR[0], LINEAR[1].replace(trusted=False), LINEAR[2]))
NINE = list(itertools.product(range(3), range(3)))


def close(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= 2e-6 * other.abs().max())


ROLLING = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=0.1)
WHOLE = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=0.1)


@settings(max_examples=12)
@given(order=st.permutations(NINE))
def test_rolling_is_full(order: list[tuple[int, int]]) -> None:
    """In any order of the frames, half-way and at the end."""
    generator = torch.Generator().manual_seed(5)
    old, new = 100 * torch.rand((2, 3, 3, *SHAPE), generator=generator)
    rec = ROLLING
    rec(old)
    current = old.clone()
    for step, (angle, phase) in enumerate(order):
        image = rec.update(new[angle, phase], angle, phase)
        current[angle, phase] = new[angle, phase]
        if step == 4:
            assert close(image, WHOLE(current))
    assert close(image, WHOLE(new))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_rolling_with_a_camera(dtype: torch.dtype, rough: Callable[..., Tensor]) -> None:
    """Offset and gain, as numbers or maps; the measured damping is that of the whole series before."""
    camera = Camera(offset_adu=10, gain_e_per_adu=0.5, read_noise_e=1.0)
    scope = SCOPE.replace(camera=camera.model_dump())
    maps = CameraMaps(10 + torch.rand(SHAPE), 0.5 + 0.1 * torch.rand(SHAPE), torch.ones(SHAPE))
    series = rough(2, 3, 3, *SHAPE).clamp(max=200).to(dtype)
    for own in (None, maps):
        rec = Reconstructor(scope, LINEAR, SHAPE, maps=own)
        rec(series[0])
        for angle, phase in NINE:
            image = rec.update(series[1, angle, phase], angle, phase)
        assert close(image, rec(series[1]))


def test_rolling_five_by_five(rough: Callable[..., Tensor]) -> None:
    patterns = evenly_spaced(0.3, 5, 5, modulation=(0.8, 0.3))
    frames = rough(2, 5, 5, 24, 26)
    rec = Reconstructor(scope_for(patterns), patterns, (24, 26), wiener=0.1)
    rec(frames[0])
    for angle, phase in itertools.product(range(5), range(5)):
        image = rec.update(frames[1, angle, phase], angle, phase)
    assert close(image, rec(frames[1]))


def test_two_thousand_exchanges_leave_no_trace(rough: Callable[..., Tensor]) -> None:
    """Rounding errors do not add up; looked at most where most have been added, just before the sum is made anew."""
    generator = torch.Generator().manual_seed(8)
    current = rough(3, 3, *SHAPE)
    rec = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=0.02)
    whole = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=0.02)
    rec(current)
    for count in range(1, 2001):
        angle, phase = NINE[int(torch.randint(9, (), generator=generator))]
        current[angle, phase] = 100 * torch.rand(SHAPE, generator=generator)
        image = rec.update(current[angle, phase], angle, phase)
        if count % 97 == 0 or count % (RENEWED + 1) >= RENEWED - 1:
            assert close(image, whole(current))


@pytest.mark.parametrize("flash", [1e3, 1e6, float("inf"), float("nan")])
def test_what_is_gone_is_gone(flash: float, rough: Callable[..., Tensor]) -> None:
    """A flash, or numbers that are none, spoil the images that they are in and none after."""
    frames = rough(3, 3, *SHAPE)
    rec = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=0.05)
    wanted = rec(frames)
    spoilt = rec.update(flash * (1 + frames[0, 0]), 0, 0)
    assert not torch.isfinite(spoilt).all() or spoilt.abs().max() > 10 * wanted.abs().max()
    rec.update(frames[1, 0], 1, 0)
    assert close(rec.update(frames[0, 0], 0, 0), wanted)
    rec(flash * (1 + frames))
    for angle, phase in NINE:
        image = rec.update(frames[angle, phase], angle, phase)
    assert close(image, wanted)


def test_new_weights_count_at_once(rough: Callable[..., Tensor]) -> None:
    """Those that `calibrate` measures on a series that holds a structure, while another one of noise rolls."""
    first, second = rough(2, 3, 3, *SHAPE)
    rec, whole = Reconstructor(SCOPE, LINEAR, SHAPE), Reconstructor(SCOPE, LINEAR, SHAPE)
    before = rec(first)
    rec.update(second[0, 0], 0, 0)
    structured = second.clone()
    structured[..., 10:16, 12:15] += 1000
    for one in (rec, whole):
        one.calibrate(structured)
    current = first.clone()
    current[0, 0], current[2, 1] = second[0, 0], second[2, 1]
    image = rec.update(second[2, 1], 2, 1)
    assert close(image, whole(current))
    assert not close(whole(first), before)


@pytest.mark.parametrize("patterns", [uneven(LINEAR), DOUBTFUL], ids=["uneven", "one untrusted"])
def test_rolling_uneven_light(patterns: PatternSet, rough: Callable[..., Tensor]) -> None:
    """Frames with an offset, other light in each, an orientation that has no sidebands: the same image after each."""
    scope = SCOPE.replace(camera=Camera(offset_adu=100, gain_e_per_adu=0.5).model_dump())
    dark, bright = rough(3, 3, *SHAPE) + 100, 3 * rough(3, 3, *SHAPE, seed=1) + 100
    rec, whole = (Reconstructor(scope, patterns, SHAPE, wiener=0.05) for _ in range(2))
    rec(dark)
    for angle, phase in NINE:
        dark[angle, phase] = bright[angle, phase]
        assert close(rec.update(bright[angle, phase], angle, phase), whole(dark))


def test_light_is_neither_made_nor_lost() -> None:
    """Frames of 80 photons take the place of those of 50, one by one; then all of the image is at 80."""
    rec = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=0.05)
    flat = rec(torch.full((3, 3, *SHAPE), 50.0))
    assert (flat - 50).abs().max() < 0.05
    for done, (angle, phase) in enumerate(NINE, start=1):
        image = rec.update(torch.full(SHAPE, 80.0), angle, phase)
        assert image.mean().item() == pytest.approx(50 + 30 * done / 9, rel=1e-3)
    assert (image - 80).abs().max() < 0.08


def test_the_callers_frames_stay_theirs(rough: Callable[..., Tensor]) -> None:
    """Neither is an input changed, nor an image that was handed out, nor does a reused buffer leak in."""
    first, second = rough(2, 3, 3, *SHAPE)
    kept = first.clone()
    rec = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=0.1)
    image = rec(first)
    copy = image.clone()
    buffer = second[0, 0].clone()
    rec.update(buffer, 0, 0)
    buffer.zero_()
    rolled = rec.update(second[1, 1], 1, 1)
    assert torch.equal(first, kept)
    assert torch.equal(image, copy)
    kept[0, 0], kept[1, 1] = second[0, 0], second[1, 1]
    assert close(rolled, WHOLE(kept))
    first.zero_()
    kept[2, 2] = second[2, 2]
    assert close(rec.update(second[2, 2], 2, 2), WHOLE(kept))


def test_rolling_after_a_batch_goes_on_from_its_last_series(rough: Callable[..., Tensor]) -> None:
    film = rough(3, 3, 3, *SHAPE)
    rec = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=0.1)
    rec(film)
    assert close(rec.update(film[2, 1, 0], 1, 0), rec(film[2]))


def test_rolling_refuses_what_does_not_fit(rough: Callable[..., Tensor]) -> None:
    frames = rough(3, 3, *SHAPE)
    rec = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=0.1)
    with pytest.raises(DataError, match="whole series first"):
        rec.update(frames[0, 0], 0, 0)
    with pytest.raises(DataError, match="whole series first"):
        Reconstructor(SCOPE, LINEAR, SHAPE).update(frames[0, 0], 0, 0)
    before = rec(frames)
    for frame, angle, phase in [
        (frames[0, 0, 1:], 0, 0),
        (frames[0], 0, 0),
        (frames[0, 0], 3, 0),
        (frames[0, 0], 0, -1),
    ]:
        with pytest.raises(DataError, match="does not fit"):
            rec.update(frame, angle, phase)
    assert close(rec.update(frames[0, 0], 0, 0), before)


@pytest.mark.parametrize("wiener", [None, 0.1])
def test_batch_is_the_loop(wiener: float | None, rough: Callable[..., Tensor]) -> None:
    film = rough(3, 3, 3, *SHAPE)
    rec = Reconstructor(SCOPE, LINEAR, SHAPE, wiener=wiener)
    images = rec(film)
    assert images.shape == (3, 2 * SHAPE[0], 2 * SHAPE[1])
    for series, image in zip(film, images, strict=True):
        assert close(rec(series), image)
    assert close(Reconstructor(SCOPE, LINEAR, SHAPE, wiener=wiener)(film[:1])[0], images[0])


NUMBERS: dict[str, Callable[[np.ndarray], np.ndarray | Tensor]] = {
    "numpy uint8": lambda a: a.astype(np.uint8),
    "numpy uint16": lambda a: a.astype(np.uint16),
    "numpy int32": lambda a: a.astype(np.int32),
    "numpy float64": lambda a: a,
    "big endian uint16": lambda a: a.astype(">u2"),
    "big endian float32": lambda a: a.astype(">f4"),
    "not contiguous": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "Fortran order": np.asfortranarray,
    "backwards": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "torch uint8": lambda a: torch.from_numpy(a).to(torch.uint8),
    "torch uint16": lambda a: torch.from_numpy(a).to(torch.uint16),
    "torch int32": lambda a: torch.from_numpy(a).to(torch.int32),
    "torch float64": torch.from_numpy,
    "torch transposed": lambda a: torch.from_numpy(a).transpose(-1, -2).contiguous().transpose(-1, -2),
}


@pytest.mark.parametrize("number", NUMBERS)
def test_number_types(number: str, rough: Callable[..., Tensor]) -> None:
    series = rough(3, 3, *SHAPE).clamp(max=255)
    wanted = Reconstructor(SCOPE, LINEAR, SHAPE)(series)
    given_ = NUMBERS[number](series.double().numpy())
    rec = Reconstructor(SCOPE, LINEAR, SHAPE)
    image = rec(given_)
    assert image.dtype == torch.float32
    assert close(image, wanted)
    assert close(rec.update(given_[1, 2], 1, 2), wanted)
