"""The benchmark: its references hold what they promise, and the harness runs. It never asserts times."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import mix as mixing
from benchmarks.__main__ import main
from benchmarks.card import measure_card, measure_small_card
from benchmarks.grids import doubled, shifted
from benchmarks.memory import measure as measure_memory
from benchmarks.phasors import Eye, Points, ideal, seen
from benchmarks.rates import Rate, rate
from benchmarks.real_light import GAIN, OFFSET_ADU, record, thinned
from benchmarks.scene import UPSAMPLE, make_scene, microscope
from benchmarks.score import central, filtered_nrmse, fitted, nrmse, pattern_errors
from benchmarks.textbook import best_textbook, textbook_wiener
from benchmarks.timing import interleaved
from rdl_live.optics import ForwardModel, Imaging, Otf, PatternSet, evenly_spaced, sr_target
from rdl_live.specimen.splat import splat
from rdl_models import load_weights, save_weights

SIZE = 96


def noise_free(patterns: PatternSet) -> tuple[np.ndarray, np.ndarray, Otf]:
    """Return (photons, truth, OTF) of random points without noise."""
    scope = microscope()
    otf = Otf(scope.cutoff(), scope.optics.pixel_size_um)
    random = np.random.default_rng(5)
    factor = 1 + patterns.harmonics
    upsample = UPSAMPLE if factor == 2 else 2 * factor
    fine = 1.0 + 200 * (random.random((upsample * SIZE, upsample * SIZE)) > 0.998)
    image = torch.from_numpy(fine).float()
    frames = ForwardModel(otf, patterns, (SIZE, SIZE), upsample=upsample).forward(image)
    truth = sr_target(image, otf, patterns, upsample=upsample, sr_factor=factor)
    return frames.double().numpy(), truth.double().numpy(), otf


CASES = {
    "3 x 3": evenly_spaced(0.2, first_angle_deg=17, modulation=(0.8,), first_phase_rad=0.4),
    "5 x 5, two harmonics": evenly_spaced(0.4, 5, 5, first_angle_deg=5, modulation=(0.9, 0.5), first_phase_rad=1.0),
    "unequal brightness": PatternSet(
        patterns=tuple(
            pattern.replace(intensity=(1.1, 0.9, 1.0))
            for pattern in evenly_spaced(0.21, first_angle_deg=80, modulation=(0.6,))
        )
    ),
}


@pytest.mark.parametrize("patterns", CASES.values(), ids=CASES.keys())
def test_textbook_recovers_the_target_without_noise(patterns: PatternSet) -> None:
    photons, truth, otf = noise_free(patterns)
    assert nrmse(textbook_wiener(photons, otf, patterns, w=1e-6), truth) < 0.02


def test_textbook_needs_the_true_pattern() -> None:
    patterns = CASES["3 x 3"]
    photons, truth, otf = noise_free(patterns)
    wrong = PatternSet(patterns=tuple(pattern.replace(kx=pattern.kx + 0.1) for pattern in patterns))
    assert nrmse(textbook_wiener(photons, otf, wrong, w=1e-4), truth) > 0.1


def test_textbook_is_linear_and_keeps_the_mean() -> None:
    patterns = CASES["3 x 3"]
    photons, _, otf = noise_free(patterns)
    image = textbook_wiener(photons, otf, patterns, w=0.01)
    assert image.shape == (2 * SIZE, 2 * SIZE)
    assert image.mean() == pytest.approx(photons.mean(), rel=0.01)
    np.testing.assert_allclose(textbook_wiener(3 * photons, otf, patterns, w=0.01), 3 * image, atol=1e-9 * image.max())


def test_best_textbook_beats_its_neighbours() -> None:
    scene = make_scene(SIZE, photons=50)
    truth = scene.truth.astype(np.float64)
    _, w, error = best_textbook(scene.photons, scene.otf, scene.patterns, truth)
    for other in (w / 3, w * 3):
        assert error < nrmse(textbook_wiener(scene.photons, scene.otf, scene.patterns, other), truth)
    assert error < nrmse(doubled(scene.photons.mean(axis=(0, 1))).real, truth)


def test_scene_is_what_it_says() -> None:
    scene = make_scene(64, photons=100, seed=3)
    assert scene.adu.shape == (3, 3, 64, 64)
    assert scene.truth.shape == (128, 128)
    assert scene.truth.mean() == pytest.approx(scene.photons.mean(), rel=0.02)
    np.testing.assert_array_equal(scene.adu, make_scene(64, photons=100, seed=3).adu)
    assert not np.array_equal(scene.adu, make_scene(64, photons=100, seed=4).adu)


def test_scene_refuses_to_saturate() -> None:
    with pytest.raises(ValueError, match="saturate"):
        make_scene(64, photons=1e5)


def test_doubled_keeps_the_corners() -> None:
    x = (np.arange(32) + 0.5) / 32
    fine = (np.arange(64) + 0.5) / 64
    image = np.cos(2 * np.pi * 3 * x)[None, :] * np.sin(2 * np.pi * 2 * x)[:, None]
    wanted = np.cos(2 * np.pi * 3 * fine)[None, :] * np.sin(2 * np.pi * 2 * fine)[:, None]
    np.testing.assert_allclose(doubled(image), wanted, atol=1e-12)
    np.testing.assert_allclose(shifted(image, 1.0), np.roll(image, (1, 1), (0, 1)), atol=1e-12)


def test_scores() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(10, 2, (96, 96))
    assert nrmse(truth, truth) == 0
    assert nrmse(np.full_like(truth, central(truth, 32).mean()), truth) == pytest.approx(1)
    noisy = truth + random.normal(0, 1, truth.shape)
    assert nrmse(fitted(0.25 * noisy - 3, truth), truth) == pytest.approx(nrmse(fitted(noisy, truth), truth))
    assert filtered_nrmse(0.25 * noisy, truth) == pytest.approx(filtered_nrmse(noisy, truth))
    assert 0 < filtered_nrmse(noisy, truth) < nrmse(noisy, truth)


def test_pattern_errors_see_one_step_and_no_sign() -> None:
    true = evenly_spaced(0.2, modulation=(0.8,))
    same = PatternSet(
        patterns=tuple(
            pattern.replace(kx=-pattern.kx, ky=-pattern.ky, phases_rad=tuple(-p for p in pattern.phases_rad))
            for pattern in true
        )
    )
    errors = pattern_errors(same, true, (100, 100), 0.1)
    assert (errors.k0_fft_px, errors.phase_deg, errors.modulation) == pytest.approx((0, 0, 0), abs=1e-9)
    # One FFT sample is 0.1 cycles/um; turned about the middle of the image, only the phase there stays right.
    moved = PatternSet(
        patterns=tuple(
            pattern.replace(
                kx=pattern.kx + 0.1,
                phases_rad=tuple(p - math.pi for p in pattern.phases_rad),
                modulation=(0.7,),
            )
            for pattern in true
        )
    )
    errors = pattern_errors(moved, true, (100, 100), 0.1)
    assert (errors.k0_fft_px, errors.phase_deg, errors.modulation) == pytest.approx((1, 0, -0.1), abs=1e-9)


def test_interleaved_takes_turns() -> None:
    calls: list[str] = []
    found = interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3, warm=1)
    assert calls == ["a", "b"] * 4
    assert all(0 <= timing.least_ms <= timing.median_ms for timing in found.values())
    with pytest.raises(ValueError, match="repeats"):
        interleaved({}, 0)


@pytest.fixture
def few_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what the command sets for its process, and take a terminal of 80 columns."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("COLUMNS", "80")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def complete(printed: str) -> bool:
    """Whether nothing was cut off."""
    return "…" not in printed and max(map(len, printed.splitlines())) <= 80


# What matplotlib and the peer warn of at import is theirs.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("few_threads")
def test_offline_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    assert main(["offline", "--quick", "--sizes", str(SIZE), "--json", str(out)]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found.keys() == {"machine", "measurements"}
    (measurement,) = found["measurements"]
    assert {"widefield", "textbook, true pattern"} <= set(measurement["references"])
    ours = measurement["entries"]["rdl-live"]
    assert {"estimate", "reconstruct", "update", "quality", "patterns", "mean_ratio"} <= set(ours)
    printed = capsys.readouterr().out
    assert "rdl-live" in printed
    assert complete(printed)


@pytest.mark.usefixtures("few_threads")
def test_live_rates_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, folder = tmp_path / "bench.json", tmp_path / "disk"
    folder.mkdir()
    command = ["acquire", "pipeline", "demo", "--quick", "--sizes", str(SIZE), "--json", str(out)]
    assert main([*command, "--folder", str(folder)]) == 0
    assert not list(folder.iterdir())
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found.keys() == {"machine", "acquire", "pipeline", "demo"}
    (acquired,), (piped,), (shown,) = found["acquire"], found["pipeline"], found["demo"]
    rates = acquired["rates"]
    assert {"engine + recorder", *acquired["floors"]} <= rates.keys()
    assert rates["engine + recorder"]["frames"] == 9 * acquired["series"]
    assert acquired["lost_frames"] == 0
    assert 0 < acquired["stored_share"] < 1
    for one in (*rates.values(), *piped["rates"].values()):
        assert one["per_s"] == pytest.approx(one["frames"] / one["seconds"])
    for one in rates.values():
        assert one["mb_per_s"] == pytest.approx(one["per_s"] * 2 * SIZE**2 / 1e6)
    assert {"pipeline", "reconstruction alone", "transforms alone"} <= piped["rates"].keys()
    assert shown["raw_frames_dropped"] == 0
    assert shown["raw_fps"] > 0
    printed = capsys.readouterr().out
    assert "engine + recorder" in printed
    assert complete(printed)


@pytest.mark.slow  # a quarter of a minute of large networks; what they compute is tested with the models
@pytest.mark.usefixtures("few_threads")
def test_costs_of_networks_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    assert main(["denoise", "--quick", "--sizes", "24", "--json", str(out)]) == 0
    (found, *_) = json.loads(out.read_text(encoding="utf-8"))["denoise"]
    published = found["networks"]["published"]
    assert published["parameters"] == 4_743_619
    # 4.69 million multiplications a raw pixel and orientation; the attention's are next to nothing.
    assert published["gmac"] == pytest.approx(3 * 4.69e-3 * 24**2, rel=0.02)
    assert published["eager_ms"] > found["networks"]["rdl"]["eager_ms"] > 0
    assert found["matrix_gflop_per_s"] > 0
    assert found["networks"]["rdl"]["ncnn_ms"] > 0
    assert published["ncnn_ms"] is None
    assert set(found["series_ms"]) == {"torch", "ncnn"}
    assert complete(capsys.readouterr().out)


@pytest.mark.slow
def test_the_window_is_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    assert main(["window", "--quick", "--json", str(out)]) == 0
    alone, shown, *_, panes = json.loads(out.read_text(encoding="utf-8"))["window"]
    assert alone["window_s"] is None
    assert 0 < shown["window_s"] < shown["raw_s"] < shown["image_s"]
    assert min(alone["raw_fps"], shown["raw_fps"]) > 0
    assert panes["cores"] > 0
    assert "with the window" in capsys.readouterr().out


@pytest.mark.usefixtures("few_threads")
def test_wrong_sections_and_folders_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["ofline"])
    assert "no section ofline; choose from offline" in capsys.readouterr().err
    assert main(["acquire", "--quick", "--folder", str(tmp_path / "none")]) == 2
    assert main(["acquire", "--quick", "--sizes", "1024", "--folder", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "choose another --folder" in err
    assert "1024 pixels" in err


def test_rates_are_of_something() -> None:
    assert rate(10, 2.0, 4_000_000) == Rate(10, 2.0, 5.0, 20.0)
    for frames, seconds in ((0, 1.0), (1, 0.0)):
        with pytest.raises(ValueError, match="no rate"):
            rate(frames, seconds, 1)


@pytest.mark.slow
def test_the_delay_is_measured_beside_the_computing_time(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    assert main(["delay", "--quick", "--sizes", "64", "--json", str(out)]) == 0
    plain, denoised = json.loads(out.read_text(encoding="utf-8"))["delay"]
    assert (plain["denoiser"], denoised["denoiser"]) == ("none", "rdl")
    for one in (plain, denoised):
        assert 0 < one["compute_ms"] <= one["compute_p95_ms"]
        assert 0 < one["delay_ms"] <= one["delay_p95_ms"]
    assert "computing" in capsys.readouterr().out


def test_the_live_path_of_a_card_is_measured_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDL_LIVE_GRAPHS", "1")
    found = measure_card(48, seconds=0.1, device="cpu")
    assert min(found.sr_per_s, found.without_graph_sr_per_s, found.plain_sr_per_s) > 0
    assert 0 < found.half_error < 0.2
    small = measure_small_card(64, device="cpu")
    assert small.strips == 1
    assert small.seam == 0


def test_without_a_card_nothing_of_it_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["card", "--quick"]) == 0
    assert "no NVIDIA GPU" in capsys.readouterr().out


def test_phasors_agree_with_the_programs_forward_model() -> None:
    """Two models that share nothing see the same points alike."""
    scope = microscope()
    otf = Otf.of(scope)
    eye = Eye(na=scope.optics.na, emission_um=scope.channels[0].emission_nm * 1e-3, pixel_um=otf.pixel_um)
    rng = np.random.default_rng(0)
    place = rng.uniform(10 * otf.pixel_um, 54 * otf.pixel_um, (200, 2))
    points = Points(place, np.ones(len(place)))
    frame = seen(points, points.light, eye, 64)
    fine = splat(
        torch.as_tensor(place[:, ::-1].copy(), dtype=torch.float32),
        torch.ones(len(place)),
        (64 * 16, 64 * 16),
        (64 * otf.pixel_um, 64 * otf.pixel_um),
    )
    theirs = Imaging(otf, (64, 64), upsample=16).forward(fine * 16**2).numpy()
    # The fine grid's linear interpolation blurs by a hundredth.
    np.testing.assert_allclose(frame, theirs, atol=0.01 * theirs.max())
    # Some light of the outermost points falls outside of the view.
    assert frame.sum() == pytest.approx(len(place), rel=0.03)
    sharp = ideal(points, points.light, eye, 64, 1.9 * eye.cutoff)
    assert sharp.shape == (128, 128)
    assert sharp.mean() == pytest.approx(frame.mean(), rel=0.03)


def test_thinned_light_has_the_noise_of_dim_light() -> None:
    rng = np.random.default_rng(1)
    bright = record(np.full((3, 128, 128), 400.0), np.zeros((128, 128)), rng)
    dim = (thinned(bright, 0.02, rng) - OFFSET_ADU) * GAIN
    assert dim.mean() == pytest.approx(8, rel=0.02)
    # Read noise is thinned away with the light.
    assert dim.var() == pytest.approx(8, rel=0.08)


def test_mixed_weights_lie_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixing, "held_out_scores", lambda *_: {"beads@5": 1.0})
    one, other = load_weights("rdl"), load_weights("rdl")
    with torch.no_grad():
        for value in other.network.parameters():
            value.mul_(1.5)
    save_weights(tmp_path / "other.safetensors", other.network, other.card)
    out = tmp_path / "mixed.safetensors"
    assert mixing.main(["rdl", str(tmp_path / "other.safetensors"), "--share", "0.4", "--out", str(out)]) == 0
    found = load_weights(out)
    assert found.card.name == "mixed"
    assert found.card.trained_on["mixed"] == {"with": "rdl", "share": 0.4}
    for name, value in one.network.named_parameters():
        # The file holds half the digits.
        torch.testing.assert_close(found.network.get_parameter(name), 1.2 * value, rtol=2e-3, atol=1e-5)


def test_a_film_is_measured_with_and_without_memory() -> None:
    film = measure_memory("filaments", 0, 5, 77, series=5, size=64)
    assert 0.2 < film.ratio < 1  # nothing moves: five series know more than one
    assert 0.5 < film.held_with <= 1
    assert 0.5 < film.held_without <= 1
