"""Values that do not fit the camera section: an offset that was subtracted or is wrong, rescaled and wrapped numbers,
defective pixels, dim frames, enlarged pixels."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile

from rdl_live.errors import DataError
from rdl_live.files import load_microscope
from rdl_live.optics import Otf
from rdl_live.optics.quality.defects import find_defects
from rdl_live.optics.quality.values import value_warnings
from tests.cases.fast import variants
from tests.cases.test_in_step import agreement, reconstructed

Folder = Callable[[str], Path]


def judged(raw: np.ndarray, scope: Path) -> list[str]:
    """Return what is said of the values of nine frames."""
    microscope = load_microscope(scope)
    return value_warnings(raw.reshape(3, 3, *raw.shape[-2:]), microscope.camera, Otf.of(microscope))


def test_offsets(case: Folder) -> None:
    folder = case("wrong-offset")
    subtracted = tifffile.imread(folder / "subtracted.tif")
    (text,) = judged(subtracted, folder / "M.yaml")
    assert "% of the pixels lie below camera.offset_adu 100" in text
    assert "subtracted already" in text
    (text,) = judged(tifffile.imread(folder / "offset400.tif"), folder / "M.yaml")
    assert "seems too low" in text
    found = int(text.split("about ")[1].split()[0])
    assert abs(found - 400) < 40


def test_rescaled_values_are_refused(case: Folder) -> None:
    folder = case("wrong-offset")
    with pytest.raises(DataError, match="from 0 to 1: the file was rescaled"):
        reconstructed(folder / "unit.tif", folder / "M.yaml")


@pytest.mark.parametrize("photons", variants((5.0, 40.0, 400.0), (40.0,)))
@pytest.mark.parametrize("offset", variants((100, 130, 400), (100, 130)))
def test_right_and_wrong_offsets(make_cases: ModuleType, case: Folder, photons: float, offset: int) -> None:
    light = make_cases.clean(make_cases.curves(160, 4, 25))
    raw = make_cases.camera(light, photons, 5, offset=float(offset))
    said = judged(raw, case("wrong-offset") / "M.yaml")
    far = 0.46 * (offset - 100) > 0.25 * (photons + 0.46 * (offset - 100))
    assert bool(said) == far
    assert all("too low" in text for text in said)


def test_signed_numbers(make_cases: ModuleType, case: Folder) -> None:
    light = make_cases.clean(make_cases.curves(128, 4, 25))
    raw = make_cases.camera(light, 9000, 5).astype(np.int64)
    scope = case("wrong-offset") / "M.yaml"
    wrapped = ((raw + 2**15) % 2**16 - 2**15).astype(np.int16)
    assert wrapped.min() < 0
    assert any("wrapped round" in text for text in judged(wrapped, scope))
    assert any(
        "32768 was subtracted" in text
        for text in judged((raw - 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16), scope)
    )
    assert judged((raw // 8 + 90).astype(np.int16), scope) == []


def test_defective_pixels_are_filled_and_counted(case: Folder) -> None:
    folder = case("hot-pixels")
    right, fine = reconstructed(folder / "reference.tif", folder / "M.yaml")
    assert fine["warnings"] == []
    for name, count in (("hot", 60), ("dead", 60)):
        images, report = reconstructed(folder / f"{name}.tif", folder / "M.yaml")
        (text,) = report["warnings"]
        assert f"{name} pixels" in text
        assert abs(int(text.split()[0]) - count) <= 4
        assert agreement(images[0], right[0]) > 0.95
        assert images.min() > 2 * right.min() - 5
    _, report = reconstructed(folder / "dark-first.tif", folder / "M.yaml")
    assert not report["series"][0]["trusted"]
    assert any("frame 1 of this orientation is dark" in text for text in report["warnings"])


def test_sound_pixels_of_bright_points_are_left_alone(make_cases: ModuleType, case: Folder) -> None:
    microscope = load_microscope(case("hot-pixels") / "M.yaml")
    points = np.zeros((256, 256))
    points[tuple(np.random.default_rng(2).integers(0, 256, (2, 60)))] = 1
    raw = make_cases.camera(make_cases.clean(points + 1e-4), 20, 1)
    assert len(find_defects(raw, Otf.of(microscope))) == 0


def test_one_dim_frame(make_cases: ModuleType, case: Folder, tmp_path: Path) -> None:
    series = make_cases.camera(make_cases.clean(make_cases.curves(160, 4, 25)), 60, 1).astype(float)
    series[1, 2] = 0.85 * (series[1, 2] - 100) + 100
    raw = series.round().astype(np.uint16).reshape(9, 160, 160)
    tifffile.imwrite(tmp_path / "raw.tif", raw, photometric="minisblack")
    _, report = reconstructed(tmp_path / "raw.tif", case("hot-pixels") / "M.yaml")
    assert any("frame angle 1 phase 2" in text and "15% dimmer" in text for text in report["warnings"])


def test_enlarged_pixels(case: Folder) -> None:
    folder = case("resampled")
    assert judged(tifffile.imread(folder / "reference.tif"), folder / "M-native.yaml") == []
    (text,) = judged(tifffile.imread(folder / "enlarged.tif"), folder / "M.yaml")
    assert "interpolated" in text
