"""Restoration: any frame, intensities kept, exact in the light, frames and residuals that fit, live as offline."""

import pytest
import torch

from rdl_live.errors import ConfigError, DataError
from rdl_live.optics import Microscope, Reconstructor, evenly_spaced, expose, to_photons
from rdl_live.restore import LiveRestorer, Restorer, Unit, standardized_residual
from rdl_live.restore import live as live_module
from rdl_live.restore.ranges import check_microscope
from rdl_models import ObjectPlane, ObjectPlaneConfig, Span, Weights, shipped

from .conftest import Recorder, card

needs_weights = pytest.mark.skipif("rdl" not in shipped(), reason="the shipped weights are not there")


def nrmse(image: torch.Tensor, truth: torch.Tensor, border: int = 12) -> float:
    inner = (slice(border, -border),) * 2
    return float((image[inner] - truth[inner]).square().mean().sqrt() / truth[inner].std(correction=0))


@pytest.mark.parametrize("shape", [(64, 64), (40, 72), (37, 51)])
def test_any_frame_gives_an_image_of_twice_its_pixels(
    scope: Microscope, record: Recorder, wrong: Weights, shape: tuple[int, int]
) -> None:
    series = record(50.0, shape)
    restorer = Restorer(scope, series.patterns, shape, wrong)
    image = restorer(series.adu)
    assert image.shape == (2 * shape[0], 2 * shape[1])
    assert image.dtype == torch.float32
    assert restorer.raw(series.adu).shape == series.adu.shape
    assert torch.equal(restorer(series.adu), image)


def test_time_points_are_restored_one_by_one(scope: Microscope, record: Recorder, wrong: Weights) -> None:
    series = record(50.0)
    restorer = Restorer(scope, series.patterns, (64, 64), wrong)
    one = restorer(series.adu)
    two = restorer(torch.stack([series.adu, series.adu]))
    assert two.shape == (2, 128, 128)
    assert torch.allclose(two[1], one, atol=1e-4)


@pytest.mark.parametrize("photons", [3.0, 100.0])
def test_a_flat_field_keeps_its_photons(scope: Microscope, wrong: Weights, photons: float) -> None:
    patterns = evenly_spaced(0.2, modulation=(0.7,))
    expected = torch.full((3, 3, 64, 64), photons)
    adu = expose(expected, scope.camera, generator=torch.Generator().manual_seed(4))
    image = Restorer(scope, patterns, (64, 64), wrong)(adu)
    light = to_photons(adu, scope.camera).mean()
    assert float(image.mean()) == pytest.approx(float(light), rel=0.02)


def test_in_bright_light_even_a_wrong_network_does_no_harm(scope: Microscope, record: Recorder, wrong: Weights) -> None:
    series = record(1e4)
    plain = nrmse(Reconstructor(scope, series.patterns, (64, 64))(series.adu), series.truth)
    restored = nrmse(Restorer(scope, series.patterns, (64, 64), wrong)(series.adu), series.truth)
    assert restored < 1.05 * plain


def test_an_untrained_network_is_the_wiener_reconstruction(
    scope: Microscope, record: Recorder, untrained: Weights
) -> None:
    series = record(20.0)
    plain = Reconstructor(scope, series.patterns, (64, 64))(series.adu)
    restored = Restorer(scope, series.patterns, (64, 64), untrained)(series.adu)
    assert (restored - plain).std() < 0.1 * (plain - series.truth).std()


def test_the_denoised_frames_are_what_the_camera_would_have_seen(
    scope: Microscope, record: Recorder, untrained: Weights
) -> None:
    series = record(2000.0)
    restorer = Restorer(scope, series.patterns, (64, 64), untrained)
    denoised = restorer.raw(series.adu)
    inner = (..., slice(8, -8), slice(8, -8))
    error = (denoised - series.expected)[inner].std() / series.expected[inner].std()
    assert error < 0.05
    # Nine frames say more than one: less noise is left than the camera's.
    raw = to_photons(series.adu, scope.camera)
    assert (denoised - series.expected)[inner].std() < 0.8 * (raw - series.expected)[inner].std()


def test_the_residual_is_noise_of_unit_variance(scope: Microscope, record: Recorder, untrained: Weights) -> None:
    series = record(100.0)
    residual = Restorer(scope, series.patterns, (64, 64), untrained).residual(series.adu)[..., 8:-8, 8:-8]
    assert abs(float(residual.mean())) < 0.05
    # Some of the noise is in the restored image, so a little less than 1 is left.
    assert 0.7 < float(residual.var()) < 1.1


