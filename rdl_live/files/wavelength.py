"""The colour in which light of a wavelength is seen: how files suggest to show a channel."""

from itertools import pairwise

_LOWEST, _HIGHEST = 380.0, 645.0
_CORNERS = (
    (380.0, (1.0, 0.0, 1.0)),
    (440.0, (0.0, 0.0, 1.0)),
    (490.0, (0.0, 1.0, 1.0)),
    (510.0, (0.0, 1.0, 0.0)),
    (580.0, (1.0, 1.0, 0.0)),
    (645.0, (1.0, 0.0, 0.0)),
)
"""Of the usual piecewise linear approximation (D. Bruton, "Color Science", 1996)."""

WHITE = (255, 255, 255)


def colour_of(emission_nm: float | None) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255, of light of this wavelength; white where it is not known."""
    if emission_nm is None:
        return WHITE
    wavelength = min(max(emission_nm, _LOWEST), _HIGHEST)
    for (low, below), (high, above) in pairwise(_CORNERS):
        if wavelength <= high:
            share = (wavelength - low) / (high - low)
            red, green, blue = (round(255 * (b + share * (a - b))) for b, a in zip(below, above, strict=True))
            return red, green, blue
    return WHITE
