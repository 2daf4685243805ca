"""Acquisition: the plan, the strict engine, the illumination guard. Speaks to devices by role and label only.

Names are loaded when first used: the plan needs no Micro-Manager, and the core is loaded when it is opened.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdl_live.acquire.core import hardware_of, open_core, shutdown
    from rdl_live.acquire.devices import Devices
    from rdl_live.acquire.engine import SimEngine
    from rdl_live.acquire.estimate import Estimate, estimate_plan
    from rdl_live.acquire.events import PlanEvents, Shot
    from rdl_live.acquire.fan_out import FrameListener, FrameSink
    from rdl_live.acquire.faults import ManyProblemsError
    from rdl_live.acquire.guard import IlluminationGuard
    from rdl_live.acquire.lamp import Lamp, LampState
    from rdl_live.acquire.layout import recording_layout
    from rdl_live.acquire.pattern_check import PatternCheck, Verdict
    from rdl_live.acquire.patterns import PatternSource
    from rdl_live.acquire.patterns.gratings import Grating, find_grating
    from rdl_live.acquire.patterns.slm_patterns import ChannelPatterns, channel_patterns
    from rdl_live.acquire.plan import (
        Limits,
        Place,
        Plan,
        PlanChannel,
        Region,
        TimePlan,
        ZPlan,
        load_plan,
    )
    from rdl_live.acquire.progress import Progress, Skipped
    from rdl_live.acquire.run_status import RunReport, RunStatus
    from rdl_live.acquire.safe_light import SafeLight
    from rdl_live.acquire.session import Acquisition
    from rdl_live.acquire.system_end import stopped_by_signals

_HOME = {
    "core": ("hardware_of", "open_core", "shutdown"),
    "devices": ("Devices",),
    "fan_out": ("FrameListener", "FrameSink"),
    "engine": ("SimEngine",),
    "estimate": ("Estimate", "estimate_plan"),
    "events": ("PlanEvents", "Shot"),
    "faults": ("ManyProblemsError",),
    "patterns.gratings": ("Grating", "find_grating"),
    "guard": ("IlluminationGuard",),
    "lamp": ("Lamp", "LampState"),
    "layout": ("recording_layout",),
    "pattern_check": ("PatternCheck", "Verdict"),
    "patterns": ("PatternSource",),
    "plan": (
        "Limits",
        "Place",
        "Plan",
        "PlanChannel",
        "Region",
        "TimePlan",
        "ZPlan",
        "load_plan",
    ),
    "progress": ("Progress", "Skipped"),
    "run_status": ("RunReport", "RunStatus"),
    "safe_light": ("SafeLight",),
    "session": ("Acquisition",),
    "patterns.slm_patterns": ("ChannelPatterns", "channel_patterns"),
    "system_end": ("stopped_by_signals",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Acquisition",
    "ChannelPatterns",
    "Devices",
    "Estimate",
    "FrameListener",
    "FrameSink",
    "Grating",
    "IlluminationGuard",
    "Lamp",
    "LampState",
    "Limits",
    "ManyProblemsError",
    "PatternCheck",
    "PatternSource",
    "Place",
    "Plan",
    "PlanChannel",
    "PlanEvents",
    "Progress",
    "Region",
    "RunReport",
    "RunStatus",
    "SafeLight",
    "Shot",
    "SimEngine",
    "Skipped",
    "TimePlan",
    "Verdict",
    "ZPlan",
    "channel_patterns",
    "estimate_plan",
    "find_grating",
    "hardware_of",
    "load_plan",
    "open_core",
    "recording_layout",
    "shutdown",
    "stopped_by_signals",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"rdl_live.acquire.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
