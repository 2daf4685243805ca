"""Raw-frame networks: light scaled and back, frames that the patterns predict, the whole flow in a `Restorer`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rdl_live.errors import ConfigError, DataError
from rdl_live.optics import Microscope, Otf, PatternSet, Reconstructor, evenly_spaced, expose
from rdl_live.optics.reconstruct import Apodization
from rdl_live.optics.reconstruct.apodization import apodization
from rdl_live.optics.reconstruct.bands import BandTransform
from rdl_live.optics.reconstruct.plan import Geometry, build_geometry
from rdl_live.restore import LiveRestorer, Restorer, Unit
from rdl_live.restore.evidence import Evidence, measured
from rdl_live.restore.generated import GeneratedFrames
from rdl_live.restore.raw_frames import RawFrames
from rdl_live.restore.stabilize import NOISE, photons_of, stabilized
from rdl_live.specimen import SimulatedSeries
from rdl_models import RdlSim, RdlSimConfig, Span, Weights, build, save_weights

from .conftest import card

Recorder = Callable[..., SimulatedSeries]
CONFIG = RdlSimConfig(
    width=8,
    generated_groups=1,
    noisy_groups=1,
    trunk_groups=1,
    blocks=1,
    fnsm=True,
    cutoff=1.0,
    relative=True,
    residual=True,
)


def made(*, lively: bool = False, **changes: object) -> Weights:
    """Weights that give the generated frames back, or something else where `lively`."""
    torch.manual_seed(2)
    config = RdlSimConfig(**{**vars(CONFIG), **changes})
    network = RdlSim(config)
    if lively:
        torch.nn.init.normal_(network.last.weight, std=0.02)
    valid = {"phases": Span(low=config.phases, high=config.phases), "pixel_size_um": Span(low=0.05, high=0.085)}
    return Weights(network.eval().requires_grad_(False), card(architecture="rdl-sim", config=vars(config), valid=valid))


def nrmse(image: torch.Tensor, truth: torch.Tensor) -> float:
    return float((image - truth).norm() / (truth - truth.mean()).norm())


def seen(scope: Microscope, series: SimulatedSeries) -> tuple[Geometry, torch.Tensor, torch.Tensor, Evidence]:
    """Return geometry, target, photons (1, A, P, y, x) and evidence of a series."""
    adu = series.adu.to(torch.float32)[None]
    geometry = build_geometry(
        Otf.of(scope), series.patterns, (adu.shape[-2], adu.shape[-1]), factor=scope.pattern.sr_factor
    )
    transform = BandTransform(geometry, scope.camera, None)
    photons, read = transform.photons(adu), scope.camera.read_noise_e
    target = apodization(Apodization.OTF, geometry.radius(), geometry.cutoff)
    return geometry, target, photons, measured(transform, geometry, target, adu, photons, read)


@pytest.mark.parametrize("mean", [0.5, 20.0, 2000.0])
def test_photons_come_back_from_the_scale_of_equal_noise(mean: float) -> None:
    photons = torch.linspace(0, 5 * mean, 50)
    for read in (0.0, 2.0):
        scaled = stabilized(photons, torch.tensor(mean), read)
        torch.testing.assert_close(photons_of(scaled, torch.tensor(mean), read), photons, rtol=1e-4, atol=1e-3 * mean)


@pytest.mark.parametrize("light", [3.0, 30.0, 1000.0])
def test_noise_is_the_same_at_all_light_levels(light: float) -> None:
    generator = torch.Generator().manual_seed(1)
    counts = torch.poisson(torch.full((40_000,), light), generator=generator)
    noisy = counts + 1.5 * torch.randn(40_000, generator=generator)
    assert float(stabilized(noisy, torch.tensor(light), 1.5**2).std()) == pytest.approx(NOISE, rel=0.1)


def test_the_patterns_predict_the_frames(scope: Microscope, record: Recorder) -> None:
    series = record(3000.0, (96, 96))
    geometry, target, _, evidence = seen(scope, series)
    inner = (..., slice(12, -12), slice(12, -12))
    errors = {}
    for grid in (1, 2):
        generated = GeneratedFrames(geometry, series.patterns, target, grid=grid)(evidence.wiener())[0]
        errors[grid] = nrmse(generated[inner], series.expected[inner])
    # What lies beyond the raw Nyquist frequency comes down with the pattern; the 1x grid has lost it.
    assert errors[2] < 0.06
    assert errors[1] > 1.5 * errors[2]


def test_the_estimated_depth_is_used(scope: Microscope, record: Recorder) -> None:
    series = record(3000.0)
    geometry, target, _, evidence = seen(scope, series)
    flat = PatternSet(patterns=tuple(one.replace(trusted=False) for one in series.patterns))
    frames = GeneratedFrames(geometry, flat, target)(evidence.wiener())[0]
    # Without a pattern all phases of an orientation are alike but for their brightness.
    relative = frames / frames.mean(dim=(-2, -1), keepdim=True)
    torch.testing.assert_close(relative[:, 0], relative[:, 1], atol=1e-3, rtol=1e-3)


def test_an_untrained_network_leaves_the_wiener_image(scope: Microscope, record: Recorder) -> None:
    series = record(20.0)
    plain = Reconstructor(scope, series.patterns, (64, 64))(series.adu)
    image = Restorer(scope, series.patterns, (64, 64), made())(series.adu)
    # At the rim frames of a network have to be continued as if they had been recorded.
    inner = (slice(24, -24), slice(24, -24))
    assert nrmse(image[inner], series.truth[inner]) < 1.1 * nrmse(plain[inner], series.truth[inner])
    assert float(image.mean()) == pytest.approx(float(plain.mean()), rel=5e-3)


def test_a_network_that_makes_things_up_is_overruled_in_bright_light(scope: Microscope, record: Recorder) -> None:
    series = record(3000.0)
    plain = nrmse(Reconstructor(scope, series.patterns, (64, 64))(series.adu), series.truth)
    restorer = Restorer(scope, series.patterns, (64, 64), made(lively=True))
    assert nrmse(restorer(series.adu), series.truth) < 1.1 * plain
    restored = restorer.restore(series.adu, guards=True)
    assert restored.guards is not None
    assert restored.sigma is None
    assert restorer.raw(series.adu).shape == series.adu.shape


@pytest.mark.parametrize("shape", [(48, 80), (37, 51)])
def test_frames_of_any_size(scope: Microscope, record: Recorder, shape: tuple[int, int]) -> None:
    series = record(50.0, shape)
    image = Restorer(scope, series.patterns, shape, made(lively=True))(series.adu)
    assert image.shape == (2 * shape[0], 2 * shape[1])
    assert bool(torch.isfinite(image).all())


def test_half_precision_is_for_the_network_alone(scope: Microscope, record: Recorder) -> None:
    series = record(20.0)
    whole, half = (
        Restorer(scope, series.patterns, (64, 64), made(lively=True), half=half)(series.adu) for half in (False, True)
    )
    assert not torch.equal(whole, half)
    assert nrmse(half, whole) < 0.02


@pytest.mark.parametrize("architecture", ["dfcan", "rcan3d"])
def test_weights_for_something_else_are_refused_with_what_they_are_for(
    scope: Microscope, record: Recorder, architecture: str
) -> None:
    other = Weights(build(architecture, {}), card(architecture=architecture, valid={}))
    with pytest.raises(ConfigError, match=rf"{architecture}.*do not denoise SIM series\. It "):
        Restorer(scope, record(20.0).patterns, (64, 64), other)


def test_tiles_show_no_seams(scope: Microscope, record: Recorder) -> None:
    series = record(20.0, (96, 80))
    geometry, target, photons, evidence = seen(scope, series)
    network = made(lively=True).network
    assert isinstance(network, RdlSim)
    whole, tiled = (
        RawFrames(network, geometry, series.patterns, target, tile=tile).denoised(photons, evidence.wiener())
        for tile in (200, 32)
    )
    changed = (whole - photons).abs().mean()
    assert float((whole - tiled).abs().mean()) < 0.05 * float(changed)
    step = (whole - tiled)[..., 1:, :] - (whole - tiled)[..., :-1, :]
    at_edges, elsewhere = step[..., [31, 63], :].abs().mean(), step.abs().mean()
    assert float(at_edges) < 3 * float(elsewhere) + 1e-5


def test_a_better_prior_makes_better_frames(scope: Microscope, record: Recorder) -> None:
    dim, bright = record(5.0), record(500.0)
    network = made().network
    assert isinstance(network, RdlSim)
    geometry, target, photons, evidence = seen(scope, dim)
    better = seen(scope, bright)[3].wiener() / 100
    frames = RawFrames(network, geometry, dim.patterns, target, read_variance=1.0)
    errors = [nrmse(frames.denoised(photons, prior)[0], dim.expected) for prior in (evidence.wiener(), better)]
    assert errors[1] < 0.8 * errors[0]


def test_a_time_lapse_of_what_does_not_move_gets_better(scope: Microscope, record: Recorder) -> None:
    series = record(5.0)
    restorer = Restorer(scope, series.patterns, (64, 64), made())
    memory = restorer.memory(8)
    generator = torch.Generator().manual_seed(5)
    errors = []
    for _ in range(6):
        adu = expose(series.expected, scope.camera, generator=generator)
        errors.append(nrmse(restorer.restore(adu, memory=memory).sr, series.truth))
    assert errors[-1] < 0.9 * errors[0]


def test_weights_for_other_phases_are_refused_with_both_values(scope: Microscope) -> None:
    five = scope.replace(pattern={"angles": 5, "phases": 5})
    patterns = evenly_spaced(0.2, 5, 5)
    with pytest.raises(ConfigError, match=r"phases 3 to 3.* has 5"):
        Restorer(five, patterns, (64, 64), made())
    # A card that says nothing of phases does not help either.
    silent = made()
    with pytest.raises(ConfigError, match=r"denoises 3 phases.*has 5"):
        Restorer(five, patterns, (64, 64), Weights(silent.network, card(architecture="rdl-sim", valid={})))


def test_weights_for_another_pixel_are_refused_with_both_values(scope: Microscope, record: Recorder) -> None:
    coarse = scope.replace(optics={"na": 1.4, "pixel_size_um": 0.16})
    with pytest.raises(ConfigError, match=r"0\.05 to 0\.085.*0\.16"):
        Restorer(coarse, record(20.0).patterns, (64, 64), made())


def test_live_and_offline_are_the_same(scope: Microscope, record: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    series, weights = record(20.0), made(lively=True)
    monkeypatch.setattr("rdl_live.restore.live.load_weights", lambda *_: weights)
    live = LiveRestorer(scope, (64, 64), "mine", half=False)
    photons = (series.adu.to(torch.float32) - 100) * 0.5
    image = live.restore(Unit(photons, series.patterns, scope.channels[0])).sr
    offline = Restorer(scope, series.patterns, (64, 64), weights)(series.adu)
    np.testing.assert_allclose(image, offline, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("damage", ["truncated", "pickled", "poisoned"])
def test_a_bad_file_leaves_the_model_in_use_as_it_is(
    scope: Microscope, record: Recorder, tmp_path: Path, damage: str
) -> None:
    series, weights, file = record(20.0), made(lively=True), tmp_path / "w.safetensors"
    save_weights(file, weights.network, weights.card)
    live = LiveRestorer(scope, (64, 64), str(file), half=False)
    photons = (series.adu.to(torch.float32) - 100) * 0.5
    before = live.restore(Unit(photons, series.patterns, scope.channels[0])).sr
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-10])
    elif damage == "pickled":
        torch.save(weights.network.state_dict(), file)
    else:
        poisoned = made(lively=True).network
        poisoned.get_parameter("last.weight").data[0, 0, 0, 0] = float("nan")
        save_weights(file, poisoned, weights.card, overwrite=True)
    with pytest.raises(DataError, match=r"w\.safetensors"):
        LiveRestorer(scope, (64, 64), str(file), half=False)
    assert torch.equal(live.restore(Unit(photons, series.patterns, scope.channels[0])).sr, before)
