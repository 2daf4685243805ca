"""From a rectangle dragged in the image to a region of the camera chip."""

import math

STEP = 16
"""Sides are whole multiples of this: quick to transform, and what cameras take."""
SMALLEST = 64

Region = tuple[int, int, int, int]


def dragged_region(
    rectangle_um: tuple[float, float, float, float], pixel_um: float, shown: Region, chip: tuple[int, int]
) -> Region:
    """Return (x, y, width, height) [pixels] for a dragged rectangle, grown to sides that the software likes.

    Args:
        rectangle_um: left, top, width, height in the image that is shown [um].
        pixel_um: camera pixel in the sample [um].
        shown: the region that the image shows.
        chip: width and height of the whole chip.
    """
    left, top, width, height = (side / pixel_um for side in rectangle_um)
    across, down = (max(SMALLEST, STEP * math.ceil(side / STEP - 1e-6)) for side in (width, height))
    across, down = min(across, chip[0]), min(down, chip[1])
    x = round(shown[0] + left + width / 2 - across / 2)
    y = round(shown[1] + top + height / 2 - down / 2)
    return min(max(x, 0), chip[0] - across), min(max(y, 0), chip[1] - down), across, down


def centred(side: int, chip: tuple[int, int]) -> Region:
    """Return a square region in the middle of the chip."""
    across, down = min(side, chip[0]), min(side, chip[1])
    return (chip[0] - across) // 2, (chip[1] - down) // 2, across, down
