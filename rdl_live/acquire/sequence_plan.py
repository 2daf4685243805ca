"""Plans from the `MDASequence` of useq-schema, which pymmcore-plus runs: time, place, z and colour."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from rdl_live.acquire.plan import Place, Plan, PlanChannel, TimePlan, ZPlan, load_plan
from rdl_live.errors import ConfigError
from rdl_live.files.strict_yaml import read_mapping
from rdl_live.optics.microscope import Microscope

_NOT_TAKEN = {
    "grid_plan": "a grid of positions",
    "autofocus_plan": "autofocus",
    "keep_shutter_open_across": "an open shutter",
}
KEYS = frozenset({"time_plan", "z_plan", "stage_positions", "axis_order", *_NOT_TAKEN})
"""Keys of an MDASequence that no plan of ours has."""
_EXPOSURE_MS = 10.0


def is_sequence(content: Mapping[str, Any]) -> bool:
    """Whether the content of a YAML file is an MDASequence."""
    channels = content.get("channels")
    named = isinstance(channels, list) and any(isinstance(one, Mapping) and "config" in one for one in channels)
    return bool(KEYS & content.keys()) or named


def load_any_plan(path: Path, microscope: Microscope, power_percent: float | None = None) -> Plan:
    """Read a plan of ours, or an MDASequence, from a YAML file.

    Args:
        path: the file.
        microscope: whose colours are meant where a sequence names none.
        power_percent: light of a sequence.

    Raises:
        ConfigError: as `load_plan` and `plan_of_sequence`, with the file.
    """
    content = read_mapping(path, "plan")
    if not is_sequence(content):
        if power_percent is not None:
            raise ConfigError(f"--power {power_percent:g}: {path} says how much light; leave --power out")
        return load_plan(path)
    try:
        return plan_of_sequence(content, power_percent, microscope)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def plan_of_sequence(
    content: Mapping[str, Any], power_percent: float | None, microscope: Microscope | None = None
) -> Plan:
    """Return the plan of an MDASequence.

    Args:
        content: as its file has it, or `MDASequence.model_dump()`.
        power_percent: light of every colour; sequences do not say. None: asked for.
        microscope: whose colours are meant where the sequence names none.

    Raises:
        ConfigError: no whole sequence, or something in it that is not run here.
    """
    from useq import MDASequence

    try:
        sequence = MDASequence.model_validate(dict(content))
    except (ValidationError, ValueError) as error:
        raise ConfigError(f"no whole MDASequence: {str(error).splitlines()[0]}; see useq-schema") from error
    for key, what in _NOT_TAKEN.items():
        if getattr(sequence, key, None):
            raise ConfigError(f"{key}: {what} is not run here; list stage_positions one by one, or leave it out")
    if any(position.sequence is not None for position in sequence.stage_positions):
        raise ConfigError("stage_positions: sequences within positions are not run here; leave `sequence` out")
    for position in sequence.stage_positions:
        # To useq that means "where the stage is"; a plan of ours drives to each of its places.
        if position.x is None or position.y is None:
            raise ConfigError(f"stage_positions: {position.name or 'one'} has no x or y; give both, or leave all out")
    for one in sequence.channels:
        if one.acquire_every != 1 or not one.do_stack or one.z_offset:
            raise ConfigError(
                f"channels: {one.config}: acquire_every, do_stack and z_offset are not run here (the colour would get "
                "more light than you planned, or another focus); leave them out, or run it in a plan of its own"
            )
    power = power_percent if power_percent is not None else sequence.metadata.get("power_percent")
    if not isinstance(power, int | float) or not 0 < power <= 100:
        raise ConfigError(
            "an MDASequence does not say how much light: add --power PERCENT, or `metadata: {power_percent: 10}` to it"
        )
    given = [(one.config, one.exposure) for one in sequence.channels]
    if not given and microscope is not None:
        given = [(microscope.channels[0].name, None)]
    if not given:
        raise ConfigError("channels: the sequence names none; add those of the microscope file")
    order = [letter for letter in sequence.axis_order if letter in "pzc"]
    if "t" in sequence.axis_order and sequence.axis_order.index("t") > 0 and (sequence.time_plan is not None):
        raise ConfigError("axis_order: time is the slowest axis here; write it first, such as tpzc")
    full = "".join([*order, *(letter for letter in "pzc" if letter not in order)])
    return Plan(
        name="sequence",
        channels=tuple(
            PlanChannel(name=name, power_percent=power, exposure_ms=exposure or _EXPOSURE_MS)
            for name, exposure in given
        ),
        time=_time(sequence.time_plan),
        z=_z(sequence.z_plan),
        positions=tuple(
            Place(x_um=one.x or 0.0, y_um=one.y or 0.0, z_um=one.z, name=one.name or "")  # both are there, see above
            for one in sequence.stage_positions
        ),
        order=full,  # type: ignore[arg-type]  # checked by the plan
    )


def _time(plan: Any) -> TimePlan:
    if plan is None:
        return TimePlan()
    times = np.fromiter((float(one) for one in plan), float)
    steps = np.diff(times)
    if len(steps) and not np.allclose(steps, steps[0], rtol=1e-3, atol=1e-6):
        raise ConfigError("time_plan: time points at even distances are run; give one interval and a number of loops")
    return TimePlan(points=len(times), interval_s=float(steps[0]) if len(steps) else 0.0)


def _z(plan: Any) -> ZPlan:
    if plan is None:
        return ZPlan()
    if not plan.is_relative:
        raise ConfigError("z_plan: planes around the focus of each place are run; give a range around it")
    places = np.array(list(plan), float)
    steps = np.diff(places)
    if len(steps) and not np.allclose(steps, steps[0], rtol=1e-3):
        raise ConfigError("z_plan: planes at even distances are run; give a range and a step")
    if abs(float(places.mean())) > 1e-3 + 0.01 * abs(float(np.ptp(places))):
        raise ConfigError(
            f"z_plan: its planes lie {places.mean():+.2f} um around the focus, stacks here are centred; use `range`"
        )
    return ZPlan(planes=len(places), step_um=abs(float(steps[0])) if len(steps) else 0.25)
