"""Saving what is seen: a picture with scale bar and caption for people, and the values for computers. Without Qt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from rdl_live._version import __version__
from rdl_live.errors import OutputError
from rdl_live.view.panes.contrast import Contrast
from rdl_live.view.panes.picture import Picture
from rdl_live.view.panes.scale_bar import scale_bar
from rdl_live.view.panes.shade import shade
from rdl_live.view.panes.viewport import Mapping as ToPixels

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SMALLEST = 512
"""Smaller images are enlarged by whole numbers until their shorter side has so many pixels, so that text fits."""
PNG, TIFF = (".png",), (".tif", ".tiff")
_FONTS = ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "segoeui.ttf", "arial.ttf", "Arial.ttf", "Helvetica.ttc")
_PLAIN = {"µ": "u", "²": "2", "°": " deg", "·": "|"}
_PAPER, _INK, _FAINT, _ALARM = (255, 255, 255), (20, 20, 20), (95, 95, 95), (190, 74, 0)


@dataclass(frozen=True)
class Caption:
    """What stands below a saved picture."""

    title: str
    """What it shows: "SIM, 488"."""
    when: datetime | None = None
    photons: float | None = None
    """Mean photons per raw pixel and frame."""
    facts: tuple[str, ...] = ()
    """Anything else: time point, denoiser, recording."""
    caution: str = ""
    """Why the picture is not to be believed, if it is not: it goes wherever the picture goes."""

    @property
    def details(self) -> str:
        """The line below the title."""
        light = [] if self.photons is None else [f"{self.photons:.3g} photons per raw pixel and frame"]
        when = [] if self.when is None else [self.when.strftime("%Y-%m-%d %H:%M:%S")]
        return " · ".join([*when, *light, *self.facts])


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture as it is shown, ready to be saved."""

    picture: Picture
    contrast: Contrast
    caption: Caption
    doubt: bool = False
    """Whether doubtful places are shaded."""
    channel: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """How it was made, for the metadata of a data file: anything that JSON holds."""


def render(shot: Shot) -> npt.NDArray[np.uint8]:
    """Return the whole image (not only what a pane shows of it) with scale bar and caption: (rows, columns, RGB)."""
    colours = _coloured(shot)
    rows, columns = colours.shape[:2]
    times = max(1, -(-SMALLEST // min(rows, columns)))
    colours = colours.repeat(times, axis=0).repeat(times, axis=1)
    rows, columns = colours.shape[:2]
    size = max(14, round(min(rows, columns) / 32))
    title, small = _font(size), _font(max(12, round(size * 0.8)))
    lines = [(text, title, _INK) for text in _wrapped(shot.caption.title, title, columns - size)]
    lines += [(text, title, _ALARM) for text in _wrapped(shot.caption.caution, title, columns - size)]
    lines += [(text, small, _FAINT) for text in _wrapped(shot.caption.details, small, columns - size)]
    pitch = round(1.4 * size)
    sheet = Image.new("RGB", (columns, rows + pitch * len(lines) + size), _PAPER)
    sheet.paste(Image.fromarray(colours), (0, 0))
    draw = ImageDraw.Draw(sheet)
    _draw_bar(draw, rows, columns, shot.picture.pixel_um / times, title)
    for number, (text, font, ink) in enumerate(lines):
        draw.text((size // 2, rows + size // 2 + number * pitch), text, fill=ink, font=font)
    return np.asarray(sheet)


def save(shot: Shot, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a picture (.png, with scale bar and caption) or the values (.tif, float32, with pixel size and origin).

    Raises:
        OutputError: another ending, a file that exists already, or the disk refuses.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending in PNG:
        _save_png(shot, path, overwrite)
    elif ending in TIFF:
        _save_tiff(shot, path, overwrite)
    else:
        raise OutputError(f"{path}: end the name in .png for a picture with scale bar, or in .tif for the values")


def _save_png(shot: Shot, path: Path, overwrite: bool) -> None:
    from rdl_live.files.outputs import atomic_write

    notes = PngImagePlugin.PngInfo()
    notes.add_text("Title", shot.caption.title)
    notes.add_text("Description", shot.caption.details)
    if shot.caption.caution:
        notes.add_text("Warning", shot.caption.caution)
    notes.add_text("Software", f"rdl-live {__version__}")
    image = Image.fromarray(render(shot))
    with atomic_write(path, overwrite) as temporary:
        image.save(temporary, format="PNG", pnginfo=notes)


def _save_tiff(shot: Shot, path: Path, overwrite: bool) -> None:
    from rdl_live.files.sr_tiff import SrWriter

    rows, columns = shot.picture.pixels.shape
    made = {
        "program": f"rdl-live {__version__}",
        "title": shot.caption.title,
        "details": shot.caption.details,
        "unit": shot.picture.unit,
        **({"warning": shot.caption.caution} if shot.caption.caution else {}),
        **shot.provenance,
    }
    channel = shot.channel or shot.caption.title
    with SrWriter(path, (1, rows, columns), shot.picture.pixel_um, channel, made, overwrite) as writer:
        writer.write(np.ascontiguousarray(shot.picture.pixels, np.float32))


def _coloured(shot: Shot) -> npt.NDArray[np.uint8]:
    """Return all pixels as they are shown, (rows, columns, RGB)."""
    rows, columns = shot.picture.pixels.shape
    whole = ToPixels(1 / shot.picture.pixel_um, 0.0, 0.0)
    shaded = shade(shot.picture, shot.contrast, whole, (columns, rows), doubt=shot.doubt)
    if shaded is None:
        raise OutputError("there is no image to save yet")
    channels = [(shaded.colours >> shift & 0xFF).astype(np.uint8) for shift in (16, 8, 0)]
    return np.stack(channels, axis=-1)


def _draw_bar(draw: ImageDraw.ImageDraw, rows: int, columns: int, pixel_um: float, font: Font) -> None:
    bar = scale_bar(columns * pixel_um)
    length = max(1, round(bar.length_um / pixel_um))
    text = _known(bar.text, font)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    margin = max(8, round(min(rows, columns) / 50))
    thick = max(3, margin // 3)
    width, height = max(length, right - left), bottom - top
    box_right, box_bottom = columns - margin, rows - margin
    box = (box_right - width - 2 * margin, box_bottom - height - thick - 3 * margin, box_right, box_bottom)
    draw.rectangle(box, fill=(0, 0, 0))
    middle, foot = (box[0] + box[2]) / 2, box_bottom - margin
    draw.rectangle((middle - length / 2, foot - thick, middle + length / 2 - 1, foot - 1), fill="white")
    draw.text((middle, box[1] + margin), text, fill="white", font=font, anchor="mt")


@cache
def _font(size: int) -> Font:
    """Return a font of the system that knows µ; where there is none, Pillow's own, which does not."""
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _known(text: str, font: Font) -> str:
    """Return a text in characters that the font has."""
    for character, plain in _PLAIN.items():
        if bytes(font.getmask(character)) == bytes(font.getmask("\uffff")):
            text = text.replace(character, plain)
    return text


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    """Break a text into lines that fit."""
    lines: list[str] = []
    for word in _known(text, font).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
