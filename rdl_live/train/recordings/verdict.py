"""Whether a training from recordings has helped, in figures and in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rdl_live.train.loop.held_out import WORTH
from rdl_live.train.recordings.bootstrap import Interval
from rdl_live.train.recordings.judge import Judged, Progress, measure, other_patterns
from rdl_live.train.recordings.moments import Moments
from rdl_live.train.recordings.questions import Question

BRIGHT = 0.04
"""Noise of the Wiener image relative to its contrast, below which there is hardly anything to denoise."""


@dataclass(frozen=True)
class Gain:
    """What is held out, before and after; of several recordings the one that says most against the training."""

    here: Judged
    """At held-out time points, the whole field."""
    elsewhere: Judged | None
    """At the place that nothing was learnt from; None where the field is too small to have one."""
    trained: bool = True
    """Whether any of the weights looked better than those that were started from, so that there was anything to
    judge."""

    @property
    def ratio(self) -> float:
        """Error after / before."""
        return self.here.ratio.value

    @property
    def outcome(self) -> str:
        """`helped` (certainly, worth it, and no harm where nothing was learnt), `local` (not there), `nothing` (or next
        to nothing), `worse`, or `unknown`."""
        if not self.trained or self.here.standing == "equal":
            return "nothing"
        if self.here.standing != "better":
            return self.here.standing
        if not self.ratio < WORTH:
            return "nothing"
        apart = self.elsewhere
        return "helped" if apart is None or (apart.standing != "worse" and apart.ratio.value < 1) else "local"

    @property
    def helped(self) -> bool:
        """Whether the weights are worth a file."""
        return self.outcome == "helped"

    @property
    def words(self) -> str:
        """For the user."""
        if not self.trained:
            return (
                "nothing gained: at no time were the errors on held-out photons smaller than with the weights that "
                "were started from; nothing is changed, keep the weights that you have"
            )
        found = f"errors at held-out time points are {_words(self.here.ratio)} of what they were"
        if self.elsewhere is not None:
            found += f", {_words(self.elsewhere.ratio)} in the part of the field that was not learnt from"
        reasons = {
            "helped": "training helped",
            "local": "training helped only where it was learnt",
            "nothing": "next to nothing gained",
            "worse": "training made it worse",
            "unknown": "cannot tell whether training helped",
        }
        end = "" if self.helped else "; nothing is changed, keep the weights that you have"
        return f"{reasons[self.outcome]}: {found}{end}"


def _words(ratio: Interval) -> str:
    if not math.isfinite(ratio.value):
        return "too small to compare, a part"
    return f"{ratio.value:.2f} (95 %: {ratio.low:.2f} to {ratio.high:.2f})"


_SAME = Judged(Interval(1.0, 1.0, 1.0), Interval(0.0, 0.0, 0.0), 0.0, ())
NOTHING = Gain(_SAME, None, trained=False)
"""None of the weights looked better than those that were started from."""
JUDGED = 3
"""Recordings that are looked at."""


def gain(
    moments: Moments,
    before: nn.Module,
    after: nn.Module,
    *,
    progress: Progress = lambda _what, _done, _total: None,
) -> Gain:
    """Compare two denoisers on what was held out of a training."""
    films = list({id(moment.film): moment.film for moment in moments.held}.values())
    found: list[Gain] = []
    for film in films[:: max(1, len(films) // JUDGED)][:JUDGED]:
        others, networks = other_patterns(film), (before, after)
        held = [moment.time for moment in moments.judging(film)]
        here = measure(film, networks, held, others=others, progress=progress).judged(1)
        place, elsewhere = moments.places[id(film)], None
        if place is not None:
            fresh = [moment.time for moment in moments.fresh(film)]
            sample = measure(film, networks, [*fresh, *held], area=place.area(film), others=others, progress=progress)
            elsewhere = sample.judged(1)
        found.append(Gain(here, elsewhere))
    return max(found, key=lambda one: (not one.helped, one.ratio))


def noise_share(held: Sequence[Question]) -> float:
    """Return the expected error of the Wiener image relative to its contrast, as what is held out says."""
    noise, contrast = 0.0, 0.0
    for question in held:
        evidence = question.evidence
        damped = (evidence.power + evidence.damping).clamp(min=1e-12)
        noise += float((evidence.noise[:, None, None] * evidence.target**2 / damped).sum())
        shown: Tensor = evidence.target * evidence.matched / damped
        shown[:, 0, 0] = 0
        contrast += float(torch.view_as_real(shown).square().sum())
    return math.sqrt(noise / contrast) if contrast > 0 else math.inf
