"""Packages of the model zoo: valid by its own library, back without a loss, and refused where anything is wrong."""

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from rdl_live.app.exchange import export as exporting
from rdl_live.app.exchange.export import export_package
from rdl_live.app.exchange.package import import_package
from rdl_live.app.exchange.samples import sample_inputs
from rdl_live.app.exchange.words import card_in_words
from rdl_live.errors import ConfigError, DataError, OutputError
from rdl_models import Card, Span, build, load_weights, save_weights

pytest.importorskip("bioimageio.spec", reason="python -m pip install 'rdl-live[bioimageio]'")

SMALL: dict[str, dict[str, int | float | str | bool]] = {
    "object-plane": {"width": 8, "blocks": 1, "levels": 2, "spread": 4},
    "rcan3d": {"width": 4, "groups": 1, "blocks": 1, "cutoff": 1.0, "slope": 20.0, "relative": True},
    "dfcan": {"width": 8, "groups": 1, "blocks": 1},
    "rdl-sim": {"width": 8, "generated_groups": 1, "noisy_groups": 1, "trunk_groups": 1, "blocks": 1},
}


def small(folder: Path, architecture: str = "object-plane") -> Path:
    torch.manual_seed(0)
    network = build(architecture, SMALL[architecture])
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.05)
    card = Card(
        name="small",
        architecture=architecture,
        config=SMALL[architecture],
        trained_on={"scheme": "tis", "from": "rdl", "recordings": [{"name": "film.tif", "time_points": 24}]},
        steps=7,
        minutes=1.5,
        valid={"na": Span(low=1.3, high=1.4)},
        scores={"held_out_after": 0.61},
    )
    path = folder / "small.safetensors"
    save_weights(path, network, card)
    return path


def packed(folder: Path, architecture: str = "object-plane") -> Path:
    out = folder / "p.zip"
    export_package(small(folder, architecture), out, author="A. Tester", license_id="CC-BY-4.0")
    return out


@pytest.mark.parametrize("architecture", sorted(SMALL))
def test_a_package_is_valid_and_gives_the_same_network_again(tmp_path: Path, architecture: str) -> None:
    out = packed(tmp_path, architecture)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from bioimageio.spec import InvalidDescr, load_description

        with zipfile.ZipFile(out) as archive:
            assert not isinstance(load_description(archive), InvalidDescr)
    target, card = import_package(out, tmp_path / "again.safetensors")
    before, after = load_weights(tmp_path / "small.safetensors"), load_weights(target)
    assert after.card == before.card == card
    inputs = [torch.from_numpy(one.values) for one in sample_inputs(before)]
    one, other = before.network(*inputs), after.network(*inputs)
    assert float((one - other).abs().max()) <= 1e-5 * float(one.abs().max())
    with zipfile.ZipFile(out) as archive:
        stored = torch.from_numpy(np.load(io.BytesIO(archive.read("test-restored.npy"))))
        state = torch.load(io.BytesIO(archive.read("weights.pt")), weights_only=True)
    assert float((one - stored).abs().max()) <= 1e-5 * float(one.abs().max())
    assert {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in before.network.state_dict().items()
    }


def test_the_same_weights_give_the_same_package_and_are_described_in_words(tmp_path: Path) -> None:
    one = packed(tmp_path).read_bytes()
    (tmp_path / "p.zip").unlink()
    export_package(tmp_path / "small.safetensors", tmp_path / "p.zip", author="A. Tester", license_id="CC-BY-4.0")
    assert (tmp_path / "p.zip").read_bytes() == one
    text = card_in_words(load_weights(tmp_path / "small.safetensors").card)
    for words in ("film.tif: 24 time points", "na: 1.3 to 1.4", "held_out_after: 0.61", "must not be used for"):
        assert words in text


def test_what_the_library_complains_of_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small(tmp_path)
    with pytest.raises(OutputError, match="does not hold to the specification"):
        export_package(path, tmp_path / "p.zip", author="", license_id="no such licence")
    with pytest.raises(OutputError, match=r"are \.zip files"):
        export_package(path, tmp_path / "p.tar", author="A", license_id="MIT")
    monkeypatch.setattr(exporting, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"rdl-live\[bioimageio\]"):
        export_package(path, tmp_path / "p.zip", author="A", license_id="MIT")
    assert list(tmp_path.iterdir()) == [path]


def changed(package: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Write a package anew with other content."""
    with zipfile.ZipFile(package) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(package, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def described(files: dict[str, bytes], change: Callable[[dict[str, object]], object]) -> None:
    description = yaml.safe_load(files["rdf.yaml"])
    change(description)
    files["rdf.yaml"] = json.dumps(description).encode()


def damage(name: str, at: int) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        content = bytearray(files[name])
        content[at] ^= 0xFF
        files[name] = bytes(content)

    return change


def other_output(files: dict[str, bytes]) -> None:
    """Another test output, its hash right."""
    import hashlib

    buffer = io.BytesIO()
    np.save(buffer, np.load(io.BytesIO(files["test-restored.npy"])) + np.float32(0.01))
    files["test-restored.npy"] = buffer.getvalue()
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    described(files, lambda one: one["outputs"][0]["test_tensor"].update(sha256=digest))  # type: ignore[index]


def pickled_tensor(files: dict[str, bytes]) -> None:
    import hashlib

    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    files["test-images.npy"] = buffer.getvalue()
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    described(files, lambda one: one["inputs"][0]["test_tensor"].update(sha256=digest))  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (damage("weights.safetensors", -1), "has the hash"),
        (damage("test-images.npy", -3), "has the hash"),
        (other_output, "another test output"),
        (pickled_tensor, "test tensor is damaged"),
        (lambda files: files.pop("weights.safetensors"), "lacks the file 'weights.safetensors'"),
        (lambda files: files.pop("rdf.yaml"), "lacks the file 'rdf.yaml'"),
        (lambda files: files.update({"rdf.yaml": b"a: [1"}), "rdf.yaml is damaged"),
        (lambda files: files.update({"rdf.yaml": b" " * 2**19}), "larger than"),
        (lambda files: files.update({"rdf.yaml": b"type: dataset"}), "does not describe a model"),
        (lambda files: described(files, lambda one: one.pop("config")), "no safetensors weights of rdl-live"),
        (lambda files: described(files, lambda one: one.pop("outputs")), "names no outputs"),
        (lambda files: files.update({"../../evil": b"x"}), "leads out"),
        (lambda files: files.update({"/evil": b"x"}), "leads out"),
        (lambda files: files.update({f"f{index}": b"" for index in range(70)}), "files, more than"),
    ],
)
def test_what_is_wrong_with_a_package_is_told_and_nothing_is_written(
    tmp_path: Path, change: Callable[[dict[str, bytes]], None], words: str
) -> None:
    package = packed(tmp_path)
    changed(package, change)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match=words):
        import_package(package, tmp_path / "again.safetensors")
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_no_package_is_told(tmp_path: Path) -> None:
    for name, content in (("a.zip", b"nothing"), ("b.zip", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="not a whole zip archive"):
            import_package(tmp_path / name)
    with pytest.raises(DataError, match="no such file"):
        import_package(tmp_path / "gone.zip")
    whole = packed(tmp_path).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not a whole zip archive"):
        import_package(tmp_path / "cut.zip")


def test_an_existing_file_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    package, out = packed(tmp_path), tmp_path / "again.safetensors"
    out.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        import_package(package, out)
    assert out.read_bytes() == b"mine"
    import_package(package, out, overwrite=True)
    with pytest.raises(OutputError, match=r"\.safetensors files"):
        import_package(package, tmp_path / "w.pt")
