"""Can the image that is shown be believed? Words that stand on the image itself, so that nobody overlooks them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rdl_live._names import NO_DENOISER
from rdl_live.view.common.banner import Caution
from rdl_live.view.live.session import Activity, Images, Snapshot
from rdl_live.view.patterns.health import pattern_health, remedy
from rdl_live.view.patterns.verdicts import Verdict

if TYPE_CHECKING:  # loads torch, which the window must not wait for
    from rdl_live.optics.pattern import PatternSet

OLD_AFTER = 3
"""So many series in a row without an image, because they were refused: what is shown is of the past."""


class ImageTrust:
    """Follows images and snapshots; says what stands on the panes."""

    def __init__(self) -> None:
        self._images: Images | None = None
        self._refused = 0
        self._fresh = True

    def see_images(self, images: Images) -> None:
        """Take the images that are shown from now on."""
        self._fresh = self._images is None or images["widefield"] is not self._images["widefield"] or self._fresh
        self._images = images

    def cautions(self, snapshot: Snapshot) -> dict[str, Caution]:
        """Return the warning of each pane whose image may be unworthy of belief."""
        refused = snapshot.counts.refused
        # The count begins anew with each run.
        if self._fresh or refused < self._refused:
            self._refused, self._fresh = refused, False
        images = self._images
        if images is None or images.patterns is None:
            return {"sim": Caution(), "denoised": Caution()}
        doubts = snapshot.doubts if images.denoiser != NO_DENOISER else ()
        nominal = snapshot.nominal if images.channel == snapshot.patterns_of else None
        found = cautions_of(images.patterns, doubts, seen=images.seen, nominal=nominal)
        found |= dict.fromkeys(images.by_network, found["denoised"])
        if images.misfit:
            why = images.misfit[0].upper() + images.misfit[1:]
            found = dict.fromkeys(found, Caution(f"Not super-resolved: this series does not fit the pattern\n{why}."))
        old = self._old(refused - self._refused, snapshot.activity)
        return dict.fromkeys(found, Caution(old)) if old else found

    def _old(self, refused: int, activity: Activity) -> str:
        if refused < OLD_AFTER or not activity.busy:
            return ""
        return (
            f"This image is old: the last {refused} series gave no new one\n"
            "Frames were missing or did not show the planned pattern. Stop, and check that pattern display and "
            "camera are in step."
        )


def cautions_of(
    used: "PatternSet | None",
    doubts: Sequence[str],
    *,
    seen: "PatternSet | None" = None,
    nominal: "PatternSet | None" = None,
) -> dict[str, Caution]:
    """Return the warning of each super-resolved image, by its pane.

    Args:
        used: patterns that the images were made with.
        doubts: what the guards say of the denoised image.
        seen: patterns at the latest look, trusted or not; None: those that were used.
        nominal: the patterns that were planned, where that is known.
    """
    if used is None:
        return {"sim": Caution(), "denoised": Caution()}
    wrong = Caution(_of_patterns(used, used if seen is None else seen, nominal))
    doubted = Caution()
    if doubts:
        first = doubts[0]
        doubted = Caution(f"Caution: fine detail may be wrong\n{first[0].upper()}{first[1:]}.", grave=False)
    return {"sim": wrong, "denoised": wrong if wrong.words else doubted}


def _of_patterns(used: "PatternSet", now: "PatternSet", nominal: "PatternSet | None") -> str:
    """Return what the patterns at the latest look mean for an image."""
    health = pattern_health(now, nominal)
    bad = [index for index, one in enumerate(health) if one.state is Verdict.BAD]
    if not bad:
        return ""
    # What was found earlier goes on being used; while the light has it no more, stripes are reconstructed of nothing.
    earlier = [index for index in bad if used[index].trusted]
    if len(bad) == len(health):
        head = (
            "Do not trust this image: no pattern is trusted any more"
            if earlier
            else "Not super-resolved: no pattern is trusted"
        )
    elif earlier:
        head = f"Do not trust fine detail: the pattern of {_named(bad)} is not trusted any more"
    else:
        head = f"Not super-resolved in every direction: the pattern of {_named(bad)} is not trusted"
    return f"{head}\n{remedy(health[bad[0]].advice)}"


def _named(indices: Sequence[int]) -> str:
    """Return "orientation 2" or "orientations 1 and 2"."""
    numbers = " and ".join(str(index + 1) for index in indices)
    return f"orientation{'s' if len(indices) > 1 else ''} {numbers}"
