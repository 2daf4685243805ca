"""The picture at the top of the README: `python -m tests.pictures`. Five photons a pixel, the truth beside.

Made with the commands that a user has: simulate, reconstruct, reconstruct --denoise. Nothing is chosen: the first seed,
one field, the same contrast for all that are compared. A person looks at it; docs/images keeps it.
"""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner

from rdl_live.cli import app

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "images" / "five-photons.png"
MICROSCOPE = """\
name: picture
optics: {na: 1.49, pixel_size_um: 0.065}
channels: [{name: "488", excitation_nm: 488, emission_nm: 525}]
pattern: {angles: 3, phases: 3}
camera: {offset_adu: 100, gain_e_per_adu: 0.46, read_noise_e: 1.6}
"""
SIDE, SHOWN_UM, PIXEL_UM = 256, 6.5, 0.065
PANEL, GAP, TITLE = 300, 6, 46

FloatImage = npt.NDArray[np.floating]


def run(*words: str) -> None:
    """Run a command of rdl-live that must succeed."""
    outcome = CliRunner().invoke(app, list(words), prog_name="rdl-live")
    assert outcome.exit_code == 0, f"{words}\n{outcome.output}\n{outcome.exception!r}"


def panels() -> list[tuple[str, FloatImage]]:
    """Return names and images (2y, 2x) of one field, in photons per raw pixel area, the truth last."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("M.yaml").write_text(MICROSCOPE, encoding="utf-8")
        light = ("--specimen", "filaments", "--photons", "5", "--camera", "scmos", "--size", str(SIDE), "--seed", "1")
        run("simulate", "s.tif", "-m", "M.yaml", *light, "--truth", "truth.tif")
        run("reconstruct", "s.tif", "-m", "M.yaml", "--out", "sim.tif")
        run("reconstruct", "s.tif", "-m", "M.yaml", "--denoise", "rdl", "--out", "rdl.tif")
        raw = (tifffile.imread("s.tif").reshape(9, SIDE, SIDE).astype(np.float64) - 100) * 0.46
        sim, rdl, truth = (
            tifffile.imread(f"{name}.tif").astype(np.float64).squeeze() for name in ("sim", "rdl", "truth")
        )
    twice = [np.kron(image, np.ones((2, 2))) for image in (raw[0], raw.mean(axis=0))]
    return [("Raw frame", twice[0]), ("Widefield", twice[1]), ("SIM", sim), ("SIM, denoised", rdl), ("Truth", truth)]


def error(image: FloatImage, truth: FloatImage) -> float:
    """Return the root mean square of (image - truth) / that of (truth - its mean)."""
    return float(np.sqrt(np.mean((image - truth) ** 2)) / truth.std())


def usual_place(truth: FloatImage, side: int) -> tuple[slice, slice]:
    """Return the square with the median brightness of all squares: neither the best place nor the worst."""
    starts = range(0, truth.shape[0] - side + 1, side // 4)
    places = sorted(
        ((y, x) for y in starts for x in starts), key=lambda p: truth[p[0] : p[0] + side, p[1] : p[1] + side].sum()
    )
    y, x = places[len(places) // 2]
    return slice(y, y + side), slice(x, x + side)


def main() -> None:
    """Draw it."""
    images = panels()
    truth = images[-1][1]
    side = round(SHOWN_UM / PIXEL_UM) * 2
    place = usual_place(truth, side)
    canvas = Image.new("L", (len(images) * (PANEL + GAP) - GAP, TITLE + PANEL), 20)
    draw = ImageDraw.Draw(canvas)
    font, small = (ImageFont.truetype("DejaVuSans.ttf", size) for size in (18, 15))
    for column, (title, image) in enumerate(images):
        left = column * (PANEL + GAP)
        draw.text((left + 2, 1), title, fill=240, font=font)
        words = (
            "5 photons a pixel"
            if column == 0
            else "known, simulated"
            if image is truth
            else f"error {error(image, truth):.2f}"
        )
        draw.text((left + 2, 24), words, fill=190, font=small)
        part = image[place]
        # SIM, denoised and truth have the same contrast; raw and widefield, which are not as sharp, have their own.
        low, high = np.percentile(truth[place] if column > 1 else part, (1, 99.8))
        shown = np.clip((part - low) / (high - low), 0, 1) * 255
        scaled = Image.fromarray(shown.astype(np.uint8)).resize((PANEL, PANEL), Image.Resampling.NEAREST)
        canvas.paste(scaled, (left, TITLE))
    bar = PANEL / SHOWN_UM
    draw.rectangle((PANEL - 12 - bar, TITLE + PANEL - 16, PANEL - 12, TITLE + PANEL - 11), fill=255)
    draw.text((PANEL - 12 - bar / 2, TITLE + PANEL - 38), "1 µm", fill=255, font=small, anchor="ma")
    canvas.save(TARGET, optimize=True)
    print(TARGET, {title: round(error(image, truth), 3) for title, image in images})


if __name__ == "__main__":
    main()
