"""Is the specimen too sparse to show its pattern? Then no light and no focus would help, and neither is advised.

The bands of N point sources agree by chance to 1 / sqrt(N) of what a pattern gives, whatever the light. So few bright
spots never reach the score that is asked of a pattern that nothing predicts.
"""

from torch import Tensor

from rdl_live.optics.estimate.bands import Bands, power

_FEW = 42.0
"""Spots up to which their agreement by chance is above the score of a pattern: 6.5^2."""
_GRANULAR = 0.12
"""Largest part of the specimen's light in one plane wave, beyond which it is spots: below it fills the field."""
_LOWEST, _FAINTEST = 0.3, 0.05
_FLAT = 0.99


def few_spots(bands: Bands) -> int | None:
    """Return about how many bright spots make up the specimen; None where it is not of few spots."""
    window = bands.grid.window.double()
    light = bands.widefield[0].real.double()
    total = bands.photons * float(window.sum())
    if not total > 0 or _largest_wave(bands) < _GRANULAR * total:
        return None
    spots = light - float(light[window > _FLAT].median()) * window
    squares = float(spots.square().sum()) - bands.wide_floor
    if squares <= 0:
        return None
    # A spot of the point-spread function h and sum 1 has the sum of squares of h.
    single = float(bands.grid.transfer.double().square().mean())
    count = float(spots.sum()) ** 2 * single / squares
    count *= bands.grid.area * window.numel() / float(window.sum()) ** 2
    return max(round(count), 1) if count < _FEW else None


def _largest_wave(bands: Bands) -> float:
    """Return the largest |S(k)| of the specimen at the wave vectors that patterns have [photons]."""
    columns = bands.wide_spectrum.shape[-1]
    transfer = bands.grid.transfer[:, :columns]
    lowest = _LOWEST * bands.otf.cutoff * max(bands.shape) * bands.otf.pixel_um
    limits = (bands.grid.rings[:, :columns] > lowest) & (transfer > _FAINTEST)
    found: Tensor = (power(bands.wide_spectrum[0]) - bands.wide_floor).clamp(min=0).sqrt()
    return float((found[limits] / transfer[limits]).max()) if bool(limits.any()) else 0.0
