"""Images of one file that are judged together: planes, or places, whose patterns are those of the best of them.

The light is the same in all: the SLM shows one pattern, wherever the stage is. An image out of focus carries it weakly
and would be given patterns of its own that double its lines; with those of the best image it is seen to be out of
focus, or gains from what it could not find itself.
"""

from dataclasses import dataclass

from rdl_live.optics import PatternSet

_WEAK = 0.6
"""Contrast of an image's own patterns, relative to the best one's, below which that one's are used."""


@dataclass(frozen=True)
class Sibling:
    """What the estimation of one image found."""

    name: str
    patterns: PatternSet
    contrast: tuple[float, ...] | None
    """Of its stripes, as the judge of series measures it."""

    @property
    def merit(self) -> tuple[int, float]:
        """Trusted orientations, and the contrast of the weakest of them."""
        trusted = [pattern.modulation[0] for pattern in self.patterns if pattern.trusted]
        return len(trusted), min(trusted, default=0.0)


def serving(images: list[Sibling]) -> list[Sibling | None]:
    """Return whose patterns each image takes; None for those that keep their own."""
    best = max(images, key=lambda image: image.merit)
    if not best.patterns.trusted:
        return [None] * len(images)
    return [
        None if one is best or (one.patterns.trusted and one.merit[1] >= _WEAK * best.merit[1]) else best
        for one in images
    ]
