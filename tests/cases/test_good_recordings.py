"""Good recordings of others, from end to end with their own calibration: no sentence, every pattern trusted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from tests.cases.conftest import ROOT
from tests.cases.test_in_step import reconstructed, untrusted

DATA = ROOT.parent / "shared" / "data"
MITOCHONDRIA = str(DATA / "b-sim-mitochondria" / "bsim2_")
RECORDINGS: dict[str, tuple[Path, tuple[float, float], dict[str, Any]]] = {
    "cristae": (
        DATA / "b-sim-cristae" / "raw_9x120x120.tif",
        (549, 569),
        {"offset_adu": 100, "gain_e_per_adu": 0.511, "read_noise_e": 1.2},
    ),
    "mitochondria": (
        Path(f"{MITOCHONDRIA}hela_mito_120_raw.tif"),
        (600, 660),
        {"read_noise_e": 1.5}
        | {f"{one}_file": f"{MITOCHONDRIA}{one}_map.tif" for one in ("offset", "gain", "variance")},
    ),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_good_recording_draws_no_sentence(tmp_path: Path, name: str) -> None:
    raw, (excitation_nm, emission_nm), camera = RECORDINGS[name]
    if not raw.is_file():
        pytest.skip(f"no data at {raw.parent}")
    tifffile.imwrite(tmp_path / "raw.tif", tifffile.imread(raw).astype(np.float32), photometric="minisblack")
    light = {"name": "c", "excitation_nm": excitation_nm, "emission_nm": emission_nm}
    scope = {"name": name, "optics": {"na": 1.3, "pixel_size_um": 0.065}, "channels": [light], "camera": camera}
    (tmp_path / "M.yaml").write_text(yaml.safe_dump(scope))
    _, report = reconstructed(tmp_path / "raw.tif", tmp_path / "M.yaml")
    assert report["warnings"] == []
    assert untrusted(report) == []
    assert all(pattern["trusted"] for pattern in report["patterns"])
