"""A scene to train on: one simulated specimen under one microscope, recorded at several light levels.

A scene of 128 x 128 raw pixels and three exposures takes about 0.2 s on one CPU thread.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rdl_live.optics import Microscope, Otf, PatternSet, to_photons
from rdl_live.optics.aberration import AberrationSettings, aberrated
from rdl_live.optics.reconstruct import Apodization
from rdl_live.optics.reconstruct.apodization import apodization
from rdl_live.optics.reconstruct.bands import BandTransform
from rdl_live.optics.reconstruct.plan import Geometry, build_geometry, with_excess
from rdl_live.optics.series_noise import series_noise
from rdl_live.restore.evidence import Evidence, measured
from rdl_live.specimen import SimulatedSeries, Simulation, simulate
from rdl_live.train.simulated.draw import (
    Conditions,
    draw_conditions,
    draw_microscope,
    draw_photons,
    draw_specimen,
    estimated,
    is_unkind,
)
from rdl_live.train.simulated.settings import SceneSettings

OBJECT_FINENESS = 2
"""Pixels of the simulated object per pixel of the SR image."""
_LEAST_LIGHT = 0.05
"""Photons a pixel; less would be a series of nothing."""


@dataclass(frozen=True)
class Scene:
    """Everything that a batch needs, one entry for each exposure where not said otherwise."""

    evidence: Evidence
    truth: Tensor
    """(2y, 2x) float32 in units of the mean light: the same for all exposures."""
    photons: tuple[float, ...]


@dataclass(frozen=True)
class Batch:
    """Series and truths side by side."""

    evidence: Evidence
    """In units of the mean (`Evidence.relative`)."""
    truth: Tensor
    """(n, 2y, 2x) float32 in units of the measured mean."""
    photons: tuple[float, ...]

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch on another device."""
        return Batch(self.evidence.to(device), self.truth.to(device), self.photons)

    def mirrored(self, *, upside_down: bool, left_right: bool) -> "Batch":
        """Return the batch as it would be with everything turned over."""
        rows, columns = self.truth.shape[-2:]
        evidence = self.evidence.mirrored(rows, columns, upside_down=upside_down, left_right=left_right)
        return Batch(evidence, flipped(self.truth, upside_down, left_right), self.photons)


@dataclass(frozen=True)
class Setup:
    """A drawn microscope and specimen, ready to be exposed; everything but the exposures."""

    scope: Microscope
    conditions: Conditions
    simulation: Simulation
    recorded: SimulatedSeries
    """At a mean of 1 photon a pixel."""
    patterns: PatternSet
    """As an estimation would have them."""
    geometry: Geometry
    transform: BandTransform
    target: Tensor
    """T, (rows, columns)."""

    def evidence(self, series: Tensor) -> Evidence:
        """Return what a series (1, A, P, y, x) of ADU says, in photons."""
        read = self.scope.camera.read_noise_e
        photons = to_photons(series, self.scope.camera)
        geometry = with_excess(self.geometry, series_noise(photons, self.geometry.otf, read).excess)
        return measured(self.transform, geometry, self.target, series, photons, read)

    def exposures(self, rng: np.random.Generator, settings: SceneSettings) -> Iterator[tuple[float, Tensor]]:
        """Draw light levels; yield each with its series (1, A, P, y, x) float32 ADU, unless nothing is seen in it."""
        camera = self.scope.camera
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        for _ in range(settings.exposures):
            light = draw_photons(rng, self.conditions)
            adu = self.simulation.exposed(self.recorded.expected * light, generator)
            series = adu.to(torch.float32)[None]
            if float(to_photons(series, camera).mean()) >= _LEAST_LIGHT:
                yield light, series


def set_up(rng: np.random.Generator, settings: SceneSettings) -> Setup:
    """Draw a microscope and a specimen."""
    unkind = is_unkind(rng, settings)
    scope = draw_microscope(rng, settings, unkind=unkind)
    shape = (settings.size, settings.size)
    specimen = draw_specimen(rng, settings, unkind=unkind)
    conditions = draw_conditions(rng, settings, scope.camera, unkind=unkind)
    seed = int(rng.integers(2**31))
    more = dict(conditions.recorded)
    if settings.factor != scope.pattern.sr_factor:
        more |= {"sr_factor": settings.factor, "upsample": OBJECT_FINENESS * settings.factor}
    simulation = simulate(scope, specimen, photons=1.0, shape=shape, seed=seed, **more)
    recorded = simulation.series(0)
    otf = Otf.of(scope)
    if conditions.damping_um > 0:
        otf = aberrated(otf, AberrationSettings(damping_um=conditions.damping_um), scope)
    patterns = estimated(recorded.patterns, rng, settings.size * otf.pixel_um, conditions)
    geometry = build_geometry(otf, patterns, shape, factor=scope.pattern.sr_factor)
    transform = BandTransform(geometry, scope.camera, None)
    target = apodization(Apodization.OTF, geometry.radius(), geometry.cutoff)
    return Setup(scope, conditions, simulation, recorded, patterns, geometry, transform, target)


def make_scene(seed: int, index: int, settings: SceneSettings) -> Scene:
    """Return scene number `index`; the same each time it is asked for."""
    rng = np.random.default_rng([seed, index])
    setup = set_up(rng, settings)
    parts, levels = [], []
    for light, series in setup.exposures(rng, settings):
        seen = setup.evidence(series)
        parts.append(replace(seen, matched=seen.matched / light, noise=seen.noise / light**2))
        levels.append(light)
    if not parts:
        return make_scene(seed, index + 2**40, settings)
    together, first = stacked(parts), parts[0]
    # The optics are those of all exposures, and a window holds hundreds of scenes.
    same = {"target": first.target.expand_as(together.target)}
    if all(torch.equal(part.power, first.power) for part in parts):
        same["power"] = first.power.expand_as(together.power)
    return Scene(replace(together, **same), setup.recorded.total, tuple(levels))


def flipped(image: Tensor, upside_down: bool, left_right: bool) -> Tensor:
    """Return images (..., y, x) turned over."""
    return image.flip([axis for axis, turned in ((-2, upside_down), (-1, left_right)) if turned])


def stacked(parts: Sequence[Evidence]) -> Evidence:
    """Return evidence side by side."""
    kinds = zip(*(part.tensors() for part in parts), strict=True)
    return Evidence(*(torch.cat(kind) for kind in kinds))


def chosen(evidence: Evidence, index: int) -> Evidence:
    """Return one entry of a batch, as a batch of one."""
    return Evidence(*(tensor[index : index + 1] for tensor in evidence.tensors()))


def make_batch(picks: Sequence[tuple[Scene, int]]) -> Batch:
    """Return a batch of scenes, each with the number of its exposure."""
    evidence = stacked([chosen(scene.evidence, exposure) for scene, exposure in picks])
    # The truth is relative to the light that was set; the network works relative to the mean that was measured.
    truth = torch.stack([scene.truth for scene, _ in picks]) / evidence.photons[:, None, None]
    return Batch(evidence.relative(), truth, tuple(scene.photons[exposure] for scene, exposure in picks))
