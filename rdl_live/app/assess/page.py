"""The matrix as a page to look at: regions, curves with their spread, pictures with their errors; one HTML file."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from rdl_live.app.assess.matrix import IMAGES, Cell
from rdl_live.app.assess.methods import SIM
from rdl_live.files import atomic_write

_STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:120em}table{border-collapse:collapse;margin:.5em 0}"
    "td,th{border:1px solid #999;padding:.2em .5em;text-align:right}th:first-child{text-align:left}"
    ".priority{background:#cfe8cf}.sim{background:#cfdcf0}figure{display:inline-block;margin:.3em;text-align:center}"
    "figcaption{font-size:.8em}svg{background:#fff;border:1px solid #ccc}"
)
_COLOURS = ("#1f3b73", "#2a8f5b", "#c0392b", "#8e44ad", "#d68910", "#148f9b", "#7b5e3b", "#555", "#d6459b")
_WIDE, _HIGH, _EDGE = 460, 260, 46
_LARGEST_ERROR = 0.2
"""Of the truth's range, shown white in error maps."""
READING = (
    "Light is the mean number of photons of a raw frame where there is structure. Green: the network is better than "
    "conventional SIM in NRMSE, MS-SSIM and resolution alike (its priority region). Blue: conventional SIM has the "
    "least error of all. Resolution by decorrelation is no evidence against invented detail: a network can sharpen "
    "what it has invented. Read it together with the error."
)
Examples = Sequence[tuple[str, float, Mapping[str, Tensor]]]
"""(structure, photons, images by method, the truth among them)."""


