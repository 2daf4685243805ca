"""The assessment matrix: its figures, its file, a page that needs nothing else, and going on after an interruption."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch

from rdl_live.app.assess.matrix import NAME, Cell, Plan, assess, example, scores
from rdl_live.app.assess.methods import SIM, Method, methods
from rdl_live.app.assess.page import advice, write_page
from rdl_live.app.assess.run import assess_models
from rdl_live.app.assess.sample import STRUCTURES, Sample, masked_mean, simulated
from rdl_live.errors import ConfigError, DataError, OutputError
from rdl_models import Card, build, save_weights

SMALL = Plan(("microtubules",), (30.0, 300.0), 2, 64)
KEYS = {"structure", "photons", "factor", "method", "nrmse", "ms_ssim", "resolution_um", "images", "better_than_sim"}


def weights(folder: Path, **fields: int) -> str:
    torch.manual_seed(0)
    network = build("srcnn", {"residual": True, **fields})
    path = folder / "one.safetensors"
    card = Card(name="one", architecture="srcnn", config=vars(network.config), trained_on={}, steps=0, minutes=0)
    save_weights(path, network, card)
    return str(path)


def perfect(sample: Sample) -> torch.Tensor:
    return sample.truth


@pytest.mark.parametrize("structure", STRUCTURES)
def test_light_is_what_is_asked_for_where_there_is_structure(structure: str) -> None:
    dim, bright = (simulated(structure, photons, 1, 64) for photons in (50.0, 500.0))
    for sample, photons in ((dim, 50.0), (bright, 500.0)):
        assert masked_mean(sample.widefield) == pytest.approx(photons, rel=0.1)
        assert float(sample.truth.mean()) == pytest.approx(float(sample.widefield.mean()), rel=0.05)
    torch.testing.assert_close(bright.truth, 10 * dim.truth)  # the same specimen


def test_a_matrix_is_filled_interrupted_and_gone_on_with(tmp_path: Path) -> None:
    made: list[int] = []

    def counting(sample: Sample) -> torch.Tensor:
        made.append(1)
        return perfect(sample)

    chosen = [methods([])[0], Method("perfect", counting)]
    cells = assess(chosen, tmp_path, SMALL)
    assert len(made) == 4
    record = json.loads((tmp_path / NAME).read_text(encoding="utf-8"))
    assert all(set(one) >= KEYS for one in record["cells"])
    assert [(one["method"], one["photons"]) for one in record["cells"]] == [
        (SIM, 30.0), ("perfect", 30.0), (SIM, 300.0), ("perfect", 300.0)
    ]  # fmt: skip
    for sim, best in zip(cells[::2], cells[1::2], strict=True):
        assert (best.nrmse, best.ms_ssim) == (0, 1)
        assert sim.better_than_sim is None
        assert sim.nrmse > 0.005
        assert (sim.images, sim.factor) == (2, 2)
    assert cells[2].nrmse < cells[0].nrmse  # SIM gains with the light
    del record["cells"][2:]
    (tmp_path / NAME).write_text(json.dumps(record), encoding="utf-8")
    assert assess(chosen, tmp_path, SMALL) == cells
    assert len(made) == 6
    with pytest.raises(DataError, match=r"methods \['SIM', 'perfect'\], now methods \['SIM'\]"):
        assess(chosen[:1], tmp_path, SMALL)


def cell(method: str, better: bool | None, nrmse: float, photons: float = 25.0) -> Cell:
    return Cell("ER", photons, 2, method, nrmse, 0.9, 0.1, 20, better, 0.01, 0.01)


def test_advice_is_the_best_network_where_one_has_priority_and_sim_elsewhere() -> None:
    cells = [cell(SIM, None, 0.1), cell("a", True, 0.05), cell("b", True, 0.04), cell("c", False, 0.01)]
    cells += [cell(SIM, None, 0.1, 600.0), cell("a", False, 0.05, 600.0)]
    assert advice(cells) == ["ER at 25 photons: b", "ER at 600 photons: SIM"]


class Tags(HTMLParser):
    """Counts what is shown, and looks for what is not in the file."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        if tag == "img":
            self.images.append(str(found["src"]))
        assert not {"href", "srcset"} & set(found)


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    chosen = [Method(SIM, lambda sample: 0.9 * sample.truth), Method("perfect <one>", perfect)]
    cells = assess(chosen, tmp_path, SMALL)
    shown = [("microtubules", 30.0, example(chosen, simulated("microtubules", 30.0, 0, 64)))]
    write_page(tmp_path / "m.html", cells, shown, simulated=True)
    text = (tmp_path / "m.html").read_text(encoding="utf-8")
    page = Tags()
    page.feed(text)
    assert len(page.images) == 5  # two methods with their errors, and the truth
    assert all(one.startswith("data:image/png;base64,") for one in page.images)
    assert page.tags.count("svg") == 3  # NRMSE, MS-SSIM, resolution
    assert "fewer than the 20 of a whole matrix" in text
    assert "script" not in page.tags
    words = re.sub(r"base64,[^']*", "", text)
    assert "//" not in words
    assert "nan" not in words
    assert "perfect &lt;one&gt;" in text


