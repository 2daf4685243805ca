"""A microscope to sit at: live view, snaps and recordings, one after the other, on one core that stays open.

The window's side of it is `rdl_live.view.live.session.Session`. Whoever calls only writes down what is wanted and
returns; one thread does it, and is the only one that speaks to devices. Two things do not wait for it: `stop`, which
is only a flag for the acquisition, and, should that not go dark at once, the illumination guard.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rdl_live._garbage import collect, loading
from rdl_live._heaps import few_arenas
from rdl_live.app.session.goals import Goal, Kind, Requests
from rdl_live.app.session.notices import Notices
from rdl_live.errors import RdlError
from rdl_live.view.live.session import Activity, Images, Light, Notice, Severity, Snapshot

if TYPE_CHECKING:  # torch and Micro-Manager take seconds to load, and the window must not wait for them
    from pymmcore_plus import CMMCorePlus

    from rdl_live.acquire.plan import Plan
    from rdl_live.app.session.bench import MicroscopeContext
    from rdl_live.app.session.run import SessionRun
    from rdl_live.optics.microscope import Microscope

_LOG = logging.getLogger(__name__)

DARK_S = 0.3
"""After a stop the acquisition has so long to go dark by itself; then the guard does it."""
REFRESH_S = 0.2
"""How often the snapshot is made anew."""
SHUTDOWN_S = 3.0
"""How long unloading hanging devices is waited for."""


class LiveSession:
    """See `rdl_live.view.live.session.Session`, which it fulfils."""

    def __init__(
        self,
        microscope: "Microscope | Path | str",
        wishes: Requests | None = None,
        *,
        core: "CMMCorePlus | None" = None,
        prepare: "Callable[[CMMCorePlus], None] | None" = None,
    ) -> None:
        """Only take what is needed; `start` opens the devices in the background.

        Args:
            microscope: with its hardware section, or its file.
            wishes: what to begin with.
            core: an open core that has the microscope's devices, and that stays open at the end; by default one is
                opened and closed.
            prepare: may change the core after it is opened.
        """
        self._source, self._given_core, self._prepare = microscope, core, prepare
        self._told = Notices()
        self._changed = threading.Condition()
        self._wishes = wishes or Requests()
        self._goal: Goal | None = None
        self._stops = 0
        """How often it was asked to stop, so that none is missed while a run is being made ready."""
        self._reconnect = self._closing = self._dose_reset = False
        self._bench: MicroscopeContext | None = None
        self._run: SessionRun | None = None
        self._snapshot = Snapshot(says="loading the devices …", settings=self._wishes.settings)
        self.ended: list[Callable[[], object]] = []
        """Called once when it is asked to close."""
        # A daemon: a device that hangs for ever must not keep the process from its end.
        self._thread = threading.Thread(target=self._work, name="rdl-session", daemon=True)

    def start(self) -> None:
        """Load the devices, in the background."""
        few_arenas()
        self._thread.start()

    # What the window asks; nothing here waits -----------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot:
        """How it is. Its light is that of the moment when it is asked for."""
        run, snapshot = self._run, self._snapshot
        if run is None or snapshot.light is Light.UNKNOWN:
            return snapshot
        lamps, light = run.light.lamps, Light.ON if run.light.lit else Light.OFF
        if (lamps, light) != (snapshot.lamps, snapshot.light):
            with self._changed:
                if self._run is run:
                    self._snapshot = replace(self._snapshot, lamps=lamps, light=light)
        return self._snapshot

    @property
    def source(self) -> "Microscope | Path | str":
        """The microscope as it was given: described, or its file."""
        return self._source

    @property
    def microscope(self) -> "Microscope | None":
        """Its description; None before it is read."""
        return None if self._bench is None else self._bench.microscope

    def take_images(self) -> Images | None:
        """Return the newest images, or None where they have been taken already."""
        return None if self._bench is None else self._bench.mailbox.take()

    def notices(self, after: int) -> Sequence[Notice]:
        """Return the notices after this number."""
        return self._told.after(after)

    def live(self) -> None:
        """Show what the camera sees, until it is stopped."""
        self._want(Goal(Kind.LIVE))

    def snap(self) -> None:
        """Take one series."""
        self._want(Goal(Kind.SNAP))

    def record(self, folder: Path, plan: "Plan | None" = None) -> None:
        """Record to a folder that is made: a plan, or what live view shows until it is stopped."""
        self._want(Goal(Kind.RECORD, folder, plan))

    def move(self, places_um: Mapping[str, float], *, by: bool = False) -> None:
        """Drive "x", "y", "z" to places, or by distances [um]; refused, with a notice, while something is recorded."""
        mover = None if self._bench is None else self._bench.mover
        if mover is None:
            self._told.warn("there is nothing to move: the microscope has neither stage nor focus, or they are loading")
        else:
            mover.move(dict(places_um), by=by)

    def stop(self) -> None:
        """Stop whatever runs. Any thread, any number of times; the light is off within a second."""
        with self._changed:
            self._goal = None
            self._stops += 1
            run = self._run
            self._changed.notify_all()
        if self._bench is not None and self._bench.mover is not None:
            self._bench.mover.stop()
        if run is not None:
            run.stop()
            self._show(replace(self._snapshot, activity=Activity.STOPPING, says="stopping …"))
            threading.Thread(target=self._see_dark, args=(run,), name="rdl-dark", daemon=True).start()

    def make_safe(self) -> None:
        """Turn the light off now, whatever runs; any thread. Waits for the devices, a second at most."""
        run = self._run
        if run is not None:
            self._tried(run.light.make_safe)

    def notify(self, severity: Severity, text: str, details: str = "") -> None:
        """Add a notice; any thread."""
        self._told.add(severity, text, details)

    def change(self, **settings: object) -> None:
        """Change fields of `Settings`."""
        with self._changed:
            self._wishes = self._wishes.changed(**settings)
            self._snapshot = replace(self._snapshot, settings=self._wishes.settings)
            self._changed.notify_all()

    def turn(self, **knobs: object) -> None:
        """Change fields of `DemoKnobs`."""
        with self._changed:
            self._wishes = replace(self._wishes, knobs={**self._wishes.knobs, **knobs})
            self._changed.notify_all()

    def watch_disk(self, folder: Path) -> None:
        """Tell how much room is left where this folder is to be."""
        with self._changed:
            self._wishes = replace(self._wishes, folder=folder)

    def reset_dose(self) -> None:
        """Count the dose from 0."""
        self._dose_reset = True

    def reconnect(self) -> None:
        """Unload the devices and load them again."""
        self.stop()
        with self._changed:
            self._reconnect = True
            self._snapshot = replace(self._snapshot, activity=Activity.OPENING, says="reloading the devices …")
            self._changed.notify_all()

    def close(self) -> None:
        """Stop, go dark, unload; returns at once."""
        while self.ended:
            self.ended.pop()()
        self.stop()
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait until it is closed; return whether it is."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # What the thread does -------------------------------------------------------------------------------

    def _work(self) -> None:
        self._tried(self._open)
        while not self._closing:
            with self._changed:
                goal, again, stops = self._goal, self._reconnect, self._stops
                self._goal, self._reconnect = None, False
                if goal is None and not again:
                    self._changed.wait(REFRESH_S)
            if again:
                self._tried(self._open_again)
            if goal is not None:  # asked for after the reconnecting, which forgets what was asked for before
                self._tried(lambda g=goal, n=stops: self._carry_out(g, n))  # type: ignore[misc]
            self._tried(self._idle)
        self._tried(self._shut)
        self._show(Snapshot(Activity.CLOSED, "closed"))

    def _tried(self, step: Callable[[], None]) -> bool:
        """Do a step; what goes wrong is reported, and the session lives on."""
        try:
            step()
        except RdlError as error:
            self._told.add(Severity.ERROR, str(error))
        except Exception as error:  # a defect: it must not take the stop button with it
            _LOG.exception("the session failed")
            text = f"{type(error).__name__}: {error}. This is a defect of rdl-live; please report it with the details"
            self._told.add(Severity.ERROR, text, traceback.format_exc())
        else:
            return True
        return False

    def _open(self) -> None:
        """Read the microscope file, load its devices, make it dark."""
        self._show(replace(self._snapshot, activity=Activity.OPENING, says="loading the devices …"))
        with loading():
            from rdl_live.app.session.bench import MicroscopeContext
        bench = MicroscopeContext(self._source, self._given_core, self._prepare, self._told)
        try:
            bench.open()
        except BaseException:
            self._show(replace(self._snapshot, activity=Activity.BROKEN, says="the devices could not be loaded"))
            raise
        with self._changed:
            self._wishes = bench.complete(self._wishes)
        self._bench = bench
        self._show(bench.idle(self._wishes))

    def _open_again(self) -> None:
        self._shut()
        _forget()
        self._open()

    def _carry_out(self, goal: Goal, stops: int) -> None:
        """Run one goal, and what follows from changed settings, to its end; `stops` is the count when it was taken."""
        bench = self._bench
        if bench is None or bench.broken:
            self._told.add(Severity.ERROR, "the devices are not connected; choose Reconnect first")
            return
        mover = bench.mover if goal.kind is not Kind.LIVE else None  # what is recorded is taken where it is
        if mover is not None:
            mover.hold()
        try:
            self._follow(bench, goal, stops)
        finally:
            if mover is not None:
                mover.release()

    def _follow(self, bench: "MicroscopeContext", goal: Goal, stops: int) -> None:
        following: Goal | None = goal
        while following is not None:
            with self._changed:
                wishes = self._wishes
            # Loaded now, while the simulated specimen grows: it needs a second as well.
            with loading():
                from rdl_live.app.session.run import SessionRun

            bench.prepare(wishes)
            run = SessionRun(bench, following, wishes)
            with self._changed:
                superseded = self._goal is not None or self._closing or self._stops != stops
                self._run = run
            if superseded:
                run.stop()
            try:
                self._show(run.snapshot(wishes, Activity.STARTING))
                with run:
                    self._watch(run)
                    self._show(replace(self._snapshot, activity=Activity.STOPPING, says="stopping …"))
                    run.end()
            finally:
                with self._changed:
                    self._run = None
                bench.after(run)
                _forget()
                if bench.broken:
                    self._show(bench.idle(self._wishes))
            again = run.restarts and self._goal is None and not self._closing and self._stops == stops
            following = following if again else None

    def _watch(self, run: "SessionRun") -> None:
        """Look after a run until it ends: pass changed settings on, and make the snapshot."""
        run.start()
        # Once it was asked to stop it is not watched any more: it may never end, and `end` knows what to do then.
        while run.running and not run.stopped:
            with self._changed:
                superseded = self._goal is not None or self._closing
                wishes = self._wishes
                self._changed.wait(0.02 if wishes != run.wishes else REFRESH_S)
            if superseded:
                run.stop()
                continue
            self._tried(lambda w=wishes: run.follow(w))  # type: ignore[misc]
            if (kept := run.kept_denoiser) is not None:
                run.kept_denoiser = None
                self.change(denoiser=kept)
            self._reset_dose_if_asked()
            self._show(run.snapshot(wishes))

    def _idle(self) -> None:
        """Nothing runs: turn knobs, look at the disk."""
        if self._bench is None or self._goal is not None:
            return
        with self._changed:
            wishes = self._wishes
        self._reset_dose_if_asked()
        self._bench.recover()
        if not self._bench.broken:
            self._tried(lambda: self._bench.turn(wishes.knobs) if self._bench else None)
        self._show(self._bench.idle(wishes))

    def _reset_dose_if_asked(self) -> None:
        if self._dose_reset and self._bench is not None:
            self._dose_reset = False
            self._bench.reset_dose(self._run)

    def _shut(self) -> None:
        bench, self._bench = self._bench, None
        if bench is None:
            return
        # In a thread of its own: unloading a device that hangs may never return.
        failed: list[BaseException] = []

        def shut() -> None:
            try:
                bench.close()
            except BaseException as error:  # raised below, in the session's thread
                failed.append(error)

        thread = threading.Thread(target=shut, name="rdl-unload", daemon=True)
        thread.start()
        thread.join(SHUTDOWN_S if bench.broken else None)
        if thread.is_alive():
            self._told.add(
                Severity.WARNING,
                "a device cannot be unloaded; if it cannot be reconnected, switch it off and on, and "
                "restart the program",
            )
        if failed:
            raise failed[0]

    def _see_dark(self, run: "SessionRun") -> None:
        """After a stop: if the run does not go dark by itself, turn the light off here."""
        deadline = time.monotonic() + DARK_S
        while run.light.lit and time.monotonic() < deadline:
            time.sleep(0.01)
        if run.light.lit:
            dark = self._tried(run.light.make_safe)
            self._show(replace(self._snapshot, light=Light.OFF if dark else Light.UNKNOWN, lamps=()))
        else:
            self._show(replace(self._snapshot, light=Light.OFF, lamps=()))

    def _want(self, goal: Goal) -> None:
        with self._changed:
            self._goal = goal
            run = self._run
            self._changed.notify_all()
        if run is not None:
            run.stop()

    def _show(self, snapshot: Snapshot) -> None:
        with self._changed:
            settings = self._wishes.settings
            self._snapshot = replace(snapshot, settings=settings, at_s=time.perf_counter())


def _forget() -> None:
    """Let go of what has ended: runs and devices hold each other, and Python counts objects, not the megabytes in them.

    Takes a tenth of a second, while nothing is recorded.
    """
    collect()
