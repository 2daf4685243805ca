"""Whether new weights may take the place of the old ones: the comparison, on the recordings that they learnt from.

The comparison looks at time points only that were held out from the training.
"""

from collections.abc import Sequence

import numpy as np

from rdl_live.app.compare.candidate import candidates
from rdl_live.app.compare.run import Verdict, compare
from rdl_live.train.recordings.film import Film

JUDGED = 3
"""Recordings that are looked at, of as many places as there are."""


def judge_films(films: Sequence[Film], names: tuple[str, str]) -> tuple[bool, str]:
    """Compare the second denoiser with the first.

    Args:
        films: that the second was trained on, or others.
        names: of the old denoiser and the new one: shipped weights, or files.

    Returns:
        Whether the new one is offered for use: certainly better somewhere, and nowhere worse or with warnings; and why,
        in a sentence.

    Raises:
        RdlError: weights or recordings that cannot be used.
    """
    models = candidates(names)
    chosen = np.unique(np.linspace(0, len(films) - 1, min(JUDGED, len(films))).round().astype(int))
    found = [(films[index].name, compare(films[index], models).verdicts[1]) for index in chosen.tolist()]
    return decided(found)


def decided(found: Sequence[tuple[str, Verdict]]) -> tuple[bool, str]:
    """Return whether the verdicts on recordings, with their names, are for the new denoiser; and why, in a sentence."""
    against = [(name, one) for name, one in found if one.standing == "worse" or one.warnings]
    better = [(name, one) for name, one in found if one.offered]
    name, one = (against or better or list(found))[0]
    words = one.words.replace(" on this recording", "")
    return bool(better) and not against, words if len(found) == 1 else f"{name}: {words}"
