"""What happened, with its time, as it shows in snapshots and notices. Without Qt."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rdl_live.view.live.session import Activity, Counts, Light, Notice, Severity, Snapshot

KEPT = 5000
"""Events in memory; the file of a recording has all of its own."""
JOINED_S = 10.0
"""Losses within this time are one event, whose number grows."""
_LOSSES = {
    "dropped": "series dropped (recorded, but not shown: this computer was too slow)",
    "refused": "series refused (incomplete, or with wrong patterns)",
    "missing": "raw frames missing",
}


class What(StrEnum):
    """What an event is about."""

    LIGHT = "light"
    RUN = "run"
    SETTING = "setting"
    STAGE = "stage"
    LOSS = "loss"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Event:
    """One line of the log."""

    at: datetime
    what: What
    text: str

    @property
    def line(self) -> str:
        """The event as a line of a file: ISO time, what, text, separated by tabs."""
        text = self.text.replace("\t", " ").replace("\r", " ").replace("\n", " / ")
        return f"{self.at.isoformat(timespec='milliseconds')}\t{self.what}\t{text}"


class Log:
    """Compares each snapshot with the one before, and keeps what has changed as events."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now().astimezone()) -> None:
        """Begin with nothing; `now` gives the time of day."""
        self._now = now
        self.events: list[Event] = []
        self.begun = 0
        """Events in all, also those no longer kept."""
        self._last: Snapshot | None = None
        self._losses: dict[str, tuple[datetime, int]] = {}
        """When a loss was reported last, and up to which count."""

    def add(self, what: What, text: str) -> None:
        """Add an event that happens now."""
        self.events.append(Event(self._now(), what, text))
        self.begun += 1
        del self.events[:-KEPT]

    def see_notice(self, notice: Notice) -> None:
        """Note what the user was told."""
        what = {Severity.ERROR: What.ERROR, Severity.WARNING: What.WARNING}.get(notice.severity, What.NOTE)
        self.add(what, notice.text)

    def see_snapshot(self, snapshot: Snapshot) -> None:
        """Note what has changed."""
        last, self._last = self._last, snapshot
        if last is None:
            self.add(What.RUN, snapshot.says or snapshot.activity.value)
            return
        self._see_run(last, snapshot)
        self._see_light(last, snapshot)
        self._see_settings(last, snapshot)
        if snapshot.stage.xy_um != last.stage.xy_um or snapshot.stage.z_um != last.stage.z_um:
            self.add(What.STAGE, _place(snapshot))
        self._see_losses(last.counts, snapshot.counts)

    def _see_run(self, last: Snapshot, now: Snapshot) -> None:
        if now.activity is not last.activity:
            recording = now.recording
            plan = f": plan {now.plan}" if now.plan else ""
            into = f" to {recording.folder}" if now.activity is Activity.RECORDING and recording else ""
            self.add(What.RUN, f"{now.activity.value}{plan}{into}")
            if last.activity is Activity.RECORDING and last.recording is not None:
                self.add(What.RUN, f"recorded {last.recording.series} series in {last.recording.seconds:.1f} s")
        if (now.stalled_s > 0) != (last.stalled_s > 0):
            self.add(What.RUN, "the camera gives no frames" if now.stalled_s > 0 else "the camera gives frames again")

    def _see_light(self, last: Snapshot, now: Snapshot) -> None:
        if now.light is not last.light or now.lamps != last.lamps:
            lit = ", ".join(f"{one.channel} {one.power_percent:.3g} % ({one.state})" for one in now.lamps)
            text = {Light.OFF: "off", Light.UNKNOWN: "UNKNOWN: a device did not say that it went dark"}.get(now.light)
            self.add(What.LIGHT, text or f"on{': ' + lit if lit else ''}")

    def _see_settings(self, last: Snapshot, now: Snapshot) -> None:
        one, other = last.settings, now.settings
        for name, shown, unit in (
            ("channel", "channel", ""),
            ("power_percent", "power", " %"),
            ("exposure_ms", "exposure", " ms"),
            ("denoiser", "denoiser", ""),
            ("region", "camera region", ""),
        ):
            if getattr(one, name) != getattr(other, name):
                self.add(What.SETTING, f"{shown} {getattr(other, name)}{unit}")

    def _see_losses(self, last: Counts, now: Counts) -> None:
        for name, words in _LOSSES.items():
            before, count = getattr(last, name), getattr(now, name)
            if count < before:  # a new run counts from 0
                self._losses.pop(name, None)
                before = 0
            if count <= before:
                continue
            at, told = self._losses.get(name, (None, before))
            joined = at is not None and (self._now() - at).total_seconds() < JOINED_S
            if not joined:
                self.add(What.LOSS, f"{count - told} {words}, {count} in this run")
                self._losses[name] = (self._now(), count)


def _place(snapshot: Snapshot) -> str:
    stage = snapshot.stage
    parts = [f"x {stage.xy_um[0]:.2f}, y {stage.xy_um[1]:.2f}"] if stage.xy_um else []
    parts += [f"z {stage.z_um:.2f}"] if stage.z_um is not None else []
    return ", ".join(parts) + " um" if parts else "neither stage nor focus answers"
