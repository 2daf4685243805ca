"""The SLM's pictures of all channels, and the stripes that they should put on the sample."""

import math
from dataclasses import dataclass

from rdl_live.acquire.patterns.gratings import Grating, Image, find_grating
from rdl_live.acquire.patterns.order import DisplayOrder, display_order
from rdl_live.optics.hardware import SlmRole
from rdl_live.optics.microscope import Channel, Microscope
from rdl_live.optics.nominal import nominal_patterns
from rdl_live.optics.pattern import Pattern, PatternSet

FIRST_ANGLE_DEG = 8.0
"""First orientation where the microscope file names none; off the SLM's axes, where pixels show most."""


@dataclass(frozen=True)
class ChannelPatterns(DisplayOrder):
    """The gratings of one channel, one an orientation."""

    gratings: tuple[Grating, ...]
    requested: PatternSet
    """What was asked for: period and angles, phases unknown."""

    def images(self, shape: tuple[int, int], on_value: int = 255) -> list[Image]:
        """Return the pictures (y, x) in the order of display."""
        return [self.gratings[angle].image(shape, phase, on_value) for angle, phase in self.slots]

    def nominal(
        self,
        slm: SlmRole,
        slm_shape: tuple[int, int],
        chip_um: tuple[float, float],
        roi_um: tuple[float, float] = (0.0, 0.0),
        modulation: float = 0.9,
    ) -> PatternSet:
        """Return the stripes to be expected, for pixel areas of the image.

        Args:
            slm: the SLM; its centre is taken to lie on the chip's.
            slm_shape: (y, x) [SLM pixels].
            chip_um: size of the whole camera chip in the sample, (y, x) [um].
            roi_um: where the image's corner lies on the chip, (y, x) [um].
            modulation: depth to be expected.
        """
        phases = 1 + max(phase for _, phase in self.slots)
        patterns = []
        for grating in self.gratings:
            fx, fy = grating.frequency
            kx, ky = _turned(slm, *(slm.fringes_per_period * f / slm.pixel_um for f in (fx, fy)))
            # From the centre, where SLM and chip coincide, to the corner of the image.
            centre = 2 * math.pi * 0.5 * (fx * slm_shape[1] + fy * slm_shape[0])
            to_corner = 2 * math.pi * (kx * (roi_um[1] - chip_um[1] / 2) + ky * (roi_um[0] - chip_um[0] / 2))
            steps = [
                math.remainder(slm.fringes_per_period * (grating.phase_rad(p) + centre) + to_corner, 2 * math.pi)
                for p in range(phases)
            ]
            patterns.append(Pattern(kx=kx, ky=ky, phases_rad=tuple(steps), modulation=(modulation,)))
        return PatternSet(patterns=tuple(patterns))

    def errors(self) -> list[str]:
        """Return, orientation by orientation, how far the gratings are from what was asked for."""
        return [
            f"channel {self.channel}, orientation {i}: period {100 * g.period_error:+.3f} %, angle "
            f"{g.angle_error_deg:+.3f} degrees, unwanted light {100 * g.stray:.2f} %, phase steps exact"
            for i, g in enumerate(self.gratings)
        ]


def channel_patterns(microscope: Microscope, slm: SlmRole, channel: Channel) -> ChannelPatterns:
    """Compute the gratings of a channel: its period follows the wavelength unless the file gives one.

    Raises:
        ConfigError: the SLM cannot show such stripes.
    """
    geometry = microscope.pattern
    period_um = nominal_patterns(microscope, channel)[0].period_um
    angles = channel.pattern.angles_deg or tuple(
        FIRST_ANGLE_DEG + 180.0 * i / geometry.angles for i in range(geometry.angles)
    )
    period_px = slm.fringes_per_period * period_um / slm.pixel_um
    gratings = tuple(
        find_grating(period_px, _on_slm(slm, angle), geometry.phases, slm.fringes_per_period) for angle in angles
    )
    requested = PatternSet(
        patterns=tuple(
            Pattern(
                kx=math.cos(math.radians(angle)) / period_um,
                ky=math.sin(math.radians(angle)) / period_um,
                phases_rad=tuple(2 * math.pi * p / geometry.phases for p in range(geometry.phases)),
            )
            for angle in angles
        )
    )
    order = display_order(microscope, channel)
    return ChannelPatterns(order.channel, order.slots, order.first_id, gratings, requested)


def _turned(slm: SlmRole, x: float, y: float) -> tuple[float, float]:
    """Return a vector of the SLM as the camera sees it."""
    x = -x if slm.mirrored else x
    turn = math.radians(slm.rotation_deg)
    return x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)


def _on_slm(slm: SlmRole, angle_deg: float) -> float:
    """Return a direction of the camera as the SLM sees it [degrees]; the inverse of `_turned`."""
    straight = angle_deg - slm.rotation_deg
    return 180.0 - straight if slm.mirrored else straight
