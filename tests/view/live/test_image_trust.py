"""What stands on an image that is not to be believed: said when it is so, and only then."""

from dataclasses import replace

import numpy as np
import pytest

from rdl_live.optics.pattern import PatternSet, evenly_spaced
from rdl_live.view.common.banner import Caution
from rdl_live.view.live.image_trust import OLD_AFTER, ImageTrust
from rdl_live.view.live.session import Activity, Counts, Images, Snapshot
from rdl_live.view.panes.picture import Picture

LIVE = Snapshot(Activity.LIVE)


def patterns(*bad: int) -> PatternSet:
    """Patterns, of which some are not trusted."""
    made = evenly_spaced(0.195, first_angle_deg=8, modulation=(0.85,))
    doubt = {"trusted": False, "doubt": "no stripes: is the SLM on?"}
    return made.replace(
        patterns=[{**one.model_dump(), "score": 30.0, **(doubt if i in bad else {})} for i, one in enumerate(made)]
    )


def images(used: PatternSet, seen: PatternSet | None, denoiser: str = "none") -> Images:
    picture = Picture(np.ones((8, 8), np.float32), 0.03)
    pictures = {"widefield": picture, "sim": picture, "denoised": picture}
    return Images(1, "488", pictures, patterns=used, denoiser=denoiser, seen=seen)


def words(
    used: PatternSet, seen: PatternSet | None, snapshot: Snapshot = LIVE, denoiser: str = "none"
) -> dict[str, str]:
    trust = ImageTrust()
    trust.see_images(images(used, seen, denoiser))
    return words_of(trust, snapshot)


def words_of(trust: ImageTrust, snapshot: Snapshot) -> dict[str, str]:
    return {name: caution.words for name, caution in trust.cautions(snapshot).items()}


def test_trusted_patterns_and_no_image_need_no_words() -> None:
    assert words_of(ImageTrust(), LIVE) == {"sim": "", "denoised": ""}
    assert words(patterns(), patterns()) == {"sim": "", "denoised": ""}
    assert words(patterns(), None) == {"sim": "", "denoised": ""}


@pytest.mark.parametrize(
    ("used", "seen", "head"),
    [
        ((), (0, 1, 2), "Do not trust this image: no pattern is trusted any more"),
        ((0, 1, 2), (0, 1, 2), "Not super-resolved: no pattern is trusted"),
        ((), (1,), "Do not trust fine detail: the pattern of orientation 2 is not trusted any more"),
        ((0, 1), (0, 1), "Not super-resolved in every direction: the pattern of orientations 1 and 2 is not trusted"),
    ],
)
def test_both_panes_say_what_is_wrong_and_what_to_do(used: tuple[int, ...], seen: tuple[int, ...], head: str) -> None:
    told = words(patterns(*used), patterns(*seen))
    assert told["sim"] == told["denoised"] == f"{head}\nNo stripes: is the SLM on?"


def test_words_go_when_trust_returns() -> None:
    trust = ImageTrust()
    trust.see_images(images(patterns(), patterns(0)))
    assert words_of(trust, LIVE)["sim"]
    trust.see_images(images(patterns(), patterns()))
    assert words_of(trust, LIVE) == {"sim": "", "denoised": ""}


def test_an_image_that_is_not_followed_by_others_is_called_old() -> None:
    trust = ImageTrust()
    trust.see_images(images(patterns(), patterns()))
    counted = [replace(LIVE, counts=Counts(refused=5 + more)) for more in range(OLD_AFTER + 1)]
    assert [bool(words_of(trust, one)["sim"]) for one in counted] == [False] * OLD_AFTER + [True]
    assert not words_of(trust, replace(counted[-1], activity=Activity.IDLE))["sim"]
    trust.see_images(images(patterns(), patterns()))
    assert not words_of(trust, counted[-1])["sim"]


def test_a_new_raw_frame_alone_makes_no_image_young() -> None:
    trust, shown = ImageTrust(), images(patterns(), patterns())
    trust.see_images(shown)
    words_of(trust, LIVE)
    trust.see_images(replace(shown, number=2))
    assert "old" in words_of(trust, replace(LIVE, counts=Counts(refused=OLD_AFTER)))["sim"]


def test_doubts_of_the_guards_concern_the_denoised_image_alone() -> None:
    doubted = replace(LIVE, doubts=("detail may be lost",))
    trust = ImageTrust()
    trust.see_images(images(patterns(), patterns(), "rdl"))
    assert trust.cautions(doubted) == {
        "sim": Caution(),
        "denoised": Caution("Caution: fine detail may be wrong\nDetail may be lost.", grave=False),
    }
    assert not words(patterns(), patterns(), doubted)["denoised"]
