"""The comparison without ground truth: it ranks as the truth would, is unsure where it must be, and says so."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from rdl_live.app.compare import run as comparing
from rdl_live.app.compare.bootstrap import Interval, error_difference, error_quotient, root_error
from rdl_live.app.compare.candidate import Candidate, candidates, unseen_times
from rdl_live.app.compare.health import Health
from rdl_live.app.compare.judge import decided
from rdl_live.app.compare.page import write_page
from rdl_live.errors import ConfigError, DataError
from rdl_live.optics import Camera, Channel, Microscope, Optics
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.train.recordings.film import Film
from rdl_models import Card, ObjectPlane, ObjectPlaneConfig, Weights, load_weights

HEALTH = Health(1.0, 1.0, 1.0, 110.0, 2.0, 0.05, 0.1, ())


@pytest.fixture(scope="module")
def film() -> Film:
    scope = Microscope(
        name="test",
        optics=Optics(na=1.4, pixel_size_um=0.07),
        channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
        camera=Camera(offset_adu=100.0, gain_e_per_adu=0.5, read_noise_e=1.0),
    )
    recorded = simulate(scope, SpecimenSettings(seed=4), photons=4.0, shape=(96, 96), time_points=6, seed=3)
    frames = np.stack([series.adu.numpy() for series in recorded])
    return Film("film.tif", scope, scope.channels[0], recorded.patterns, frames)


def made_up(size: float) -> Candidate:
    """A model that invents structure."""
    torch.manual_seed(1)
    network = ObjectPlane(ObjectPlaneConfig(width=8, blocks=1))
    torch.nn.init.normal_(network.head.weight, std=size)
    card = Card(name="wrong", architecture="object-plane", config={}, trained_on={}, steps=0, minutes=0)
    return Candidate("wrong", Weights(network.eval().requires_grad_(False), card))


def test_a_better_model_is_told_from_none_and_from_one_that_invents(film: Film) -> None:
    rdl = Candidate("rdl", load_weights("rdl"))
    found = comparing.compare(film, [rdl, Candidate("none", None), made_up(0.2)])
    standing = {one.model.name: one.standing for one in found.verdicts}
    assert standing == {"rdl": "first", "none": "worse", "wrong": "worse"}
    assert found.best.model is rdl
    assert "keep rdl" in found.words
    record = found.record()
    assert record["best"] == "rdl"
    assert [one["offered"] for one in record["models"]] == [True, False, False]
    assert "not offered" in record["models"][2]["verdict"]
    none = found.verdicts[1]
    assert none.to_first.low > 1
    assert found.verdicts[0].health.from_noise < none.health.from_noise
    # What is denoised agrees with independent photons up to finer detail than the plain reconstruction does.
    resolutions = [one.health.frc_nm for one in found.verdicts[:2]]
    assert None not in resolutions
    assert resolutions[0] < resolutions[1] < 250  # type: ignore[operator]


def test_the_page_shows_all_models_and_needs_nothing_else(film: Film, tmp_path_factory: pytest.TempPathFactory) -> None:
    rdl, none = Candidate("rdl", load_weights("rdl")), Candidate("none", None)
    found = comparing.compare(film, [none, rdl])
    assert found.best.model is rdl
    assert found.words.startswith("use rdl")
    page = tmp_path_factory.mktemp("page") / "c.html"
    write_page(page, found)
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 2
    assert "better than none" in text
    assert "http" not in text


def trained_on(film: Film, held: Sequence[int]) -> Candidate:
    card = load_weights("rdl").card
    record = {"recordings": [{"fingerprint": film.fingerprint, "held_out": list(held)}]}
    return Candidate("mine", Weights(load_weights("rdl").network, card.model_copy(update={"trained_on": record})))


def test_time_points_that_were_trained_on_do_not_judge(film: Film) -> None:
    rdl = Candidate("rdl", load_weights("rdl"))
    assert unseen_times(film, [rdl]) == ([0, 1, 2, 3, 4, 5], False)
    assert unseen_times(film, [rdl, trained_on(film, [4, 5])]) == ([4, 5], True)
    with pytest.raises(DataError, match="trained on every time point"):
        comparing.compare(film, [rdl, trained_on(film, [])])


@pytest.mark.parametrize(
    ("interval", "health", "standing"),
    [
        (Interval(0.9, 0.85, 0.95), HEALTH, "better"),
        (Interval(0.99, 0.95, 1.02), HEALTH, "equal"),
        (Interval(1.1, 1.02, 1.2), HEALTH, "worse"),
        (Interval(0.9, 0.85, 0.95), Health(1.0, 1.6, 1.0, 110.0, 2.0, 0.05, 0.1, ()), "doubtful"),
        (Interval(0.9, 0.85, 0.95), Health(1.0, 1.0, 2.0, 110.0, 2.0, 0.05, 0.1, ()), "doubtful"),
        (Interval(0.9, 0.85, 0.95), Health(1.0, 1.0, 1.0, 110.0, 2.0, 0.05, 0.1, ("denoising moved",)), "doubtful"),
    ],
)
def test_standing_follows_from_interval_and_guards(interval: Interval, health: Health, standing: str) -> None:
    rdl = Candidate("rdl", load_weights("rdl"))
    one = Interval(1.0, 1.0, 1.0)
    less = Interval(interval.value - 1, interval.low - 1, interval.high - 1)
    first = comparing.Verdict(rdl, one, one, less, HEALTH, "first", "")
    found, words = comparing._judged(made_up(0.1), interval, less, health, first)
    assert found == standing
    assert comparing.Verdict(rdl, one, one, less, health, found, words).offered == (standing == "better")


def verdict(standing: str) -> comparing.Verdict:
    one = Interval(1.0, 1.0, 1.0)
    model = Candidate("mine", load_weights("rdl"))
    return comparing.Verdict(model, one, one, one, HEALTH, standing, f"{standing} than rdl on this recording: so")


@pytest.mark.parametrize(
    ("standings", "offered", "words"),
    [
        (["better"], True, "better than rdl: so"),
        (["equal"], False, "equal than rdl: so"),
        (["equal", "better"], True, "place 2: better than rdl: so"),
        (["better", "worse"], False, "place 2: worse than rdl: so"),
        (["doubtful", "better", "better"], False, "place 1: doubtful than rdl: so"),
    ],
)
def test_new_weights_are_offered_if_better_somewhere_and_worse_nowhere(
    standings: list[str], offered: bool, words: str
) -> None:
    found = [(f"place {number}", verdict(one)) for number, one in enumerate(standings, start=1)]
    assert decided(found) == (offered, words)


def test_errors_that_cannot_be_told_from_nothing_are_compared_by_their_difference() -> None:
    """A good denoiser's error can be so small that its unbiased estimate is below 0; a quotient then means nothing."""
    rng = np.random.default_rng(1)
    times = np.repeat(np.arange(6), 4).tolist()
    first = rng.normal(0.0, 0.3, len(times))
    first -= first.mean() + 0.01
    errors = first - 0.02 + rng.normal(0, 0.002, len(times))
    quotient, less = error_quotient(errors, first, times), error_difference(errors, first, times)
    assert quotient.record() == [None, 0.0, None]
    assert -0.03 < less.low < less.high < -0.01
    old = comparing.Verdict(made_up(0.1), quotient, quotient, less, HEALTH, "first", "")
    found, words = comparing._judged(made_up(0.1), quotient, less, HEALTH, old)
    assert found == "better"
    assert "below that of" in words
    assert "inf" not in words


def test_intervals_hold_the_truth_and_shrink_with_data() -> None:
    rng = np.random.default_rng(0)
    few, many = (np.repeat(np.arange(count), 5).tolist() for count in (4, 100))
    narrow, wide = (root_error(rng.normal(0.25, 0.1, len(times)), times) for times in (many, few))
    assert narrow.low < 0.5 < narrow.high
    assert narrow.high - narrow.low < 0.5 * (wide.high - wide.low)
    shared = rng.normal(1.0, 0.5, len(many))
    quotient = error_quotient(0.81 * shared + rng.normal(0, 0.02, len(many)), shared, many)
    assert quotient.low < 0.9 < quotient.high
    assert quotient.high - quotient.low < 0.01  # noise that both share does not blur the comparison


def test_models_must_be_two_and_exist() -> None:
    for names in (["rdl"], ["rdl", "rdl"], []):
        with pytest.raises(ConfigError, match="two or more"):
            candidates(names)
    with pytest.raises(ConfigError, match="no-such"):
        candidates(["rdl", "no-such"])
