"""Frozen descriptions of a SIM microscope: objective, camera, colour channels, pattern geometry.

Lengths in um (nm where a name says so), spatial frequency in cycles/um, light in photons (= photo-electrons).
"""

import math
from typing import Annotated, Any, Self

from pydantic import Field, PositiveFloat, SerializeAsAny, ValidationInfo, field_validator, model_validator

from rdl_live.errors import ConfigError
from rdl_live.optics._base import Description
from rdl_live.optics.geometry import PatternGeometry as PatternGeometry
from rdl_live.optics.geometry import SeriesOrder as SeriesOrder
from rdl_live.optics.geometry import UnitGeometry as UnitGeometry
from rdl_live.optics.geometry import frame_order as frame_order
from rdl_live.optics.hardware import ChannelLight, Hardware
from rdl_live.optics.incidence import Illumination as Illumination
from rdl_live.optics.incidence import Incidence, na_of_period
from rdl_live.optics.modality_kinds import DEFAULT, geometry_of, kind_of

Name = Annotated[str, Field(min_length=1, max_length=200)]
_SAME_PERIOD = 0.05
"""Relative difference within which the period that a file gives is that of its beams."""
WavelengthNm = Annotated[float, Field(gt=100, lt=3000)]


class RadialOtf(Description):
    """A measured, radially symmetric OTF: samples at 0, spacing, 2 spacing, ... cycles/um."""

    values: Annotated[tuple[float, ...], Field(min_length=2)]
    """Transfer; normalised by its first sample when used."""
    spacing: PositiveFloat
    """Distance of the samples [cycles/um]."""

    @field_validator("values")
    @classmethod
    def _starts_positive(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if values[0] <= 0:
            raise ValueError(f"the first OTF sample (zero frequency) must be positive, got {values[0]:g}")
        return values


class Optics(Description):
    """The detection path: objective and camera pixel, as seen in the sample."""

    na: Annotated[float, Field(gt=0, lt=2.5)]
    """Detection numerical aperture."""
    pixel_size_um: Annotated[float, Field(gt=0, lt=100)]
    """Camera pixel in the sample plane [um]."""
    immersion_index: Annotated[float, Field(ge=1, lt=2.5)] = 1.518
    """Refractive index of the immersion medium (oil 1.518, silicone 1.406, water 1.333, air 1)."""
    excitation_na: Annotated[float, Field(gt=0, lt=2.5)] | None = None
    """Largest NA at which the illumination enters, where known; it bounds the pattern search."""
    sample_index: Annotated[float, Field(ge=1, lt=2.5)] = 1.38
    """Refractive index of the sample at the coverslip (cells 1.36 to 1.38, water 1.333): light that enters at a larger
    NA is totally reflected (TIRF)."""
    otf_file: str | None = None
    """Measured radial OTF (.mrc), relative to the microscope file; ideal OTF where absent."""
    otf: RadialOtf | None = None
    """The measured OTF itself; filled in from otf_file when the microscope file is loaded."""

    @model_validator(mode="after")
    def _na_within_medium(self) -> Self:
        if self.na > self.immersion_index:
            raise ValueError(
                f"na {self.na:g} is above the immersion index {self.immersion_index:g}: "
                "no lens can do that; correct na, or set immersion_index to that of the medium"
            )
        return self

    @model_validator(mode="after")
    def _light_within_medium(self) -> Self:
        if self.excitation_na is not None and self.excitation_na > self.immersion_index:
            raise ValueError(
                f"excitation_na {self.excitation_na:g} is above the immersion index {self.immersion_index:g}: "
                "no beam can enter so; correct excitation_na, or set immersion_index to that of the medium"
            )
        return self


class Camera(Description):
    """Camera calibration of the mode in use. Photons = (ADU - offset_adu) * gain_e_per_adu.

    Without calibration the defaults take one ADU for one photon (and say so in a warning).
    """

    offset_adu: Annotated[float, Field(ge=0, lt=1e6)] = 0.0
    gain_e_per_adu: Annotated[float, Field(gt=0, lt=1e6)] = 1.0
    read_noise_e: Annotated[float, Field(ge=0, lt=1e6)] = 0.0
    """Root-mean-square read noise [electrons]."""
    saturation_adu: PositiveFloat | None = None
    """Largest value that the camera gives; by default that of the file's integer type."""
    offset_file: str | None = None
    gain_file: str | None = None
    variance_file: str | None = None
    """Per-pixel maps (TIFF) as sCMOS calibrations give them: offset [ADU], gain [ADU/e-], variance."""


class PatternGuess(Description):
    """What is known of a channel's pattern beforehand; the estimation starts there."""

    period_um: Annotated[float, Field(gt=0, lt=100)] | None = None
    angles_deg: tuple[float, ...] | None = None
    """Direction of each orientation's k0 [degrees], x to the right, y down, modulo 180."""


class Channel(Description):
    """One colour."""

    name: Name
    excitation_nm: WavelengthNm
    emission_nm: WavelengthNm
    illumination: Illumination | None = None
    """How it is lit, where the file says so."""
    illuminations: tuple[Illumination, ...] = ()
    """Several ways to light it: a microscope has one channel of each, `<name> <name of the illumination>`."""
    pattern: PatternGuess = PatternGuess()
    otf_file: str | None = None
    """Measured radial OTF of this colour; overrides that of the optics."""
    otf: RadialOtf | None = None
    """The measured OTF itself; filled in from otf_file when the microscope file is loaded."""
    otf_damping: tuple[float, float] = (0.0, 0.0)
    """(a, b) of a factor exp(-a f - b f^2) on the OTF, f in cycles/um [um, um^2]: by how much a recording shows it to
    pass less than the file's."""

    @field_validator("pattern")
    @classmethod
    def _as_lit(cls, guess: PatternGuess, info: ValidationInfo) -> PatternGuess:
        """Expect the stripes of the illumination."""
        lit = info.data.get("illumination")
        if lit is None or lit.period_um is None:
            return guess
        if guess.period_um is None:
            return guess.replace(period_um=lit.period_um)
        if abs(guess.period_um / lit.period_um - 1) > _SAME_PERIOD:
            raise ValueError(
                f"pattern.period_um {guess.period_um:g} and illumination.period_um {lit.period_um:g} differ; leave one "
                "out"
            )
        return guess

    @model_validator(mode="after")
    def _lit_once(self) -> Self:
        names = [one.name for one in self.illuminations]
        if self.illumination is not None and names:
            raise ValueError("has both of illumination and illuminations; leave one out")
        if len(set(names)) < len(names):
            raise ValueError(f"an illumination stands twice: {', '.join(names)}; remove or rename one")
        if names and self.pattern.period_um is not None:
            raise ValueError(
                "pattern.period_um is that of all illuminations; give each its own period_um or incidence_na instead"
            )
        return self

    def each(self) -> "tuple[Channel, ...]":
        """Return one channel for each illumination; itself where there is one."""
        return tuple(
            self.replace(
                name=f"{self.name} {one.name}",
                illumination=one.model_dump(),
                illuminations=(),
            )
            for one in self.illuminations
        ) or (self,)

    @model_validator(mode="after")
    def _stokes(self) -> Self:
        if self.emission_nm <= self.excitation_nm:
            raise ValueError(
                f"emission_nm {self.emission_nm:g} is not above excitation_nm {self.excitation_nm:g}: "
                "fluorescence is redder than the light that excites it; swap or correct the two"
            )
        return self


class Microscope(Description):
    """Everything that the optics need to know of a microscope."""

    name: Name
    optics: Optics
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    modality: Name = DEFAULT
    """What one unit of acquisition is, and how it becomes an image; see `rdl_live.optics.modality_kinds`."""
    pattern: SerializeAsAny[UnitGeometry] = Field(default_factory=dict)  # type: ignore[assignment]  # see below
    """Its raw frames, as the modality describes them."""
    camera: Camera = Camera()
    hardware: Hardware | None = None
    """Devices and safe state, for acquisition; what is recorded already needs none."""

    @field_validator("channels")
    @classmethod
    def _unique_names(cls, channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
        channels = tuple(one for channel in channels for one in channel.each())
        names = [channel.name for channel in channels]
        if len(set(names)) < len(names):
            raise ValueError(f"channel names must differ, got {', '.join(names)}")
        return channels

    @field_validator("modality")
    @classmethod
    def _known(cls, name: str) -> str:
        return kind_of(name).name

    @field_validator("pattern", mode="plain")
    @classmethod
    def _of_its_modality(cls, content: Any, info: ValidationInfo) -> UnitGeometry:
        """Validate the section as the modality has it; what is wrong keeps its place in the file."""
        if "modality" not in info.data:
            return UnitGeometry()  # that is what is reported
        return geometry_of(info.data["modality"], content)

    @model_validator(mode="after")
    def _one_angle_per_orientation(self) -> Self:
        for channel in self.channels:
            guess = channel.pattern.angles_deg
            if guess is not None and len(guess) != (count := self.pattern.pattern_counts[0]):
                raise ValueError(
                    f"channel {channel.name!r}: pattern.angles_deg lists {len(guess)} angles, "
                    + ("but pattern.angles is " if not self.pattern.shared else "the directions of a lattice are ")
                    + f"{count}"
                )
        return self

    @field_validator("hardware")
    @classmethod
    def _lit_alike(cls, hardware: Hardware | None, info: ValidationInfo) -> Hardware | None:
        """Light all illuminations of a colour as its entry says, but for those with an entry of their own."""
        channels = info.data.get("channels", ())
        if hardware is None or all(one.illumination is None for one in channels):
            return hardware
        own = {one.channel for one in hardware.light}
        light: list[ChannelLight] = []
        for entry in hardware.light:
            ways = [c.name for c in channels if c.illumination and c.name == f"{entry.channel} {c.illumination.name}"]
            light += [entry.replace(channel=name) for name in ways if name not in own] if ways else [entry]
        return hardware.replace(light=[one.model_dump() for one in light])

    @model_validator(mode="after")
    def _beams_make_the_stripes(self) -> Self:
        """Two beams of an NA make stripes of one period: what says otherwise is a mistake."""
        for channel in self.channels:
            lit = channel.illumination
            if lit is None or lit.incidence_na is None:
                continue
            if lit.incidence_na > self.optics.immersion_index:
                raise ValueError(
                    f"channel {channel.name!r}: illumination.incidence_na {lit.incidence_na:g} is above the immersion "
                    f"index {self.optics.immersion_index:g}: no beam can enter so"
                )
            if lit.period_um is None or not kind_of(self.modality).patterned:
                continue
            # The beams of a lattice stand at the corners of a triangle; of three beams in a row the outer two count.
            apart = (math.sqrt(3),) if self.pattern.shared else (2.0, 1.0)[: max(1, self.pattern.counts[1] // 2)]
            periods = [channel.excitation_nm * 1e-3 / (share * lit.incidence_na) for share in apart]
            if all(abs(lit.period_um / one - 1) > _SAME_PERIOD for one in periods):
                raise ValueError(
                    f"channel {channel.name!r}: illumination.period_um {lit.period_um:g} and incidence_na "
                    f"{lit.incidence_na:g} contradict each other: beams of that NA make a period of {periods[0]:.4g} "
                    "um; correct one, or leave one out"
                )
        return self

    @model_validator(mode="after")
    def _light_for_known_channels(self) -> Self:
        known = {channel.name for channel in self.channels}
        for one in self.hardware.light if self.hardware else ():
            if one.channel not in known:
                raise ValueError(
                    f"hardware.light: there is no channel {one.channel!r}; channels lists {', '.join(sorted(known))}"
                )
        return self

    @model_validator(mode="after")
    def _patterns_fit(self) -> Self:
        names = [channel.name for channel in self.channels]
        geometry = self.pattern
        problems = list(self.hardware.problems(*geometry.counts, names)) if self.hardware else []
        if problems:
            raise ValueError("\n  - ".join(problems))
        return self

    @model_validator(mode="after")
    def _something_makes_the_patterns(self) -> Self:
        hardware, kind = self.hardware, kind_of(self.modality)
        if hardware is None:
            return self
        if kind.patterned and not hardware.has_source:
            raise ValueError(
                "hardware: has neither of slm and patterns; give slm where pictures are uploaded to one, else patterns "
                "(`patterns: {kind: none}` where nothing is to be set)"
            )
        if kind.patterned and not kind.uploads and hardware.slm is not None:
            raise ValueError(
                f"hardware.slm: the pictures that are drawn for an slm are stripes, and modality {self.modality} needs "
                "others: store them on the board, and give hardware.patterns"
            )
        if not kind.patterned and hardware.slm is not None:
            raise ValueError(
                f"hardware.slm: modality {self.modality} needs even light, and the pictures of an slm are stripes; "
                "leave it out, or name as hardware.patterns what makes the light even"
            )
        return self

    def channel(self, name: str | None = None) -> Channel:
        """Return the channel called `name`, or the first one.

        Raises:
            ConfigError: no channel of that name; the message lists those there are.
        """
        if name is None:
            return self.channels[0]
        for channel in self.channels:
            if channel.name == name:
                return channel
        known = ", ".join(repr(channel.name) for channel in self.channels)
        raise ConfigError(f"microscope {self.name!r} has no channel {name!r}; it has {known}")

    @property
    def image_name(self) -> str:
        """Name of the image of the physics among those of a result."""
        return kind_of(self.modality).image

    def incidence(self, channel: Channel | None = None) -> Incidence | None:
        """Return how the light of a channel enters the sample; None where the file does not say."""
        channel = channel or self.channels[0]
        lit, na = channel.illumination, self.optics.excitation_na
        if lit is not None:
            na = lit.incidence_na or na_of_period(channel.excitation_nm, lit.period_um or math.inf)
        return None if na is None else Incidence(na, channel.excitation_nm, self.optics.sample_index)

    def largest_na(self, channel: Channel) -> float | None:
        """Return the largest NA at which the light of a channel enters; None where the file does not say."""
        lit = channel.illumination
        return lit.incidence_na if lit is not None and lit.incidence_na else self.optics.excitation_na

    def in_photons(self) -> Self:
        """Return the same microscope with a camera that gives photons: for frames that have been calibrated."""
        return self.replace(camera=Camera(read_noise_e=self.camera.read_noise_e).model_dump())

    def cutoff(self, channel: Channel | None = None) -> float:
        """Return the detection cut-off 2 NA / emission wavelength [cycles/um]."""
        return 2 * self.optics.na / ((channel or self.channels[0]).emission_nm * 1e-3)