def test_the_residual_shows_a_wrong_pattern(scope: Microscope, record: Recorder, untrained: Weights) -> None:
    series = record(300.0)
    crooked = series.patterns[0].replace(phases_rad=tuple(p + 0.7 for p in series.patterns[0].phases_rad))
    patterns = series.patterns.replace(patterns=(crooked, *series.patterns.patterns[1:]))
    right, false = (
        Restorer(scope, one, (64, 64), untrained).residual(series.adu) for one in (series.patterns, patterns)
    )
    assert false[0, ..., 8:-8, 8:-8].var() > 1.5 * right[0, ..., 8:-8, 8:-8].var()


def test_the_standardized_residual_of_poisson_noise_is_standard() -> None:
    expected = torch.rand(100, 100) * 50 + 2
    raw = torch.poisson(expected, generator=torch.Generator().manual_seed(1))
    raw = raw + 2 * torch.randn(raw.shape, generator=torch.Generator().manual_seed(2))
    assert float(standardized_residual(raw, expected, 2.0).var()) == pytest.approx(1.0, abs=0.05)
    assert torch.isfinite(standardized_residual(torch.ones(3, 3), torch.zeros(3, 3))).all()


def test_orientations_that_are_not_trusted_count_as_widefield(
    scope: Microscope, record: Recorder, untrained: Weights
) -> None:
    series = record(200.0)
    doubtful = tuple(one.replace(trusted=index == 0) for index, one in enumerate(series.patterns))
    restorer = Restorer(scope, series.patterns.replace(patterns=doubtful), (64, 64), untrained)
    assert torch.isfinite(restorer(series.adu)).all()
    assert torch.isfinite(restorer.raw(series.adu)).all()


def test_the_damping_follows_the_light(scope: Microscope, record: Recorder, untrained: Weights) -> None:
    bright, dim = record(400.0), record(4.0)
    once = Restorer(scope, bright.patterns, (64, 64), untrained)
    once(bright.adu)
    followed = nrmse(once(dim.adu), dim.truth)
    once.calibrate(dim.adu)
    assert followed < 1.15 * nrmse(once(dim.adu), dim.truth)


def test_what_does_not_fit_is_refused(scope: Microscope, record: Recorder, untrained: Weights) -> None:
    patterns = record(50.0).patterns
    restorer = Restorer(scope, patterns, (64, 64), untrained)
    with pytest.raises(DataError, match=r"\(32, 32\).*\(64, 64\)"):
        restorer(torch.zeros(3, 3, 32, 32))
    with pytest.raises(ConfigError, match="angles"):
        Restorer(scope, patterns.replace(patterns=patterns.patterns[:2]), (64, 64), untrained)
    with pytest.raises(ConfigError, match="shape"):
        Restorer(scope, patterns, (3, 64, 64), untrained)
    with pytest.raises(ConfigError, match="magic"):
        Restorer(scope, patterns, (64, 64), "magic")


def test_weights_for_another_microscope_are_refused_or_warned_of(scope: Microscope) -> None:
    far = card(valid={"pixel_size_um": Span(low=0.12, high=0.2)})
    with pytest.raises(ConfigError, match=r"pixel_size_um 0\.12 to 0\.2.*0\.07"):
        check_microscope(far, scope)
    nonlinear = scope.replace(pattern={"angles": 5, "phases": 5, "harmonics": 2})
    raw = card(architecture="rdl-sim", config={}, valid={"harmonics": Span(low=1, high=1)})
    with pytest.raises(ConfigError, match=r"harmonics 1 to 1.*2"):
        check_microscope(raw, nonlinear)
    # A network that sees no patterns does not care how they were separated.
    assert check_microscope(card(valid={"harmonics": Span(low=1, high=1)}), nonlinear) == []
    near = card(valid={"na": Span(low=1.45, high=1.49)})
    assert [text for text in check_microscope(near, scope) if "1.45 to 1.49" in text and "1.4" in text]
    assert check_microscope(card(), scope) == []


def test_light_beyond_the_training_is_told(scope: Microscope, record: Recorder, untrained: Weights) -> None:
    series = record(50.0)
    bright = Weights(untrained.network, card(valid={"photons": Span(low=100, high=2000)}))
    restorer = Restorer(scope, series.patterns, (64, 64), bright)
    assert restorer.warnings == []
    restorer(series.adu)
    assert len(restorer.warnings) == 1
    assert "100 to 2000" in restorer.warnings[0]


