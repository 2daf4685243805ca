"""Dim series of a camera with a fixed pattern, series enlarged by another program, and real recordings, put right. The
series at 1.8 and 0.7 photons is slow: four denoised images of 256 pixels."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from rdl_live.app.calibrate_offset import calibrate_offset
from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.files import load_microscope
from rdl_live.optics import Camera, Channel, Microscope, Optics, Otf, Reconstructor, estimate_patterns
from rdl_live.optics.series_gain import series_gain

CPU = torch.device("cpu")


def truth(make_cases: object, rows: int = 512) -> np.ndarray:
    """The specimen of most cases through an ideal OTF of the extended cut-off, where our images have it.

    The simulator's first raw pixel lies on its first fine one; ours are areas, whose corners coincide: half a pixel.
    """
    specimen = make_cases.curves()  # type: ignore[attr-defined]
    f = np.fft.fftfreq(rows, 0.0325)
    s = np.clip(np.hypot(f[:, None], f) / (2 * 1.49 / 0.525 + 5), 0, 1)
    transfer = 2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s * s))
    moved = np.exp(-1j * np.pi * 0.0325 * (f[:, None] + f))
    return np.asarray(np.fft.ifft2(np.fft.fft2(specimen) * transfer * moved).real)


def error(image: np.ndarray, wanted: np.ndarray) -> float:
    """Error after the best scale and level, relative to the contrast of what is wanted, without the rim."""
    inner = (slice(16, -16), slice(16, -16))
    x, y = image[inner].ravel().astype(float), wanted[inner].ravel()
    columns = np.stack([x, np.ones_like(x)], axis=1)
    fit = columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
    return float(np.linalg.norm(fit - y) / np.linalg.norm(y - y.mean()))


def image_of(folder: Path, raw: Path, scope: str = "M.yaml", **options: object) -> tuple[np.ndarray, dict[str, object]]:
    """Return the image of a file's first series and its report."""
    out, report = folder / "out.tif", folder / "out.json"
    with OfflineRun(raw, folder / scope, CPU, Options(overwrite=True, workers=1, **options)) as run:  # type: ignore[arg-type]
        run.reconstruct(out, report=report)
    image = np.asarray(tifffile.imread(out))
    return image if image.ndim == 2 else image[0], json.loads(report.read_text())


def test_a_fixed_pattern_costs_next_to_nothing(case: Callable[[str], Path], make_cases: object, tmp_path: Path) -> None:
    folder, wanted = case("fixed-pattern"), truth(make_cases)
    errors, contrasts = {}, {}
    for name in ("film", "without"):
        first = tmp_path / f"{name}.tif"
        tifffile.imwrite(first, tifffile.imread(folder / f"{name}.tif")[:9], photometric="minisblack")
        image, report = image_of(folder, first, patterns=folder / "bright.tif")
        errors[name] = error(image, wanted)
        contrasts[name] = [pattern["modulation"] for pattern in report["patterns"]]  # type: ignore[attr-defined]
        assert all(pattern["trusted"] for pattern in report["patterns"])  # type: ignore[attr-defined]
        assert report["fixed_pattern_e"] == pytest.approx(0.46 if name == "film" else 0.0, abs=0.05)
        assert any("fixed pattern" in text for text in report["warnings"]) == (name == "film")  # type: ignore[attr-defined]
    assert errors["film"] < 1.1 * errors["without"]
    np.testing.assert_allclose(contrasts["film"], contrasts["without"], atol=0.03)
    # The film by itself: no contrast that is pulled down.
    frames = tifffile.imread(folder / "film.tif").reshape(12, 3, 3, 256, 256)
    alone = estimate_patterns(frames[:6], load_microscope(folder / "M.yaml"))
    assert [pattern.modulation[0] for pattern in alone] == pytest.approx([0.29] * 3, abs=0.04)


@pytest.mark.slow
def test_dim_levels_stay_better_than_widefield(make_cases: object, tmp_path: Path) -> None:
    """Low contrast, a fixed pattern, 1.8 and 0.7 photons: with own patterns and with those of the bright level."""
    specimen = make_cases.curves(count=150)  # type: ignore[attr-defined]
    clean = make_cases.clean(specimen, m=0.25)  # type: ignore[attr-defined]
    pattern = np.random.default_rng(3).normal(0, 0.87, (256, 256))
    make_cases.scope(tmp_path / "M.yaml")  # type: ignore[attr-defined]
    for name, photons in (("bright", 200), ("1.8", 1.8), ("0.7", 0.7)):
        frames = make_cases.camera(clean, photons, 7, pattern=pattern).reshape(9, 256, 256)  # type: ignore[attr-defined]
        tifffile.imwrite(tmp_path / f"{name}.tif", frames, photometric="minisblack")
    wanted, _ = image_of(tmp_path, tmp_path / "bright.tif")
    for name in ("1.8", "0.7"):
        widefield = tifffile.imread(tmp_path / f"{name}.tif").mean(axis=0)
        worst = error(np.kron(widefield, np.ones((2, 2))), wanted)
        own, _ = image_of(tmp_path, tmp_path / f"{name}.tif", denoise="rdl")
        given, report = image_of(tmp_path, tmp_path / f"{name}.tif", denoise="rdl", patterns=tmp_path / "bright.tif")
        assert error(own, wanted) < 0.9 * worst
        assert error(given, wanted) < 0.9 * worst
        assert all(one["phases_from"] for one in report["patterns_from"]["orientations"])  # type: ignore[index]


