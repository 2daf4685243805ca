"""Weight files: what goes in comes out, and nothing else is taken."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rdl_live.errors import ConfigError, DataError, OutputError
from rdl_models import Card, ObjectPlane, ObjectPlaneConfig, Span, load_weights, read_card, save_weights, shipped
from rdl_models.card import card_name

CONFIG = {"width": 8, "blocks": 1}


def card(**changes: object) -> Card:
    fields = {
        "name": "tiny",
        "architecture": "object-plane",
        "config": CONFIG,
        "trained_on": {"seed": 1},
        "steps": 3,
        "minutes": 0.5,
        "valid": {"na": Span(low=1.2, high=1.5)},
        "scores": {"reticulum@5": 0.7},
    }
    return Card.model_validate({**fields, **changes})


@pytest.fixture
def network() -> ObjectPlane:
    torch.manual_seed(3)
    made = ObjectPlane(ObjectPlaneConfig(width=8, blocks=1))
    torch.nn.init.normal_(made.head.weight)
    return made


@pytest.fixture
def file(tmp_path: Path, network: ObjectPlane) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_weights(path, network, card())
    return path


def test_what_goes_in_comes_out(file: Path, network: ObjectPlane) -> None:
    loaded = load_weights(file)
    assert loaded.card == card() == read_card(file)
    x = torch.randn(1, 4, 16, 16)
    assert torch.equal(loaded.network(x), network(x))
    assert not loaded.network.training


def test_a_file_is_not_replaced_unasked(file: Path, network: ObjectPlane) -> None:
    before = file.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        save_weights(file, network, card())
    assert file.read_bytes() == before
    save_weights(file, network, card(steps=4), overwrite=True)
    assert read_card(file).steps == 4
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("keep", [0, 4, 8, 200, -1])
def test_a_truncated_file_is_refused(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"tiny\.safetensors: not a whole safetensors file"):
        load_weights(file)


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.place,)


@pytest.mark.parametrize("with_torch", [False, True])
def test_a_pickle_is_refused_and_nothing_in_it_runs(tmp_path: Path, with_torch: bool) -> None:
    path, crater = tmp_path / "bomb.safetensors", tmp_path / "crater"
    if with_torch:
        torch.save({"weights": Bomb(str(crater))}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(str(crater))))
    with pytest.raises(DataError, match=r"bomb\.safetensors: not a whole safetensors file"):
        load_weights(path)
    assert not crater.exists()


def changed(path: Path, *, tensors: dict[str, torch.Tensor] | None = None, text: str | None = None) -> None:
    """Write the file anew with other tensors or another card."""
    kept = load_file(path) if tensors is None else tensors
    save_file(kept, path, {"card": read_card(path).model_dump_json() if text is None else text})


def test_tensors_must_be_those_of_the_architecture(file: Path) -> None:
    good = load_file(file)
    cases = {
        "missing blend": {name: value for name, value in good.items() if name != "blend"},
        "unknown more": {**good, "more": torch.zeros(1)},
        r"blend is \(4,\).*needs \(3,\)": {**good, "blend": torch.zeros(4)},
        "float64.*float32": {**good, "blend": good["blend"].double()},
        "blend holds NaN": {**good, "blend": torch.full((3,), float("nan"))},
    }
    for message, tensors in cases.items():
        changed(file, tensors=tensors)
        with pytest.raises(DataError, match=message):
            load_weights(file)
        save_weights(file, ObjectPlane(ObjectPlaneConfig(width=8, blocks=1)), card(), overwrite=True)


def test_steps_of_earlier_stages_count() -> None:
    stages = {"before": {"steps": 30, "before": {"steps": None, "before": {"steps": 4, "before": "rdl"}}}}
    assert card().model_copy(update={"steps": 5, "trained_on": stages}).all_steps == 39
    assert card().model_copy(update={"steps": 5}).all_steps == 5


def test_large_weights_are_written_in_half_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, path = ObjectPlane(ObjectPlaneConfig(width=8, blocks=1)), tmp_path / "large.safetensors"
    monkeypatch.setattr("rdl_models.weights.COMPACT_ABOVE_BYTES", 1000)
    save_weights(path, network, card())
    assert {value.dtype for value in load_file(path).values()} == {torch.float16}
    for name, value in load_weights(path).network.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.allclose(value, network.state_dict()[name], rtol=1e-3, atol=1e-6)
    with torch.no_grad():
        network.blend[0] = 1e6  # beyond float16
    save_weights(path, network, card(), overwrite=True)
    assert load_weights(path).network.blend[0] == 1e6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": {"width": 16, "blocks": 1}}, "needs"),
        ({"config": {"width": 10**9}}, "width must be"),
        ({"architecture": "os.system"}, "architecture"),
        ({"format": 2}, "format 2"),
        ({"steps": -1}, "steps"),
        ({"surprise": 1}, "surprise"),
        ({"valid": {"na": {"low": 2.0, "high": 1.0}}}, "low 2 is above high 1"),
    ],
)
def test_a_card_that_does_not_hold_is_refused(file: Path, change: dict[str, object], message: str) -> None:
    record = json.loads(card().model_dump_json())
    changed(file, text=json.dumps({**record, **change}))
    with pytest.raises(DataError, match=message):
        load_weights(file)


@pytest.mark.parametrize("text", ["", "no json", "[]", "null", "[" * 5000, '{"steps": NaN}'])
def test_metadata_that_are_no_card_are_refused(file: Path, text: str) -> None:
    changed(file, text=text)
    with pytest.raises(DataError, match="metadata"):
        read_card(file)


def test_tensors_without_metadata_are_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(DataError, match="not of this program"):
        load_weights(path)


def test_an_unknown_name_lists_what_is_shipped() -> None:
    with pytest.raises(ConfigError, match=r"'magic'.*shipped"):
        load_weights("magic")


@pytest.mark.parametrize("name", shipped())
def test_shipped_weights_load_and_say_what_they_are(name: str) -> None:
    loaded = load_weights(name)
    assert loaded.card.name == name
    assert {
        "na",
        "pixel_size_um",
        "emission_nm",
        "angles",
        "phases",
        "harmonics",
        "photons",
    } <= loaded.card.valid.keys()
    assert loaded.card.scores
    assert loaded.card.steps > 0
    assert loaded.card.trained_on["scenes"]


@pytest.mark.parametrize(
    ("file", "name"), [("W", "w"), ("my cells 3", "my-cells-3"), ("Zürich", "z-rich"), ("_x", "x"), ("___", "weights")]
)
def test_any_file_name_gives_a_name_that_a_card_takes(file: str, name: str) -> None:
    assert card_name(file) == name
    fields = {"architecture": "object-plane", "config": {}, "trained_on": {}, "steps": 0, "minutes": 0}
    assert Card.model_validate({"name": card_name(file), **fields}).name == name