def test_scores_of_known_images() -> None:
    torch.manual_seed(0)
    truth = torch.rand(64, 64)
    span = float(truth.max() - truth.min())
    nrmse, likeness, _ = scores(truth + 0.1, truth, 0.03)
    assert nrmse == pytest.approx(0.1 / span, rel=1e-4)
    assert 0.9 < likeness < 1


def test_what_cannot_be_assessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="do not super-resolve in one step"):
        methods(["rdl"])
    with pytest.raises(ConfigError, match=r"3 times as fine.*2 times as fine"):
        methods([weights(tmp_path, scale=3)])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "matrix.html").write_text("mine", encoding="utf-8")
    (tmp_path / "one.safetensors").unlink()
    with pytest.raises(OutputError, match=r"matrix.html: exists already"):
        assess_models([weights(tmp_path)], tmp_path / "out")
    with pytest.raises(ConfigError, match="need --microscope"):
        assess_models([str(tmp_path / "one.safetensors")], tmp_path / "other", data=tmp_path)


def test_recorded_cells_are_judged_by_their_images_in_bright_light(tmp_path: Path) -> None:
    for number in range(2):
        here = tmp_path / "BioSR" / "ER" / f"Cell_{number:03d}"
        here.mkdir(parents=True)
        sample = simulated("ER", 200.0, number, 64)
        counts = (2 * sample.series.clamp(min=0).numpy().reshape(9, 64, 64) + 100).round().astype(np.uint16)
        for path, images in (("RawSIMData_level_01.mrc", counts), ("SIM_gt.mrc", 50 * sample.truth.numpy()[None])):
            with mrcfile.new(here / path) as file:
                file.set_data(images)
    scope = (
        "optics: {na: 1.41, pixel_size_um: 0.0626}\nchannels: [{name: g, excitation_nm: 488, emission_nm: 525}]\n"
        "camera: {offset_adu: 100, gain_e_per_adu: 0.5, read_noise_e: 1.5}\n"
    )
    (tmp_path / "M.yaml").write_text("name: there\n" + scope, encoding="utf-8")
    out = tmp_path / "out"
    cells = assess_models([weights(tmp_path)], out, data=tmp_path / "BioSR", microscope=tmp_path / "M.yaml")
    assert [(one.method, one.structure, one.images) for one in cells] == [
        (SIM, "ER", 2), ("rDL-SIM", "ER", 2), ("one", "ER", 2)
    ]  # fmt: skip
    assert cells[0].photons == pytest.approx(200, rel=0.1)
    assert cells[0].nrmse < cells[2].nrmse  # in bright light, against an untrained network
    assert (out / "matrix.html").stat().st_size > 10_000
