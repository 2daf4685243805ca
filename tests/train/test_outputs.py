"""Two trainings never write to the same files, and whoever died does not keep others out."""

from pathlib import Path

import pytest

from rdl_live.errors import DataError, OutputError
from rdl_live.train.loop.outputs import Outputs, check_free, check_outputs, exclusive, locked


def test_a_second_training_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "w.safetensors")
    with locked(outputs):
        again = locked(Outputs(tmp_path / "w.safetensors"))
        with (
            pytest.raises(OutputError, match="another training writes there now"),
            again,
        ):
            raise AssertionError("two trainings at once")
        with locked(Outputs(tmp_path / "other.safetensors")):
            pass
    with locked(outputs):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_checkpoint_of_a_running_training_is_not_called_left(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "w.safetensors")
    outputs.checkpoint.touch()
    with locked(outputs), pytest.raises(OutputError, match="another training writes there now"):
        check_free(outputs)
    check_free(outputs)
    check_free(Outputs(tmp_path / "none" / "w.safetensors"))
    assert list(tmp_path.iterdir()) == [outputs.checkpoint]


def test_what_a_killed_training_left_locks_nothing(tmp_path: Path) -> None:
    (tmp_path / ".w.safetensors.lock").touch()
    with locked(Outputs(tmp_path / "w.safetensors")):
        pass


def test_a_training_function_is_alone_with_its_output(tmp_path: Path) -> None:
    out, inside = tmp_path / "w.safetensors", list[str]()

    @exclusive
    def train(out: Path, words: str) -> str:
        with pytest.raises(OutputError, match="another training"), locked(Outputs(out)):
            raise AssertionError("not locked")
        inside.append(words)
        return words

    assert train(out, words="done") == "done"
    assert inside == ["done"]


def test_whoever_resumes_wants_the_weights_replaced(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "w.safetensors")
    outputs.weights.touch()
    with pytest.raises(OutputError, match="exists already"):
        check_outputs(outputs, resume=False, overwrite=False)
    with pytest.raises(DataError, match="no checkpoint to resume from"):
        check_outputs(outputs, resume=True, overwrite=False)
    outputs.checkpoint.touch()
    check_outputs(outputs, resume=True, overwrite=False)
