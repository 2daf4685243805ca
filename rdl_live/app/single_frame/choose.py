"""Which run a plan needs."""

from pathlib import Path
from typing import Any

from rdl_live.acquire import Plan
from rdl_live.acquire.plan import SINGLE_FRAME
from rdl_live.app.live.run import LiveRun
from rdl_live.app.live.values import LiveOptions
from rdl_live.app.single_frame.run import SingleFrameRun
from rdl_live.optics.microscope import Microscope


def run_of(microscope: Microscope, plan: Plan, out: Path | None, options: LiveOptions, **more: Any) -> LiveRun:
    """Return the run of a plan: of single frames with a check now and then, or of series.

    Single frames of a microscope without patterns are its usual ones; there is nothing to check them with.

    Args:
        microscope: with its hardware section.
        plan: what to do.
        out: folder for the recordings; None: nothing is recorded.
        options: how to process.
        more: see `LiveRun`.

    Raises:
        ConfigError: see `LiveRun` and `SingleFrameRun`.
    """
    if plan.modality == SINGLE_FRAME and microscope.pattern.frames > 1:
        return SingleFrameRun(microscope, plan, out, options, **more)
    return LiveRun(microscope, plan, out, options, **more)