def write_page(path: Path, cells: Sequence[Cell], examples: Examples, *, simulated: bool) -> None:
    """Write the page, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    structures = list(dict.fromkeys(one.structure for one in cells))
    source = "simulated specimens" if simulated else "recorded cells, against their reconstruction in bright light"
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>assessment matrix</title>",
        f"<style>{_STYLE}</style><h1>For which structure, in how much light, which method?</h1>",
        f"<p>{html.escape(READING)}</p><p>Judged on {source}; {_counted(cells)}.</p>",
        _in_short(cells, structures),
        *(_structure([one for one in cells if one.structure == name], name) for name in structures),
        "<h2>Examples</h2>",
        *(_pictures(name, photons, images) for name, photons, images in examples),
    ]
    with atomic_write(path, True) as temporary:
        temporary.write_text("".join(parts), encoding="utf-8")


def _counted(cells: Sequence[Cell]) -> str:
    """Say how many images there are in a cell, and what too few are worth."""
    fewest, most = min(one.images for one in cells), max(one.images for one in cells)
    count = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    few = "" if fewest >= IMAGES else f": fewer than the {IMAGES} of a whole matrix, small differences are chance"
    return f"{count} images a cell{few}"


def _in_short(cells: Sequence[Cell], structures: Sequence[str]) -> str:
    """Return the table that a reader looks for first: the method to take."""
    levels = sorted({one.photons for one in cells})
    heads = "".join(f"<th>{level:g}</th>" for level in levels)
    rows = []
    for name in structures:
        entries = []
        for level in levels:
            row = [one for one in cells if (one.structure, one.photons) == (name, level)]
            best = _best(row) if row else ""
            kind = "" if not row else "sim" if best == SIM else "priority"
            entries.append(f"<td class='{kind}'>{html.escape(best)}</td>")
        rows.append(f"<tr><th>{html.escape(name)}</th>{''.join(entries)}</tr>")
    return f"<h2>In short</h2><table><tr><th>photons</th>{heads}</tr>{''.join(rows)}</table>"


def _best(row: Sequence[Cell]) -> str:
    """Return the method with the least error of those that are better than SIM in all figures; SIM where none is."""
    better = [one for one in row if one.better_than_sim]
    return min(better, key=lambda one: one.nrmse).method if better else SIM


def advice(cells: Sequence[Cell]) -> list[str]:
    """Return a sentence for each structure and light: which method to take."""
    found = []
    for structure, photons in dict.fromkeys((one.structure, one.photons) for one in cells):
        row = [one for one in cells if (one.structure, one.photons) == (structure, photons)]
        found.append(f"{structure} at {photons:g} photons: {_best(row)}")
    return found


def _structure(cells: Sequence[Cell], name: str) -> str:
    levels = sorted({one.photons for one in cells})
    methods = list(dict.fromkeys(one.method for one in cells))
    known = {(one.method, one.photons): one for one in cells}
    heads = "".join(f"<th>{level:g}</th>" for level in levels)
    rows = "".join(
        f"<tr><th>{html.escape(method)}</th>{''.join(_entry(known, method, level, methods) for level in levels)}</tr>"
        for method in methods
    )
    table = f"<table><tr><th>photons</th>{heads}</tr>{rows}</table>"
    return (
        f"<h2>{html.escape(name)}</h2><p>NRMSE / MS-SSIM / resolution in nm</p>{table}"
        f"{_curves(known, methods, levels, 'nrmse', 'NRMSE')}{_curves(known, methods, levels, 'ms_ssim', 'MS-SSIM')}"
        f"{_curves(known, methods, levels, 'resolution_um', 'Resolution [um]')}"
    )


def _entry(known: Mapping[tuple[str, float], Cell], method: str, level: float, methods: Sequence[str]) -> str:
    one = known.get((method, level))
    if one is None:
        return "<td></td>"
    errors = [known[other, level].nrmse for other in methods if (other, level) in known]
    region = "priority" if one.better_than_sim else ""
    if method == SIM and one.nrmse <= min(errors):
        region = "sim"
    nm = "none" if one.resolution_um is None else f"{1e3 * one.resolution_um:.0f}"
    return f"<td class='{region}'>{one.nrmse:.4f} / {one.ms_ssim:.3f} / {nm}</td>"


def _curves(
    known: Mapping[tuple[str, float], Cell], methods: Sequence[str], levels: Sequence[float], field: str, title: str
) -> str:
    known = {key: one for key, one in known.items() if getattr(one, field) is not None}
    if not known:
        return ""
    banded = f"{field}_sd" in Cell.__dataclass_fields__

    def spread(one: Cell) -> float:
        return float(getattr(one, f"{field}_sd")) if banded else 0.0

    values = [getattr(one, field) for one in known.values()]
    spreads = [spread(one) for one in known.values()]
    low = min(value - sd for value, sd in zip(values, spreads, strict=True))
    high = max(value + sd for value, sd in zip(values, spreads, strict=True))
    span_y, span_x = max(high - low, 1e-9), max(np.log(levels[-1] / levels[0]), 1e-9)

    def x(level: float) -> float:
        return float(_EDGE + np.log(level / levels[0]) / span_x * (_WIDE - 2 * _EDGE))

    def y(value: float) -> float:
        return float(_HIGH - _EDGE - (value - low) / span_y * (_HIGH - 2 * _EDGE))

    lines = []
    for index, method in enumerate(methods):
        colour = _COLOURS[index % len(_COLOURS)]
        there = [known[method, level] for level in levels if (method, level) in known]
        top = [(x(one.photons), y(getattr(one, field) + spread(one))) for one in there]
        bottom = [(x(one.photons), y(getattr(one, field) - spread(one))) for one in there]
        middle = [(x(one.photons), y(getattr(one, field))) for one in there]
        lines.append(f"<polygon points='{_points([*top, *bottom[::-1]])}' fill='{colour}' opacity='.12'/>")
        if not there:
            continue
        lines.append(f"<polyline points='{_points(middle)}' fill='none' stroke='{colour}' stroke-width='2'/>")
        place = f"x='{_WIDE + 4}' y='{_EDGE + 16 * index}' font-size='12' fill='{colour}'"
        lines.append(f"<text {place}>{html.escape(method)}</text>")
    band = " (band: one standard deviation)" if banded else " (median)"
    marks = "".join(
        f"<text x='{x(level):.0f}' y='{_HIGH - _EDGE + 16}' font-size='10' text-anchor='middle'>{level:g}</text>"
        for level in dict.fromkeys((levels[0], levels[len(levels) // 2], levels[-1]))
    )
    marks += "".join(
        f"<text x='{_EDGE - 4}' y='{y(value):.0f}' font-size='10' text-anchor='end'>{value:.3f}</text>"
        for value in (low, high)
    )
    return (
        f"<svg width='{_WIDE + 150}' height='{_HIGH}' role='img' aria-label='{title}'>"
        f"<text x='{_EDGE}' y='20' font-size='13'>{title} against photons{band}</text>"
        f"<path d='M{_EDGE} {_EDGE}V{_HIGH - _EDGE}H{_WIDE - _EDGE}' fill='none' stroke='#888'/>"
        f"{''.join(lines)}{marks}</svg>"
    )


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)


def _pictures(structure: str, photons: float, images: Mapping[str, Tensor]) -> str:
    truth = images["truth"].numpy()
    low, high = float(np.percentile(truth, 0.5)), float(np.percentile(truth, 99.8))
    span = max(float(truth.max() - truth.min()), 1e-9)
    figures = []
    for name, image in images.items():
        shown = (image.numpy() - low) / max(high - low, 1e-9)
        wrong = np.abs(image.numpy() - truth) / (span * _LARGEST_ERROR)
        figures.append(_figure(shown, name) + ("" if name == "truth" else _figure(wrong, f"error of {name}")))
    return f"<h3>{html.escape(structure)}, {photons:g} photons</h3>{''.join(figures)}"


def _figure(values: npt.NDArray[np.floating], name: str) -> str:
    buffer = io.BytesIO()
    Image.fromarray((255 * np.clip(values, 0, 1)).astype(np.uint8)).save(buffer, format="PNG")
    picture = base64.b64encode(buffer.getvalue()).decode()
    label = html.escape(name)
    return f"<figure><img alt='{label}' src='data:image/png;base64,{picture}'><figcaption>{label}</figcaption></figure>"
