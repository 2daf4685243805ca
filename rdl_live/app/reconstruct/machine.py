"""What makes the image of a series, and says whether the series fits the patterns: one for each thread."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from rdl_live.app.reconstruct.judge import SeriesJudge
from rdl_live.app.reconstruct.makers import Maker, Staged
from rdl_live.app.reconstruct.series_stream import Images
from rdl_live.optics import PatternSet
from rdl_live.restore import Restored, Restorer
from rdl_live.restore.memory import Memory
from rdl_live.restore.restored import Guards


def calibrate(rec: Maker, first: npt.NDArray[np.generic]) -> Maker:
    """Let one series (angle, phase, y, x) of a recording decide on the weights, unless they are fixed; return `rec`.

    So all series are treated alike, whichever thread or computer makes their images.
    """
    if rec.wiener is None:
        rec.calibrate(first)
    return rec


def without_stripes(patterns: PatternSet) -> PatternSet:
    """Return the same patterns, none of them trusted: what a series that is out of step is reconstructed with."""
    return PatternSet(patterns=tuple(pattern.replace(trusted=False) for pattern in patterns))


class Machine:
    """Makes the image of one series after another; belongs to one thread at a time."""

    def __init__(
        self,
        maker: Maker,
        blurred: Callable[[], Maker],
        judge: SeriesJudge,
        memories: Sequence[Memory] = (),
        guarded: int | None = None,
    ) -> None:
        """Take the parts.

        Args:
            maker: for series that fit the patterns.
            blurred: makes what is used for those that do not: an image without super-resolution, and without ghosts.
            judge: whether a series fits.
            memories: of the series before, one for each plane; series come plane by plane, then time by time.
            guarded: number of the series, as they come, whose image the guards are to judge as it is delivered.
        """
        self.maker, self._blurred, self._judge = maker, blurred, judge
        self._memories = itertools.cycle(memories or (None,))
        self._other: Maker | None = None
        self._come, self._guarded = 0, guarded
        self.guards: Callable[[], Guards] | None = None
        """Asks the guards about the image of the series `guarded`; None until it was made from the patterns."""

    def __call__(self, series: npt.NDArray[np.generic]) -> Images:
        """Return the image of a raw series (angle, phase, y, x) in ADU, its standard error, and the verdict."""
        verdict, memory = self._judge(series), next(self._memories)
        asked, self._come = self._come == self._guarded, self._come + 1
        if verdict.trusted and asked and isinstance(self.maker, Restorer):
            made, self.guards = self.maker.restore_first(series, memory=memory)
        elif verdict.trusted:
            made = _restored(self.maker, series, memory)
        else:
            self._other = self._other or self._blurred()
            made = _restored(self._other, series, None)
        sigma, worth = (None if one is None else one.cpu().numpy() for one in (made.sigma, made.worth))
        if worth is None and memory is not None:
            worth = np.ones(made.sr.shape, np.float32)
        return Images(made.sr.cpu().numpy(), sigma, verdict, worth)


def _restored(maker: Maker, series: npt.NDArray[np.generic], memory: Memory | None) -> Restored:
    if isinstance(maker, Restorer):
        return maker.restore(series, memory=memory)
    return maker.restore(series) if isinstance(maker, Staged) else Restored.plain(maker(series))
