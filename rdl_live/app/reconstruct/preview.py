"""The picture that a person looks at first: raw, widefield and super-resolved side by side, whole and zoomed."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from rdl_live.view.panes.scale_bar import round_length

PANEL = 512
"""Longest side of a panel [screen pixels]."""
ZOOM = 4
"""The second row shows this much larger."""
_GAP, _TITLE = 8, 30
_BACKGROUND, _TEXT, _FRAME = 24, 235, 255
_SATURATED = 0.1
"""Percent of pixels shown white."""

FloatImage = npt.NDArray[np.floating]


def render_preview(panels: list[tuple[str, FloatImage]], field_um: tuple[float, float]) -> Image.Image:
    """Return a picture of panels of one field of view.

    Args:
        panels: (title, image (y, x)), of any size, all showing the same field.
        field_um: height and width of the field [um].

    Every panel has its own contrast, black at its darkest 1 %, white at its brightest 0.1 %; the zoom has that of its
    panel. Bars give the scale.
    """
    box = _interesting(panels[-1][1])
    size = _fit(field_um, PANEL)
    zoom_um = (field_um[0] / ZOOM, field_um[1] / ZOOM)
    width = len(panels) * (size[1] + _GAP) + _GAP
    height = _TITLE + 2 * (size[0] + _GAP) + _GAP
    canvas = Image.new("L", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=18)
    for column, (title, image) in enumerate(panels):
        left = _GAP + column * (size[1] + _GAP)
        draw.text((left + 2, 6), title, fill=_TEXT, font=font)
        shown = _contrast(image)
        canvas.paste(_scaled(shown, size), (left, _TITLE))
        canvas.paste(_scaled(_crop(shown, box), size), (left, _TITLE + size[0] + _GAP))
        corner = (left + box[1] * size[1], _TITLE + box[0] * size[0])
        far = (corner[0] + size[1] / ZOOM, corner[1] + size[0] / ZOOM)
        draw.rectangle((*corner, *far), outline=_FRAME)
        _scale_bar(draw, (left, _TITLE), size, field_um[1], font)
        _scale_bar(draw, (left, _TITLE + size[0] + _GAP), size, zoom_um[1], font)
    return canvas


def save_preview(path: Path, panels: list[tuple[str, FloatImage]], field_um: tuple[float, float]) -> None:
    """Write `render_preview` as PNG."""
    render_preview(panels, field_um).save(path, format="PNG")


def _fit(field_um: tuple[float, float], longest: int) -> tuple[int, int]:
    scale = longest / max(field_um)
    return max(1, round(field_um[0] * scale)), max(1, round(field_um[1] * scale))


def _contrast(image: FloatImage) -> npt.NDArray[np.float32]:
    """Map to 0 ... 1 for display only."""
    low, high = np.percentile(image, (1.0, 100.0 - _SATURATED))
    if not high > low:
        return np.zeros(image.shape, dtype=np.float32)
    shown: npt.NDArray[np.float32] = np.clip((image - low) / (high - low), 0, 1).astype(np.float32)
    return shown


def _scaled(image: npt.NDArray[np.float32], size: tuple[int, int]) -> Image.Image:
    """Resize: pixels stay visible when enlarged, are averaged when reduced."""
    picture = Image.fromarray(image)
    shrinks = size[0] < image.shape[0] or size[1] < image.shape[1]
    resized = picture.resize((size[1], size[0]), Image.Resampling.BOX if shrinks else Image.Resampling.NEAREST)
    return Image.fromarray((np.asarray(resized) * 255).round().astype(np.uint8))


def _crop(image: npt.NDArray[np.float32], box: tuple[float, float]) -> npt.NDArray[np.float32]:
    rows, columns = image.shape
    top, left = round(box[0] * rows), round(box[1] * columns)
    return image[top : top + max(1, rows // ZOOM), left : left + max(1, columns // ZOOM)]


def _interesting(image: FloatImage) -> tuple[float, float]:
    """Top left corner (fractions of the field) of the window with most structure, away from the very edge."""
    steps = np.linspace(0.05, 0.95 - 1 / ZOOM, 7)
    best, corner = -math.inf, (0.375, 0.375)
    for top in steps:
        for left in steps:
            window = _crop(np.asarray(image, dtype=np.float32), (float(top), float(left)))
            # Bright outliers alone are not structure: compare in the square root of light.
            spread = float(np.sqrt(np.clip(window, 0, None)).std())
            if spread > best:
                best, corner = spread, (float(top), float(left))
    return corner


def _scale_bar(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    size: tuple[int, int],
    width_um: float,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Draw a round-numbered bar of about a quarter of the panel into its lower right corner."""
    length_um = round_length(width_um / 4)
    pixels = length_um / width_um * size[1]
    right, bottom = corner[0] + size[1] - 12, corner[1] + size[0] - 12
    text = f"{length_um:g} µm" if length_um >= 1 else f"{length_um * 1000:g} nm"
    box = draw.textbbox((0, 0), text, font=font)
    top = bottom - 10 - (box[3] - box[1]) - 8
    left = min(right - pixels, right - (box[2] - box[0])) - 6
    draw.rectangle((left, top, right + 6, bottom + 6), fill=0)
    draw.rectangle((right - pixels, bottom - 4, right, bottom), fill=_FRAME)
    _write(draw, (right - pixels / 2, bottom - 12), text, font)


def _write(
    draw: ImageDraw.ImageDraw,
    middle: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Write a length around a point on its baseline. Pillow's own font has no micro sign: a u is given its leg."""
    plain, (x, y) = text.replace("µ", "u"), middle
    left = x - draw.textlength(plain, font=font) / 2
    draw.text((left, y), plain, fill=_FRAME, font=font, anchor="ls")
    if "µ" in text:
        at = left + draw.textlength(text[: text.index("µ")], font=font)
        stem, top, _, _ = draw.textbbox((at, y), "u", font=font, anchor="ls")
        draw.rectangle((stem + 1, top, stem + 2, y + 4), fill=_FRAME)