def test_live_it_is_the_same(
    scope: Microscope, record: Recorder, wrong: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    series, told = record(20.0), []
    monkeypatch.setattr("rdl_live.restore.live.load_weights", lambda *_: wrong)
    live = LiveRestorer(scope, (64, 64), "wrong", half=False, warn=told.append)
    live.check(scope.channels)
    photons = to_photons(series.adu, scope.camera)
    image = live.restore(Unit(photons, series.patterns, scope.channels[0])).sr
    offline = Restorer(scope, series.patterns, (64, 64), wrong)(series.adu)
    assert torch.allclose(image, offline, rtol=1e-3, atol=1e-2)
    assert (live.name, told) == ("test", [])
    turned = series.patterns.replace(patterns=tuple(reversed(series.patterns.patterns)))
    assert not torch.allclose(live.restore(Unit(photons, turned, scope.channels[0])).sr, image, atol=0.1)


def test_in_bfloat16_it_is_nearly_the_same(scope: Microscope, record: Recorder, wrong: Weights) -> None:
    series = record(20.0)
    full, half = (Restorer(scope, series.patterns, (64, 64), wrong, half=one)(series.adu) for one in (False, True))
    assert (half - full).std() < 0.03 * (full - series.truth).std()


@needs_weights
@pytest.mark.parametrize("kind", ["reticulum", "filaments"])
def test_the_shipped_weights_denoise(scope: Microscope, record: Recorder, kind: str) -> None:
    series = record(5.0, (128, 128), kind, seed=21)
    plain = nrmse(Reconstructor(scope, series.patterns, (128, 128))(series.adu), series.truth)
    image = Restorer(scope, series.patterns, (128, 128))(series.adu)
    assert nrmse(image, series.truth) < 0.85 * plain


@needs_weights
def test_the_shipped_weights_do_no_harm_in_bright_light(scope: Microscope, record: Recorder) -> None:
    series = record(1000.0, (128, 128), "reticulum", seed=22)
    plain = nrmse(Reconstructor(scope, series.patterns, (128, 128))(series.adu), series.truth)
    image = Restorer(scope, series.patterns, (128, 128))(series.adu)
    assert nrmse(image, series.truth) < 1.05 * plain
    truth = series.truth.flatten() - series.truth.mean()
    slope = float((truth * (image.flatten() - image.mean())).sum() / truth.square().sum())
    assert 0.97 < slope < 1.03


def test_an_image_comes_with_the_plain_one_and_its_error(scope: Microscope, record: Recorder) -> None:
    torch.manual_seed(0)
    network = ObjectPlane(ObjectPlaneConfig(width=8, blocks=1, spread=8)).eval().requires_grad_(False)
    series = record(20.0)
    restorer = Restorer(scope, series.patterns, (64, 64), Weights(network, card()))
    restored = restorer.restore(series.adu)
    assert torch.equal(restored.sr, restorer(series.adu))
    assert restorer.tells_sigma
    assert restored.sigma is not None
    assert restored.sim is not None
    assert restored.sigma.shape == restored.sim.shape == restored.sr.shape
    assert restored.sigma.min() > 0
    assert restored.guards is None
    plain = Reconstructor(scope, series.patterns, (64, 64))(series.adu)
    assert nrmse(restored.sim, plain) < 0.02


def test_weights_without_that_head_tell_no_error(scope: Microscope, record: Recorder, untrained: Weights) -> None:
    series = record(20.0)
    restorer = Restorer(scope, series.patterns, (64, 64), untrained)
    assert not restorer.tells_sigma
    assert restorer.restore(series.adu).sigma is None


@needs_weights
def test_live_the_guards_speak_at_once_and_then_now_and_again(scope: Microscope, record: Recorder) -> None:
    series = record(50.0)
    live = LiveRestorer(scope, (64, 64), "rdl")
    photons = to_photons(series.adu, scope.camera)
    first, second = (live.restore(Unit(photons, series.patterns, scope.channels[0])) for _ in range(2))
    assert first.guards is not None
    assert second.guards is first.guards
    assert first.sim is not None


@needs_weights
def test_live_no_image_but_the_first_waits_for_the_guards(
    scope: Microscope, record: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    series, other = record(50.0), record(50.0, seed=4)
    live, channel = LiveRestorer(scope, (64, 64), "rdl", half=False), scope.channels[0]
    photons = to_photons(series.adu, scope.camera)
    first = live.restore(Unit(photons, series.patterns, channel))
    assert not live.has_deferred
    monkeypatch.setattr(live_module, "GUARD_EVERY_S", 0.0)
    second = live.restore(Unit(photons, series.patterns, channel))
    assert second.guards is first.guards
    assert live.has_deferred
    photons.zero_()  # the rolling mode writes into them: the verdict is of what was restored
    live.run_deferred()
    assert not live.has_deferred
    third = live.restore(Unit(to_photons(series.adu, scope.camera), series.patterns, channel))
    assert third.guards is not first.guards
    assert third.guards is not None
    assert first.guards is not None
    assert third.guards.residual == first.guards.residual
    # Who is never idle is asked all the same, one turn later.
    fourth = live.restore(Unit(to_photons(series.adu, scope.camera), series.patterns, channel))
    assert fourth.guards is not third.guards
    # A verdict on other patterns is worth nothing.
    assert live.restore(Unit(photons, other.patterns, channel)).guards is not fourth.guards
    assert not live.has_deferred