def test_offsets_from_recordings_are_those_of_the_camera(
    case: Callable[[str], Path], make_cases: object, tmp_path: Path
) -> None:
    folder = case("fixed-pattern")
    pattern = np.random.default_rng(7).normal(0, 1, (256, 256))
    light = make_cases.clean(make_cases.curves(), m=0.3)  # type: ignore[attr-defined]
    raws = []
    for number, photons in enumerate((60, 10, 4, 2, 0.7)):
        raws.append(tmp_path / f"{number}.tif")
        frames = make_cases.camera(light, photons, 50 + number, pattern=pattern)  # type: ignore[attr-defined]
        tifffile.imwrite(raws[-1], frames.reshape(9, 256, 256), photometric="minisblack")
    found = calibrate_offset(
        raws, folder / "M.yaml", tmp_path / "offset.tif", progress=lambda _what, _done, _total: None
    )
    offset = tifffile.imread(tmp_path / "offset.tif")
    assert offset.mean() == pytest.approx(100, abs=0.2)
    assert (offset - 100 - pattern).std() < 0.75
    assert found.rms_e == pytest.approx(0.46, abs=0.05)


def test_pixels_enlarged_by_another_program(case: Callable[[str], Path], make_cases: object) -> None:
    folder, wanted = case("resampled"), truth(make_cases)
    small, _ = image_of(folder, folder / "reference.tif", "M-native.yaml")
    large, report = image_of(folder, folder / "enlarged.tif")
    binned = large.reshape(512, 2, 512, 2).mean(axis=(1, 3))
    assert error(binned, wanted) < 1.15 * error(small, wanted)
    assert any("interpolated" in text for text in report["warnings"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("photons", [1.5, 20.0])
def test_the_gain_is_in_the_series(make_cases: object, photons: float) -> None:
    frames = make_cases.series(photons=photons)  # type: ignore[attr-defined]
    found = series_gain(torch.from_numpy(frames.astype(np.float32)), Otf(2 * 1.49 / 0.525, 0.065), 100.0)
    assert found is not None
    assert found.gain_e_per_adu == pytest.approx(0.46, rel=0.05)
    assert found.read_noise_e == pytest.approx(1.6, rel=0.15)


def scope_of(na: float, pixel_um: float, excitation_nm: float, emission_nm: float, camera: Camera) -> Microscope:
    return Microscope(
        name="real",
        optics=Optics(na=na, pixel_size_um=pixel_um),
        channels=(Channel(name="0", excitation_nm=excitation_nm, emission_nm=emission_nm),),
        camera=camera,
    )


def test_phase_steps_of_cristae_are_near_the_calibrated_ones(shared_data: Path) -> None:
    raw = tifffile.imread(shared_data / "b-sim-cristae" / "raw_9x120x120.tif").reshape(3, 3, 120, 120)
    true = tifffile.imread(shared_data / "b-sim-cristae" / "patterns_2x.tif").reshape(3, 3, 240, 240).astype(float)
    camera = Camera(offset_adu=100, gain_e_per_adu=0.511, read_noise_e=1.2)
    found = estimate_patterns(raw, scope_of(1.3, 0.065, 549, 569, camera))
    r, window = (np.arange(240) + 0.5) * 0.0325, np.hanning(240)
    for pattern, frames in zip(found, true, strict=True):
        waves = (frames - frames.mean(axis=(1, 2), keepdims=True)) * window[:, None] * window
        left, right = np.exp(-2j * np.pi * pattern.ky * r), np.exp(-2j * np.pi * pattern.kx * r)
        calibrated = np.angle([left @ one @ right for one in waves])
        steps, wanted = (np.diff([*phases, phases[0]]) for phases in (pattern.phases_rad, calibrated))
        assert np.abs(np.degrees(np.angle(np.exp(1j * (steps - wanted))))).max() < 10


def test_bright_microtubules_use_all_orientations(shared_data: Path) -> None:
    """Of two wave vectors that fit equally well the one of the common period; uneven steps are used."""
    raw = tifffile.imread(shared_data / "rzcao-microtubules" / "microtubules_9x256x256.tif").reshape(3, 3, 256, 256)
    scope = scope_of(1.49, 0.0867, 640, 660, Camera(offset_adu=7500))
    found = estimate_patterns(raw, scope)
    assert found.trusted
    assert [1e3 * pattern.period_um for pattern in found] == pytest.approx([231.5] * 3, abs=1.5)
    assert found[0].modulation[0] > 0.5
    image = Reconstructor(scope, found, (256, 256))(raw)
    assert torch.isfinite(image).all()
