"""What is wrong with a camera chip, in the units of its data sheet."""

from typing import Annotated

from pydantic import Field

from rdl_live.optics._base import Description

_Share = Annotated[float, Field(ge=0, le=1)]


class SensorSettings(Description):
    """How a chip differs from one of equal pixels; the defaults are an ideal chip, with the camera's read noise."""

    fixed_pattern_adu: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Root mean square by which the pixels' offsets differ, the same in every frame [ADU]."""
    pink: _Share = 0.3
    """Share of that variance which is 1/f noise, i.e. clouds and gradients; the rest is white."""
    columns_adu: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Root mean square of the columns' own offsets [ADU]."""
    gain_spread: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Standard deviation of the pixels' gains, relative."""
    noise_spread: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Width of the log-normal distribution of the pixels' read noise; its mean square stays the camera's."""
    hot_share: _Share = 0.0
    """Share of hot pixels."""
    hot_e: Annotated[float, Field(ge=0, le=1e6)] = 60.0
    """Mean of what a hot pixel adds to every frame (exponential distribution) [electrons]."""
    telegraph_share: _Share = 0.0
    """Share of pixels that jump between two levels from frame to frame (random telegraph noise)."""
    telegraph_e: Annotated[float, Field(ge=0, le=1e4)] = 6.0
    """Height of the jump [electrons]."""
    multiplying: bool = False
    """An EM register: each photo-electron becomes an exponentially distributed number, so the noise variance doubles
    (excess noise factor 2; Robbins and Hadwen 2003, 10.1109/TED.2003.813462)."""
    coupling: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """Share of every pixel's signal that shows up in each of its four neighbours, noise and all."""
    bits: Annotated[int, Field(ge=8, le=16)] = 16
    """Of the numbers that it gives; larger ones are clipped."""
    binning: Annotated[int, Field(ge=1, le=8)] = 1
    """Chip pixels, each way, that are read and summed for one pixel of the image."""

    @property
    def ideal(self) -> bool:
        """Whether all pixels are alike and nothing is wrong with them."""
        return self == SensorSettings()


SENSORS = {
    "ideal": SensorSettings(),
    "scmos": SensorSettings(
        fixed_pattern_adu=1.0,
        columns_adu=0.25,
        gain_spread=0.03,
        noise_spread=0.4,
        hot_share=2e-4,
        telegraph_share=2e-3,
        coupling=0.003,
    ),
    "emccd": SensorSettings(
        fixed_pattern_adu=0.3, columns_adu=0.2, gain_spread=0.01, multiplying=True, coupling=0.01, hot_share=1e-5
    ),
}
"""Chips by the name that a user chooses them by."""
