"""Where the fluorophores of a cloud are at a time: swaying with their neighbours, drifting with their member.

A deterministic, smooth function of time, so that any moment can be asked for, in any order.
"""

import math

import numpy as np
import torch
from torch import Tensor

from rdl_live.specimen.cloud import Cloud
from rdl_live.specimen.domain import Domain

FLOW_MODES = 6
DRIFT_MODES = 3
SLOWEST_S = 40.0
"""Longest period of any back and forth [s]."""
STEEPEST = 0.05
"""Largest amplitude of swaying relative to its wavelength: shapes bend, they never fold."""


class Trajectories:
    """The ways of one cloud's fluorophores.

    Swaying is a sum of waves sin(q r + w t + phi) over the rest positions r. sin(a + b) is split, so that one
    moment costs one matrix product of (n, 2 modes) by (2 modes, 2) instead of a sine a fluorophore.
    """

    def __init__(self, cloud: Cloud, domain: Domain, speed_um_s: float) -> None:
        """Prepare for a cloud in a domain; `speed_um_s` is the root-mean-square speed [um/s]."""
        self.moves = speed_um_s > 0
        self.height_um: Tensor | None = None
        """Of every fluorophore above the coverslip, (n,) [um]; None: all lie on it."""
        self._rest = torch.as_tensor(cloud.position_um).to(torch.float32)  # (n, 2)
        self.weight = torch.as_tensor(cloud.brightness).to(torch.float32)  # (n,)
        if self.moves:
            self._member = torch.as_tensor(cloud.member)
            self._prepare_flow(cloud, domain, speed_um_s * cloud.motion.flow)
            self._prepare_drift(cloud, domain, speed_um_s * cloud.motion.drift)

    def _prepare_flow(self, cloud: Cloud, domain: Domain, speed: float) -> None:
        rng, (height, width) = domain.rng, domain.size_um
        wavelength = rng.uniform(*cloud.motion.wavelength_um, FLOW_MODES)
        direction = rng.uniform(0, 2 * math.pi, FLOW_MODES)
        # Whole waves round the torus, or a member that crosses its seam would be torn.
        waves = np.rint(np.stack([width * np.cos(direction), height * np.sin(direction)]) / wavelength)
        waves[0, (waves == 0).all(0)] = 1
        q = 2 * math.pi * waves / np.array([[width], [height]])  # (2, modes)
        start = torch.as_tensor(rng.uniform(0, 2 * math.pi, FLOW_MODES)).to(torch.float32)
        # Single precision: a phase of some waves round the torus is right to 1e-5 rad, a fraction of a picometre.
        phase = torch.addmm(start, self._rest, torch.as_tensor(q).to(torch.float32))
        self._basis = torch.cat([phase.sin(), phase.cos()], dim=1)
        pace = speed * math.sqrt(2 / FLOW_MODES)  # amplitude x angular frequency of each wave
        steepest = STEEPEST * 2 * math.pi / np.hypot(*q)
        omega = np.maximum(2 * math.pi / rng.uniform(0.2 * SLOWEST_S, SLOWEST_S, FLOW_MODES), pace / steepest)
        polarisation = rng.uniform(0, 2 * math.pi, FLOW_MODES)
        sway = np.stack([np.cos(polarisation), np.sin(polarisation)], axis=1) * (pace / omega)[:, None]
        self._omega, self._sway = torch.as_tensor(omega), torch.as_tensor(sway)

    def _prepare_drift(self, cloud: Cloud, domain: Domain, speed: float) -> None:
        rng, members = domain.rng, int(cloud.member.max(initial=0)) + 1
        liveliness = np.minimum(rng.lognormal(-0.25, 0.5, members), 3.0)  # its mean square is 1
        pace = speed * liveliness[:, None] * math.sqrt(0.8 / DRIFT_MODES)
        omega = 2 * math.pi / rng.uniform(0.2 * SLOWEST_S, SLOWEST_S, (members, DRIFT_MODES))
        self._drift_omega = torch.as_tensor(omega)
        self._drift_phase = torch.as_tensor(rng.uniform(0, 2 * math.pi, (members, DRIFT_MODES, 2)))
        self._drift_size = torch.as_tensor(pace / omega)
        # A fifth of the mean square speed goes straight on, so that members wander off in the long run.
        course = rng.uniform(0, 2 * math.pi, members)
        straight = speed * liveliness * math.sqrt(0.2)
        self._course = torch.as_tensor(np.stack([np.cos(course), np.sin(course)], axis=1) * straight[:, None])

    def positions(self, time_s: float) -> Tensor:
        """Return x and y of every fluorophore, (n, 2) float32 [um], not wrapped."""
        if not self.moves:
            return self._rest
        turn = self._omega * time_s
        waves = torch.cat([turn.cos()[:, None] * self._sway, turn.sin()[:, None] * self._sway])
        angle = (self._drift_omega * time_s)[:, :, None] + self._drift_phase
        drift = (self._drift_size[:, :, None] * torch.sin(angle)).sum(1) + self._course * time_s
        moved = torch.addmm(self._rest, self._basis, waves.to(torch.float32))
        return moved.add_(drift.to(torch.float32).index_select(0, self._member))
