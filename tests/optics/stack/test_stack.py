"""3D-SIM: OTF against an independent PSF, patterns and error on simulated stacks, intensities."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from rdl_live.errors import ConfigError, DataError
from rdl_live.optics.microscope import Camera, Channel, Microscope, Optics, PatternGeometry
from rdl_live.optics.noise import expose
from rdl_live.optics.stack import axial_frequency, reconstruct_stack
from rdl_live.optics.stack.transfer import MeasuredBands, StackOtf, defocused_otf
from rdl_live.specimen.stack import SimulatedStack, simulate_stack
from rdl_live.specimen.stack_psf import psf_spectra

OPTICS = {"na": 1.42, "index": 1.515, "emission_um": 0.528}
STEP = 0.125


@pytest.fixture(scope="module")
def scope() -> Microscope:
    return Microscope(
        name="three beams",
        optics=Optics(na=1.42, pixel_size_um=0.08, immersion_index=1.515),
        channels=(Channel(name="488", excitation_nm=488, emission_nm=528),),
        pattern=PatternGeometry(angles=3, phases=5, harmonics=2),
        camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.0),
    )


@pytest.fixture(scope="module")
def stack(scope: Microscope) -> SimulatedStack:
    return simulate_stack(scope, shape=(16, 64, 64), clear_um=0.5, photons=300, seed=1, axial_deg=20)


def apart(image: Tensor, truth: Tensor) -> float:
    """Return the error relative to the truth's variation, after the best factor and offset."""
    a, b = (one - one.mean() for one in (image[2:-2, 12:-12, 12:-12], truth[2:-2, 12:-12, 12:-12]))
    factor = (a * b).sum() / (a * a).sum()
    return float((factor * a - b).norm() / b.norm())


def test_otf_of_the_pupil_is_the_transform_of_the_psf() -> None:
    u = np.array([0.0, 0.25, 0.5])
    seen = psf_spectra((256, 256), 0.04, u, **OPTICS)[:, 0]
    k = torch.fft.rfftfreq(256, 0.04, dtype=torch.float64)
    inside = (k > 0.3) & (k < 5.3)
    computed = defocused_otf(k[inside], torch.from_numpy(u), **OPTICS).T
    # The grid holds not quite all light of the PSF's rings.
    np.testing.assert_allclose(computed, seen[:, inside], atol=0.02)


def test_axial_wave() -> None:
    sine = 0.488 / (1.515 * 0.41)
    assert axial_frequency(0.41, 0.488, 1.515) == pytest.approx(1.515 / 0.488 * (1 - math.sqrt(1 - sine**2)))
    with pytest.raises(ConfigError, match="first harmonic"):
        axial_frequency(0.2, 0.488, 1.515)


def test_measured_otf_is_used_as_it_is(scope: Microscope) -> None:
    ideal = StackOtf.of(scope, scope.channels[0], 24, STEP, 1.18)
    k = torch.linspace(0, 6, 121, dtype=torch.float64)
    u = torch.fft.fftfreq(48, dtype=torch.float64) * 48 * STEP
    beads = torch.fft.fft(defocused_otf(k.clamp(max=5.378), u.abs(), **OPTICS), dim=1) * 7
    measured = MeasuredBands((beads,), 0.05, 1 / (48 * STEP))
    found = StackOtf.of(scope, scope.channels[0], 24, STEP, 1.18, measured)
    for order in (0, 1, 2):
        assert float((found.table(order, 0.3) - ideal.table(order, 0.3)).abs().max()) < 0.1


def test_stack_is_nearer_to_the_truth_than_its_widefield(scope: Microscope, stack: SimulatedStack) -> None:
    made = reconstruct_stack(stack.adu, scope, STEP)
    assert made.patterns.trusted
    for found, true in zip(made.patterns, stack.patterns, strict=True):
        assert math.hypot(found.kx - true.kx, found.ky - true.ky) * 64 * 0.08 < 0.05
        assert np.allclose(found.modulation, true.modulation, atol=0.08)
        assert math.degrees(found.axial_rad) == pytest.approx(20, abs=4)
    raw = stack.expected.mean(dim=(1, 2))
    widefield = raw.repeat_interleave(2, -2).repeat_interleave(2, -1)
    assert tuple(made.image.shape) == (16, 128, 128)
    assert float(made.image.mean()) == pytest.approx(float(raw.mean()), rel=0.02)
    assert apart(made.image, stack.truth) < 0.75 * apart(widefield, stack.truth)


def test_flat_stack_stays_flat(scope: Microscope) -> None:
    light = expose(torch.full((8, 3, 5, 32, 32), 400.0), scope.camera, generator=torch.Generator().manual_seed(1))
    image = reconstruct_stack(light, scope, STEP).image
    assert float(image.mean()) == pytest.approx(400, rel=0.01)
    assert float(image.mean(dim=(1, 2)).std()) < 8


def test_what_cannot_be(scope: Microscope, stack: SimulatedStack) -> None:
    with pytest.raises(DataError, match="apart"):
        reconstruct_stack(stack.adu, scope, 0.4)
    with pytest.raises(DataError, match="planes or more"):
        reconstruct_stack(stack.adu[:2], scope, STEP)
    one = scope.replace(pattern={"angles": 3, "phases": 5, "harmonics": 1})
    with pytest.raises(DataError, match="harmonics"):
        reconstruct_stack(stack.adu, one, STEP)


def test_beads_are_sharper_along_z_and_the_missing_cone_is_filled(scope: Microscope) -> None:
    beads = simulate_stack(scope, kind="beads", shape=(16, 48, 48), clear_um=0.6, photons=200, density=4, seed=2)
    made = reconstruct_stack(beads.adu, scope, STEP, known=beads.patterns)
    widefield = beads.expected.mean(dim=(1, 2)).repeat_interleave(2, -2).repeat_interleave(2, -1)
    kz = torch.fft.fftfreq(16, STEP).abs()[:, None, None]
    kx = torch.fft.fftfreq(96, 0.04)
    cone = (kz > 0.9) & (kz < 2) & (torch.hypot(kx[:, None], kx[None, :]) < 0.6)[None]

    def within(image: Tensor) -> float:
        return float(torch.fft.fftn(image).abs()[cone].norm())

    assert within(widefield) < 0.2 * within(beads.truth)
    assert within(made.image) > 0.5 * within(beads.truth)
    z, y, x = (int(one) for one in torch.nonzero(beads.truth == beads.truth.max())[0])
    assert 3 <= z < 13

    def falls(image: Tensor) -> float:
        """Return what is left three planes from a bead's, relative to it."""
        line = image[:, y, x] - image.median()
        return float((line[z - 3] + line[z + 3]) / (2 * line[z]))

    assert falls(made.image) < falls(widefield)
