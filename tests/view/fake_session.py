"""A session without a microscope: tests say how it is, and read what it was asked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rdl_live.acquire.plan import Plan
from rdl_live.optics.microscope import Microscope
from rdl_live.view.live.session import Activity, DemoKnobs, Images, Notice, Settings, Severity, Snapshot
from rdl_live.view.panes.picture import Picture

SIDE = 64


class FakeSession:
    """Fulfils `Session`."""

    def __init__(self, microscope: Microscope | None = None) -> None:
        self.microscope = microscope
        self.snapshot = Snapshot(
            Activity.IDLE,
            "ready",
            settings=Settings("488", 50.0, 10.0, (128, 128, SIDE, SIDE)),
            channels=("488",),
            powers_w_cm2=(10.0,),
            denoisers=("none", "rdl"),
            chip=(512, 512),
            disk_free_bytes=80_000_000_000,
            dose_j_cm2=0.0,
            demo=DemoKnobs(("filaments", "beads"), "filaments", 10.0, 0.1),
        )
        self.asked: list[tuple[str, Any]] = []
        self.told: list[Notice] = []
        self._images: Images | None = None
        self._count = 0

    def be(self, activity: Activity, says: str = "", **fields: Any) -> None:
        """Be at something."""
        self._count += 1
        self.snapshot = replace(self.snapshot, activity=activity, says=says, at_s=float(self._count), **fields)

    def notify(self, severity: Severity, text: str, details: str = "") -> None:
        """Tell something."""
        self.told.append(Notice(len(self.told) + 1, severity, text, details))

    def give(self, *, denoised: bool = False, channel: str = "488", value: float = 100.0) -> Images:
        """Give images: a ramp."""
        self._count += 1
        raw = np.linspace(0, value, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
        sr = np.kron(raw, np.ones((2, 2), np.float32))
        self._images = Images(
            self._count,
            channel,
            {
                "raw": Picture(raw, 0.065),
                "widefield": Picture(raw, 0.065),
                "sim": Picture(sr, 0.0325),
                **({"denoised": Picture(sr, 0.0325, 0.5 * np.abs(sr))} if denoised else {}),
            },
            denoiser="rdl" if denoised else "none",
        )
        return self._images

    def give_these(self, images: Images) -> None:
        """Give other images."""
        self._count += 1
        self._images = replace(images, number=self._count)

    def take_images(self) -> Images | None:
        images, self._images = self._images, None
        return images

    def notices(self, after: int) -> Sequence[Notice]:
        return [one for one in self.told if one.number > after]

    def live(self) -> None:
        self.asked.append(("live", None))

    def snap(self) -> None:
        self.asked.append(("snap", None))

    def record(self, folder: Path, plan: Plan | None = None) -> None:
        self.asked.append(("record", (folder, plan)))

    def move(self, places_um: Mapping[str, float], *, by: bool = False) -> None:
        self.asked.append(("move by" if by else "move", dict(places_um)))

    def stop(self) -> None:
        self.asked.append(("stop", None))

    def change(self, **settings: object) -> None:
        self.asked.append(("change", settings))
        self.snapshot = replace(self.snapshot, settings=replace(self.snapshot.settings, **settings))  # type: ignore[arg-type]

    def turn(self, **knobs: object) -> None:
        self.asked.append(("turn", knobs))

    def watch_disk(self, folder: Path) -> None:
        self.asked.append(("watch_disk", folder))

    def reset_dose(self) -> None:
        self.asked.append(("reset_dose", None))

    def reconnect(self) -> None:
        self.asked.append(("reconnect", None))

    def close(self) -> None:
        self.asked.append(("close", None))

    def join(self, timeout_s: float) -> bool:
        return timeout_s >= 0

    def last(self, what: str) -> Any:
        """Return the argument of the last call of this kind."""
        return next(argument for name, argument in reversed(self.asked) if name == what)

    def count(self, what: str) -> int:
        """Return how often it was asked for something."""
        return sum(name == what for name, _ in self.asked)
