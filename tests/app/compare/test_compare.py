"""The comparison without ground truth: it ranks as the truth would, is unsure where it must be, and says so."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from rdl_live.app.compare import run as comparing
from rdl_live.app.compare.candidate import Candidate, candidates, unseen_times
from rdl_live.app.compare.health import Health
from rdl_live.app.compare.judge import decided
from rdl_live.app.compare.page import write_page
from rdl_live.errors import ConfigError, DataError
from rdl_live.optics import Camera, Channel, Microscope, Optics
from rdl_live.specimen import SpecimenSettings, simulate
from rdl_live.train.recordings.answers import answer
from rdl_live.train.recordings.bootstrap import Draws, Interval, interval, root_quotient
from rdl_live.train.recordings.film import Film, Tile
from rdl_live.train.recordings.judge import Judged
from rdl_models import Card, ObjectPlane, ObjectPlaneConfig, Weights, build, load_weights, save_weights

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
    assert (record["channel"], record["channel_assumed"]) == (film.channel.name, False)
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


@pytest.mark.parametrize("architecture", ["object-plane", "rdl-sim"])
def test_what_is_judged_is_the_image_that_a_user_gets(film: Film, architecture: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    torch.manual_seed(2)
    if architecture == "rdl-sim":
        small = {"width": 4, "generated_groups": 1, "noisy_groups": 1, "trunk_groups": 1, "blocks": 1, "residual": True}
    else:
        small = {"width": 8, "blocks": 1}
    network = build(architecture, small)
    for parameter in network.parameters():  # so that it does something
        parameter.data += 0.02 * torch.randn_like(parameter)
    card = Card(name="w", architecture=architecture, config=vars(network.config), trained_on={}, steps=0, minutes=0)
    save_weights(path, network, card)
    mine = candidates([str(path), "none"])[0]
    tile = Tile(film, 0, 0, film.shape)
    photons = film.photons(0)
    evidence = tile.evidence(photons)
    with torch.no_grad():
        spectrum = answer(mine.network, tile, photons, evidence)
    image = tile.mean(photons) * evidence.image(spectrum[None])[0, : 2 * film.shape[0], : 2 * film.shape[1]]
    restored = mine.restorer(film, mine).restore(film.frames[0]).sr
    # The noise of the camera is measured on one series there, on three here.
    assert float((image - restored).std()) < 0.01 * float(restored.std())
    plain = mine.restorer(film, mine).restore(film.frames[0]).sim
    assert plain is not None
    assert float((restored - plain).std()) > 0.02 * float(restored.std())


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


def judged(value: float, low: float, high: float) -> Judged:
    return Judged(Interval(value, low, high), Interval(value**2 - 1, low**2 - 1, high**2 - 1), 1.0, ())


@pytest.mark.parametrize(
    ("figures", "apart", "standing", "words"),
    [
        ((0.9, 0.85, 0.95), None, "better", "better than rdl on this recording: error 0.900"),
        ((0.9, 0.85, 0.95), (0.99, 0.9, 1.1), "better", "better than rdl"),
        ((0.9, 0.85, 0.95), (1.1, 1.05, 1.2), "unknown", "1.100 (1.050 to 1.200) in the part of the field"),
        ((0.97, 0.9, 1.02), None, "unknown", "cannot tell whether it is better than rdl"),
        ((1.0, 0.99, 1.01), None, "equal", "no reason to change"),
        ((1.1, 1.02, 1.2), None, "worse", "worse than rdl"),
    ],
)
def test_standing_follows_from_the_interval_here_and_elsewhere(
    figures: tuple[float, float, float], apart: tuple[float, float, float] | None, standing: str, words: str
) -> None:
    found, text = comparing.judged_words(judged(*figures), None if apart is None else judged(*apart), "rdl")
    assert found == standing
    assert words in text


def test_the_verdict_in_one_sentence_fits_the_standings(film: Film) -> None:
    first = verdict("first")
    for others, words in (
        ([verdict("better")], "use mine"),
        ([verdict("better", "lines")], "keep mine for now: mine is better, but with warnings"),
        ([verdict("unknown")], "cannot tell whether mine is better"),
        ([verdict("worse"), verdict("equal")], "none of the others is certainly better"),
    ):
        assert words in comparing.Comparison(film, (first, *others), (0,), left_out=False).words


def verdict(standing: str, *warnings: str) -> comparing.Verdict:
    one, model = Interval(1.0, 1.0, 1.0), Candidate("mine", load_weights("rdl"))
    words = f"{standing} than rdl on this recording: so"
    figures = judged(0.9, 0.85, 0.95) if standing == "better" else judged(1, 1, 1)
    return comparing.Verdict(model, one, figures, None, HEALTH, standing, words, warnings)


@pytest.mark.parametrize(
    ("health", "warning"),
    [
        (Health(1.0, 1.6, 1.0, 110.0, 2.0, 0.05, 0.1, ()), "more structure away"),
        (Health(1.0, 1.0, 2.0, 110.0, 2.0, 0.05, 0.1, ()), "pattern is left"),
        (Health(1.0, 1.0, 1.0, 110.0, 2.0, 0.05, 0.1, ("denoising moved",)), "denoising moved"),
        (HEALTH, None),
    ],
)
def test_what_is_wrong_with_images_is_a_warning_and_keeps_weights_from_being_offered(
    health: Health, warning: str | None
) -> None:
    found = comparing._complaints(health, HEALTH)
    assert len(found) == (warning is not None)
    assert warning is None or warning in found[0]
    one = verdict("better", *found)
    assert one.offered == (warning is None)
    assert one.record()["standing"] == "better"
    assert one.record()["warnings"] == found


@pytest.mark.parametrize(
    ("verdicts", "offered", "words"),
    [
        ([verdict("better")], True, "better than rdl: so"),
        ([verdict("equal")], False, "equal than rdl: so"),
        ([verdict("unknown"), verdict("better")], True, "place 2: better than rdl: so"),
        ([verdict("better"), verdict("worse")], False, "place 2: worse than rdl: so"),
        ([verdict("better", "lines"), verdict("better"), verdict("better")], False, "place 1: better than rdl: so"),
    ],
)
def test_new_weights_are_offered_if_better_somewhere_and_worse_nowhere(
    verdicts: list[comparing.Verdict], offered: bool, words: str
) -> None:
    found = [(f"place {number}", one) for number, one in enumerate(verdicts, start=1)]
    assert decided(found) == (offered, words)


def test_errors_that_cannot_be_told_from_nothing_are_compared_by_their_difference() -> None:
    """A good denoiser's error can be so small that its unbiased estimate is below 0; a quotient then means nothing."""
    none = Judged(Interval(np.inf, 0.0, np.inf), Interval(-0.02, -0.03, -0.01), -0.01, ())
    found, words = comparing.judged_words(none, None, "rdl")
    assert found == "better"
    assert "below that of" in words
    assert "inf" not in words
    assert none.ratio.record() == [None, 0.0, None]


def test_intervals_hold_the_truth_and_shrink_with_data() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for times, places in ((3, 20), (30, 200)):
        draws = Draws(times, places, np.ones(places))
        # Structures stay where they are, so the errors of a place are alike at all times.
        first = 1.0 + 0.4 * rng.standard_normal((1, places)) + 0.1 * rng.standard_normal((times, places))
        ratio = root_quotient(draws.means(0.81 * first + 0.02 * rng.standard_normal(first.shape)), draws.means(first))
        assert ratio.low < 0.9 < ratio.high
        level = interval(draws.means(first))
        assert level.low < 1.0 < level.high
        widths.append(level.high - level.low)
        assert ratio.high - ratio.low < 0.2 * widths[-1]  # what both share does not blur the comparison
    assert widths[1] < 0.5 * widths[0]


def test_models_must_be_two_and_exist() -> None:
    for names in (["rdl"], ["rdl", "rdl"], []):
        with pytest.raises(ConfigError, match="two or more"):
            candidates(names)
    with pytest.raises(ConfigError, match="no-such"):
        candidates(["rdl", "no-such"])
