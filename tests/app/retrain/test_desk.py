"""The desk starts a retraining for the session's microscope, where it may write, one at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rdl_live.app.retrain.desk import FOLDER, RetrainDesk
from rdl_live.errors import ConfigError, OutputError
from rdl_live.files import load_microscope
from rdl_live.optics import Channel, Microscope, Optics
from rdl_live.view.retrain.state import Phase

SCOPE = Microscope(
    name="test",
    optics=Optics(na=1.3, pixel_size_um=0.08),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
)
PATIENCE_S = 200.0


class Sitting:
    """As much of a session as the desk needs."""

    def __init__(self, source: Microscope | Path | str, microscope: Microscope | None = None) -> None:
        self.source, self.microscope = source, microscope


@pytest.fixture
def desk() -> Iterator[RetrainDesk]:
    made = RetrainDesk(Sitting(SCOPE, SCOPE))  # type: ignore[arg-type]
    yield made
    made.close()


def test_nothing_to_learn_from_and_nowhere_to_write(desk: RetrainDesk, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="record a time-lapse"):
        desk.start([], 1, "rdl", "green", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        desk.start([tmp_path / "raw"], 1, "rdl", "green", tmp_path / "file")
    assert desk.progress is None


def test_a_described_microscope_is_written_beside_the_weights_and_only_one_training_runs(
    desk: RetrainDesk, tmp_path: Path
) -> None:
    desk.start([tmp_path / "gone.tif"], 1, "rdl", "green", tmp_path)
    files = list((tmp_path / FOLDER).iterdir())
    assert [one.suffix for one in files] == [".yaml"]
    assert load_microscope(files[0]) == SCOPE
    with pytest.raises(ConfigError, match="runs already"):
        desk.start([tmp_path / "gone.tif"], 1, "rdl", "green", tmp_path)
    training = desk._training
    assert training is not None
    end = training.wait(PATIENCE_S)
    assert end.phase is Phase.FAILED
    assert "gone.tif: no such file" in end.words[-1]
    assert desk.progress == end


def test_cancelled_before_it_trains_it_ends_at_once(tmp_path: Path) -> None:
    (tmp_path / "M.yaml").write_text("name: x\n", encoding="utf-8")
    desk = RetrainDesk(Sitting(tmp_path / "M.yaml"))  # type: ignore[arg-type]
    desk.start([tmp_path / "gone.tif"], 1, "rdl", "green", tmp_path)
    assert not any(one.suffix == ".yaml" for one in (tmp_path / FOLDER).iterdir())  # the session's own file is used
    desk.cancel()
    training = desk._training
    assert training is not None
    assert training.wait(PATIENCE_S).phase in (Phase.CANCELLED, Phase.FAILED)  # failed: it was quicker
    desk.close()
