"""The settings of the last time, as far as they make sense."""

from pathlib import Path

from rdl_live.view.common.memory import Memory
from rdl_live.view.live.session import Settings


def recalled(memory: Memory, default: Settings) -> Settings:
    """Return the settings of the last time, as far as they make sense."""
    found = memory.get("settings")
    if not isinstance(found, dict):
        return default
    region = found.get("region")
    whole = isinstance(region, list) and len(region) == 4 and all(isinstance(n, int) and n >= 0 for n in region)
    return Settings(
        channel=str(found.get("channel") or default.channel),
        power_percent=_number(found.get("power_percent"), default.power_percent, 0.1, 100.0),
        exposure_ms=_number(found.get("exposure_ms"), default.exposure_ms, 0.5, 1000.0),
        region=(region[0], region[1], region[2], region[3]) if whole and region else default.region,
        denoiser=_denoiser(found.get("denoiser"), default.denoiser),
        memory=bool(found.get("memory", default.memory)),
    )


def _denoiser(name: object, default: str) -> str:
    """Return the denoiser of the last time, unless it was a file that is gone."""
    if not isinstance(name, str) or not name or (Path(name).suffix and not Path(name).is_file()):
        return default
    return name


def _number(value: object, default: float, low: float, high: float) -> float:
    return float(value) if isinstance(value, int | float) and low <= value <= high else default
