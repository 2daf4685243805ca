"""The comparison as a page to look at: verdict, figures, pictures; one HTML file that needs nothing else."""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from rdl_live._names import NO_DENOISER
from rdl_live.app.compare.candidate import label
from rdl_live.app.compare.run import Comparison, Verdict
from rdl_live.app.reconstruct.preview import FloatImage, render_preview
from rdl_live.files import atomic_write

_STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:120em}table{border-collapse:collapse}"
    "td,th{border:1px solid #999;padding:.3em .6em;text-align:right}td:first-child,td:last-child{text-align:left}"
    ".better,.first{background:#e4f4e4}.worse{background:#f8e0e0}img{max-width:100%}"
)
_HEADINGS = (
    "model",
    "error on held-out photons / Wiener's (95 %)",
    "error / first model's (95 %)",
    "residual variance",
    "residual colour",
    "pattern in residual",
    "FRC nm",
    "share from noise",
    "verdict",
)


def write_page(path: Path, found: Comparison, *, overwrite: bool = False) -> None:
    """Write the page, whole or not at all.

    Raises:
        OutputError: it exists or cannot be written.
    """
    shown = sorted({found.times[0], found.times[-1]})
    pictures = "".join(f"<h2>time point {time}</h2>{_picture(found, time)}" for time in shown)
    warnings = "".join(f"<li>{html.escape(text)}</li>" for text in found.warnings)
    judged = f"judged on {len(found.times)} time points of {found.film.name}"
    if found.left_out:
        judged += ", those that no model was trained on"
    text = (
        f"<!doctype html><meta charset='utf-8'><title>compare {html.escape(found.film.name)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(found.words)}</h1><p>{html.escape(judged)}</p>"
        f"<table><tr>{''.join(f'<th>{heading}</th>' for heading in _HEADINGS)}</tr>"
        f"{''.join(map(_row, found.verdicts))}</table><ul>{warnings}</ul>{pictures}"
    )
    with atomic_write(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def panels(found: Comparison, time: int) -> list[tuple[str, FloatImage]]:
    """Return (title, image) of one time point: widefield, no denoising, every model."""
    film = found.film
    trained = next(one.model for one in found.verdicts if one.model.weights is not None)
    series = torch.from_numpy(film.frames[time].astype(np.float32))
    shown: list[tuple[str, FloatImage]] = [("widefield", film.photons(time).mean(dim=(0, 1)).numpy())]
    plain = trained.restorer(film, trained).restore(series).sim
    if plain is not None:
        shown.append((label(NO_DENOISER), plain.numpy()))
    denoisers = [one.model for one in found.verdicts if one.model.weights is not None]
    shown += [(label(one.name), one.restorer(film, trained).restore(series).sr.numpy()) for one in denoisers]
    return shown


def _picture(found: Comparison, time: int) -> str:
    pixel_um = found.film.scope.optics.pixel_size_um
    field_um = (found.film.shape[0] * pixel_um, found.film.shape[1] * pixel_um)
    buffer = io.BytesIO()
    render_preview(panels(found, time), field_um).save(buffer, format="PNG")
    return f"<img alt='time point {time}' src='data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}'>"


def _row(one: Verdict) -> str:
    health = one.health
    cells: Sequence[str] = (
        one.model.name,
        str(one.error),
        str(one.to_first),
        f"{health.variance:.3f}",
        "" if health.colour is None else f"{health.colour:.3f}",
        f"{health.pattern:.2f}",
        "" if health.frc_nm is None else f"{health.frc_nm:.0f}",
        f"{health.from_noise:.3f}",
        one.words,
    )
    return f"<tr class='{one.standing}'>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
