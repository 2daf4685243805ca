"""Can the image that is shown be believed? Words that stand on the image itself, so that nobody overlooks them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rdl_live.view.banner import Caution
from rdl_live.view.pattern_health import pattern_health, remedy
from rdl_live.view.session import Activity, Images, Snapshot
from rdl_live.view.verdicts import Verdict

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
        self._fresh = self._images is None or images.sim is not self._images.sim or self._fresh
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
        wrong = Caution(self._old(refused - self._refused, snapshot.activity) or _of_patterns(images, snapshot.nominal))
        doubted = Caution()
        if snapshot.doubts and images.denoiser != "none":
            first = snapshot.doubts[0]
            head = "In doubt: detail may be lost or wrong"
            doubted = Caution(f"{head}\n{first[0].upper()}{first[1:]}.", grave=False)
        return {"sim": wrong, "denoised": wrong if wrong.words else doubted}

    def _old(self, refused: int, activity: Activity) -> str:
        if refused < OLD_AFTER or not activity.busy:
            return ""
        return (
            f"This image is old: the last {refused} series gave none\n"
            "Frames were missing or showed another pattern than planned. Stop, and check that pattern display and "
            "camera are in step."
        )


def _of_patterns(images: Images, nominal: "PatternSet | None") -> str:
    """Return what the patterns at the latest look mean for an image."""
    used, now = images.patterns, images.seen
    if used is None:
        return ""
    now = now or used
    health = pattern_health(now, nominal)
    bad = [index for index, one in enumerate(health) if one.state is Verdict.BAD]
    if not bad:
        return ""
    # What was found earlier goes on being used; while the light has it no more, stripes are reconstructed of nothing.
    earlier = [index for index in bad if used[index].trusted]
    if len(bad) == len(health):
        head = (
            "Do not believe this image: no pattern is trusted any more"
            if earlier
            else "Not super-resolved: no pattern is trusted"
        )
    elif earlier:
        head = f"Do not believe fine detail: the pattern of {_named(bad)} is not trusted any more"
    else:
        head = f"Not super-resolved in every direction: the pattern of {_named(bad)} is not trusted"
    return f"{head}\n{remedy(health[bad[0]].advice)}"


def _named(indices: Sequence[int]) -> str:
    """Return "orientation 2" or "orientations 1 and 2"."""
    numbers = " and ".join(str(index + 1) for index in indices)
    return f"orientation{'s' if len(indices) > 1 else ''} {numbers}"
