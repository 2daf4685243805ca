"""The simulated z-stacks: reproducible, of the light that was asked for, within the OTF's support, moving as told."""

import math

import pytest
import torch

from rdl_live.optics import Camera, Channel, Microscope, Optics
from rdl_live.specimen import simulate_volume

SCOPE = Microscope(
    name="sheet",
    optics=Optics(na=1.1, pixel_size_um=0.1),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
    camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5),
)


def test_the_same_settings_give_the_same_stacks_with_the_light_asked_for() -> None:
    one, other = (simulate_volume(SCOPE, shape=(8, 32, 32), photons=7.0, seed=2) for _ in range(2))
    assert torch.equal(one.volume(3).adu, other.volume(3).adu)
    stack = one.volume(0)
    assert stack.adu.shape == stack.expected.shape == (8, 32, 32)
    assert float(stack.expected.mean()) == pytest.approx(7.0, rel=0.01)
    noise = (stack.adu.float() - 100) * 0.5 - stack.expected
    assert float(noise.var()) == pytest.approx(7.0 + 1.5**2, rel=0.06)


def test_nothing_lies_beyond_the_cut_off() -> None:
    stack = simulate_volume(SCOPE, shape=(4, 64, 64), background=0.0).volume(0).expected
    window = torch.hann_window(64, periodic=False)
    spectrum = torch.fft.rfft2(stack * window[:, None] * window).abs().square()
    k = torch.hypot(torch.fft.fftfreq(64, 0.1)[:, None], torch.fft.rfftfreq(64, 0.1))
    beyond = k > 1.1 * SCOPE.cutoff()
    assert float(spectrum[:, beyond].sum()) < 1e-6 * float(spectrum.sum())


def test_light_fades_and_structures_move() -> None:
    fading = simulate_volume(SCOPE, shape=(4, 32, 32), speed_um_s=0.0, bleach_time_s=5.0)
    first, later = (fading.volume(time).expected for time in (0, 5))
    torch.testing.assert_close(later, first * math.exp(-1))
    moving = simulate_volume(SCOPE, shape=(4, 32, 32), speed_um_s=0.1)
    still, near, far = (moving.volume(time).expected for time in (0, 1, 4))
    assert 0 < float((near - still).square().mean()) < 0.5 * float((far - still).square().mean())
