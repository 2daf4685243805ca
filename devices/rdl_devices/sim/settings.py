"""What the simulated world is made of: optics, camera, dyes, light path. Frozen; a change is a new value."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from rdl_live.optics._base import Description
from rdl_live.optics.microscope import Camera, Optics
from rdl_live.specimen import SpecimenSettings

CHIPS = ("usual", "ideal", "scmos", "emccd")
"""Names that `WorldSettings.chip` may have."""
Chip = Literal["usual", "ideal", "scmos", "emccd"]
Share = Annotated[float, Field(ge=0, le=1)]


class Dye(Description):
    """One laser line and the structure that it makes glow; there is no cross-talk between lines."""

    excitation_nm: Annotated[int, Field(gt=100, lt=3000)]
    emission_nm: Annotated[float, Field(gt=100, lt=3000)]
    specimen: SpecimenSettings = SpecimenSettings()
    photons_per_pixel_ms: PositiveFloat = 10.0
    """Mean photo-electrons per raw pixel and millisecond at full power (laser and AOTF at their maximum)."""


def _living(kind: str, seed: int) -> SpecimenSettings:
    return SpecimenSettings(kind=kind, seed=seed, speed_um_s=0.1, haze=0.1, background=0.05)


DYES = (
    Dye(excitation_nm=405, emission_nm=450, specimen=_living("reticulum", 3)),
    Dye(excitation_nm=488, emission_nm=525, specimen=_living("filaments", 1)),
    Dye(excitation_nm=560, emission_nm=600, specimen=_living("mitochondria", 2)),
)


class WorldSettings(Description):
    """The demo microscope by default: the numbers of configs/demo.yaml, and those a file need not know."""

    optics: Optics = Optics(na=1.49, pixel_size_um=0.065)
    camera: Camera = Camera(offset_adu=100, gain_e_per_adu=0.46, read_noise_e=1.6)
    dyes: Annotated[tuple[Dye, ...], Field(min_length=1)] = DYES
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of photons, read noise and pixel maps."""

    sensor_px: Annotated[int, Field(ge=32, le=2048)] = 512
    """Rows and columns of the camera chip."""
    full_well_e: PositiveFloat = 30_000.0
    hot_pixels: Share = 2e-4
    """Share of pixels with a high dark current."""
    pixel_maps: bool = True
    """Whether offset, gain and read noise differ from pixel to pixel."""
    chip: Chip = "usual"
    """What the chip is: "usual" as the fields above say; else one of `rdl_live.optics.sensor.SENSORS`, which then says
    what differs from pixel to pixel."""
    row_time_us: PositiveFloat = 4.9
    """Time to read one row; rows are read after the exposure, since every row must see the same pattern."""

    laser_mw: PositiveFloat = 100.0
    """Largest power of each laser."""
    transmission: Annotated[float, Field(gt=0, le=1)] = 0.01
    """Share of the laser's power that arrives in the two first orders at the sample."""
    illuminated_cm2: PositiveFloat = 1e-4
    """Area over which it spreads (100 um x 100 um)."""
    bleach_dose_j_cm2: NonNegativeFloat = 0.0
    """Dose that bleaches a dye to 1/e; 0 for dyes that never bleach."""

    slm_px: Annotated[int, Field(ge=64, le=4096)] = 1024
    """Rows and columns of the SLM."""
    slm_pixel_um: PositiveFloat = 0.035
    """SLM pixel, demagnified into the sample [um]."""
    modulation: Share = 0.9
    """Modulation depth that the optics leave of a perfect grating (polarisation, stray light)."""
    refresh_ms: PositiveFloat = 100.0
    """World time after which moving structures are drawn anew."""

    @property
    def full_irradiance(self) -> float:
        """Light on the sample with laser and AOTF at their maximum [W/cm2]."""
        return self.laser_mw * 1e-3 * self.transmission / self.illuminated_cm2

    def dye(self, nm: int) -> Dye:
        """Return the dye that a laser line excites.

        Raises:
            KeyError: there is no such line.
        """
        for dye in self.dyes:
            if dye.excitation_nm == nm:
                return dye
        raise KeyError(f"no laser line of {nm} nm; there are {self.lines}")

    @property
    def lines(self) -> tuple[int, ...]:
        """The laser lines [nm]."""
        return tuple(dye.excitation_nm for dye in self.dyes)

    def with_dye(self, nm: int, **changes: object) -> "WorldSettings":
        """Return settings in which one dye is changed."""
        dyes = tuple(d.replace(**changes) if d.excitation_nm == nm else d for d in self.dyes)
        return self.replace(dyes=dyes)
