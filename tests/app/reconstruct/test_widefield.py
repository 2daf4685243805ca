"""Single frames in even light: each is an image of its own, in photons, and a network may make more of it."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from rdl_live.app.reconstruct.run import OfflineRun, Options
from rdl_live.errors import ConfigError, DataError
from rdl_live.files import RawWriter, load_microscope
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_models import Card, Dfcan, DfcanConfig, save_weights

MICROSCOPE = """
name: tirf
modality: widefield
optics: {na: 1.49, pixel_size_um: 0.065}
channels:
  - {name: green, excitation_nm: 488, emission_nm: 525}
camera: {offset_adu: 100, gain_e_per_adu: 0.5, read_noise_e: 1.5}
"""


@pytest.fixture
def microscope(tmp_path: Path) -> Path:
    path = tmp_path / "M.yaml"
    path.write_text(MICROSCOPE, encoding="utf-8")
    return path


def recorded(folder: Path, microscope: Path, frames: int = 3, photons: float = 50.0) -> tuple[Path, np.ndarray]:
    """Return a file of single frames as other programs write it, and their ADU (t, y, x)."""
    scope, series = load_microscope(microscope), []
    for one in simulate(scope, SpecimenSettings(), shape=(48, 64), photons=photons, time_points=frames):
        assert one.adu.shape == (1, 1, 48, 64)
        assert one.truth.shape == (48, 64)
        series.append(one.adu[0, 0].numpy())
    tifffile.imwrite(folder / "raw.tif", np.stack(series), imagej=True, metadata={"axes": "TYX"})
    return folder / "raw.tif", np.stack(series)


def reconstructed(raw: Path, microscope: Path, out: Path, **options: object) -> tuple[np.ndarray, dict[str, object]]:
    said = Options(workers=1, overwrite=True, **options)  # type: ignore[arg-type]
    with OfflineRun(raw, microscope, torch.device("cpu"), said) as run:
        report = run.reconstruct(out, preview=out.with_suffix(".png")).as_dict()
    return tifffile.imread(out), report


def test_its_images_are_the_frames_in_photons(tmp_path: Path, microscope: Path) -> None:
    raw, adu = recorded(tmp_path, microscope)
    images, report = reconstructed(raw, microscope, tmp_path / "out.tif")
    np.testing.assert_allclose(images, (adu.astype(np.float64) - 100) * 0.5, rtol=1e-5, atol=1e-4)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert 'PhysicalSizeX="0.065"' in (file.ome_metadata or "")
    assert report["modality"] == "widefield"
    assert (report["patterns"], report["mcnr"], report["wiener"]) == ([], None, None)
    assert report["warnings"] == []
    assert [one["trusted"] for one in report["series"]] == [True] * 3  # type: ignore[attr-defined]


def test_our_own_files_of_single_frames_are_read_as_such(tmp_path: Path, microscope: Path) -> None:
    scope = load_microscope(microscope)
    frames = np.random.default_rng(0).poisson(300, (4, 1, 1, 32, 40)).astype(np.uint16)
    with RawWriter(tmp_path / "raw.tif", (4, 32, 40), scope.pattern, 0.065) as writer:
        for one in frames:
            writer.write(one)
    with OfflineRun(tmp_path / "raw.tif", microscope, torch.device("cpu"), Options()) as run:
        assert run.recording.shape == (4, 1, 1, 32, 40)
        np.testing.assert_array_equal(run.recording.read(), frames)


def network(folder: Path, channels: int = 1) -> Path:
    path = folder / "dfcan.safetensors"
    config = DfcanConfig(width=4, groups=1, blocks=1, window=16, channels=channels, residual=True)
    torch.manual_seed(0)
    card = Card(name="dfcan", architecture="dfcan", config=vars(config), trained_on={}, steps=0, minutes=0)
    save_weights(path, Dfcan(config), card, overwrite=True)
    return path


def test_a_network_super_resolves_single_frames(tmp_path: Path, microscope: Path) -> None:
    raw, adu = recorded(tmp_path, microscope, frames=2)
    images, report = reconstructed(raw, microscope, tmp_path / "out.tif", denoise=str(network(tmp_path)))
    assert images.shape == (2, 96, 128)
    # Untrained, it is the enlarged frame: photons in, photons out, corners where they were.
    photons = torch.from_numpy((adu.astype(np.float32) - 100) * 0.5)
    enlarged = torch.nn.functional.interpolate(photons[:, None], scale_factor=2, mode="bicubic")[:, 0]
    torch.testing.assert_close(torch.from_numpy(images), enlarged, rtol=2e-3, atol=2e-3 * float(enlarged.max()))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert 'PhysicalSizeX="0.0325"' in (file.ome_metadata or "")
    assert (tmp_path / "out.png").is_file()
    assert str(report["denoiser"]).endswith("dfcan.safetensors")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"denoise": "rdl"}, "denoise SIM series, and 'tirf' is of modality widefield"),
        ({"wiener": 0.1}, "modality widefield: its image is not a Wiener filter's; leave out --wiener"),
        ({"patterns": Path("r.json")}, "no patterns are searched for in its frames; leave out --patterns"),
    ],
)
def test_what_means_nothing_to_it_is_refused(
    tmp_path: Path, microscope: Path, options: dict[str, object], says: str
) -> None:
    raw, _ = recorded(tmp_path, microscope, frames=1)
    with pytest.raises(ConfigError, match=says):
        reconstructed(raw, microscope, tmp_path / "out.tif", **options)
    assert not (tmp_path / "out.tif").exists()


def test_a_network_for_whole_series_is_refused(tmp_path: Path, microscope: Path) -> None:
    raw, _ = recorded(tmp_path, microscope, frames=1)
    with pytest.raises(ConfigError, match="take 9 frames, the microscope 'tirf' gives 1 a series"):
        reconstructed(raw, microscope, tmp_path / "out.tif", denoise=str(network(tmp_path, channels=9)))


def test_a_section_of_patterns_or_an_slm_is_refused(microscope: Path) -> None:
    microscope.write_text(MICROSCOPE + "pattern: {angles: 3, phases: 3}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"pattern\.angles: 3 is wrong: each frame is an image of its own; leave out"):
        load_microscope(microscope)


def test_darkness_is_reported(tmp_path: Path, microscope: Path) -> None:
    tifffile.imwrite(tmp_path / "raw.tif", np.full((2, 32, 32), 100, np.uint16), imagej=True)
    with pytest.raises(DataError, match="holds no light"):
        reconstructed(tmp_path / "raw.tif", microscope, tmp_path / "out.tif")
