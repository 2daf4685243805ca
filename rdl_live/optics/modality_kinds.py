"""The kinds of modality: what `modality:` of a microscope file may say, and the table of them.

Descriptions only. A modality itself (`rdl_live.optics.modality.Modality`) is found by the name of its module, so that
a microscope file is read without what its images are computed with.
"""

from dataclasses import dataclass

from rdl_live._tables import Table
from rdl_live.optics.geometry import HexagonalGeometry, PatternGeometry, SingleFrame, UnitGeometry

DEFAULT = "2d-sim"
"""What a microscope file that says nothing is of."""


@dataclass(frozen=True)
class ModalityKind:
    """A kind of modality."""

    name: str
    """As `modality:` of a microscope file has it: the field's term."""
    words: str
    """What one unit is, for lists and messages."""
    geometry: type[UnitGeometry]
    """The section `pattern` of a microscope file."""
    modality: str
    """A `rdl_live.optics.modality.Modality`: "module:object", loaded when images are made."""
    image: str = "image"
    """Name of its image among those of a result, by which panes and recordings know it."""
    patterned: bool = True
    """Whether something must put patterns on the sample."""
    uploads: bool = True
    """Whether the program can draw the pictures of an slm for it."""


MODALITIES = Table(
    "rdl_live.modalities",
    ModalityKind,
    (
        ModalityKind(
            DEFAULT,
            "a series of stripes, of two beams, in several orientations and phases",
            PatternGeometry,
            "rdl_live.optics.modalities.stripes:STRIPES",
            image="sim",
        ),
        ModalityKind(
            "hexagonal",
            "seven frames of a hexagonal lattice, of three beams, that moves",
            HexagonalGeometry,
            "rdl_live.optics.modalities.hexagonal:HEXAGONAL",
            image="sim",
            uploads=False,
        ),
        ModalityKind(
            "widefield",
            "one frame in even light: also TIRF, confocal and light sheet",
            SingleFrame,
            "rdl_live.optics.modalities.widefield:WIDEFIELD",
            image="widefield",
            patterned=False,
        ),
    ),
)


def geometry_of(name: str, content: object) -> UnitGeometry:
    """Return the frames of a unit as a file describes them.

    Raises:
        ValueError: there is no such modality; pydantic's, where the description does not fit it.
    """
    geometry = kind_of(name).geometry
    if isinstance(content, UnitGeometry) and not isinstance(content, geometry):
        content = content.model_dump()
    return geometry.model_validate(content)


def kind_of(name: str) -> ModalityKind:
    """Return a kind of modality.

    Raises:
        ValueError: there is none of this name.
    """
    kind = MODALITIES.find(name)
    if kind is None:
        raise ValueError(f"there is no modality {name!r}; there are {', '.join(MODALITIES.names())}")
    return kind
