"""Outputs are checked before the work, and are whole or not there."""

import os
from pathlib import Path

import pytest

from rdl_live.errors import OutputError
from rdl_live.files import atomic_write, check_output


def test_a_new_file_may_be_written(tmp_path: Path) -> None:
    assert check_output(tmp_path / "a.json") == tmp_path / "a.json"
    assert list(tmp_path.iterdir()) == []


def test_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    file.write_text("old")
    cases = [
        (file, r"a\.json: exists already; .*--overwrite"),
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "b.json", "no folder"),
        (file / "b.json", "is a file, not a folder"),
        (Path(os.devnull), "not a regular file"),
        (tmp_path / ("x" * 300), "cannot be written"),
    ]
    for path, says in cases:
        with pytest.raises(OutputError, match=says):
            check_output(path)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere, in a container too
    with pytest.raises(OutputError, match="no permission"):
        check_output(tmp_path / "b.json")


def test_overwrite_replaces_outputs_but_never_inputs(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    file.write_text("raw data")
    assert check_output(file, overwrite=True) == file
    (tmp_path / "link.tif").symlink_to(file)
    for alias in (file, tmp_path / "." / "a.tif", tmp_path / "link.tif"):
        with pytest.raises(OutputError, match="an input"):
            check_output(alias, overwrite=True, inputs=[file])


def test_the_file_appears_at_the_end(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.json") as temporary:
        assert temporary.suffix == ".json"
        assert temporary.parent == tmp_path
        temporary.write_text("new")
        assert not (tmp_path / "a.json").exists()
    assert (tmp_path / "a.json").read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_the_umask_holds(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.json") as temporary:
        temporary.write_text("new")
    (tmp_path / "plain").touch()
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_file(problem: type[BaseException], tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("old")

    def run() -> None:
        with atomic_write(file, overwrite=True) as temporary:
            temporary.write_text("half")
            raise problem

    with pytest.raises(problem):
        run()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_operating_system_errors_become_output_errors(tmp_path: Path) -> None:
    def run() -> None:
        with atomic_write(tmp_path / "a.json"):
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"a\.json: writing failed \(No space left"):
        run()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_came_meanwhile_is_kept(tmp_path: Path) -> None:
    def run() -> None:
        with atomic_write(tmp_path / "a.json") as temporary:
            temporary.write_text("ours")
            (tmp_path / "a.json").write_text("theirs")

    with pytest.raises(OutputError, match="meanwhile"):
        run()
    assert (tmp_path / "a.json").read_text() == "theirs"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
