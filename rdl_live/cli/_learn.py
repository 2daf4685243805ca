"""`rdl-live train tis|sis|split|auto`: better weights from noisy recordings alone."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rdl_live.cli._ending import orderly_end
from rdl_live.cli._options import (
    Channel,
    Device,
    MicroscopeFile,
    Minutes,
    Order,
    OverwriteTraining,
    PatternsFrom,
    Planes,
    Position,
    Raws,
    Resume,
    Seed,
    Steps,
    Threads,
    Tiles,
    WeightsOut,
    Workers,
    checked_settings,
)
from rdl_live.errors import ConfigError, DataError

if TYPE_CHECKING:  # torch takes a second to load
    from rdl_live.files import RawRequest
    from rdl_live.train.loop.loop import Step
    from rdl_live.train.recordings.run import Result
    from rdl_live.train.stacks.run import VolumeResult

UNCHANGED = 3
"""Exit code where training does not help: no weights were written."""

_Start = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="NAME|W.safetensors", help="Weights to start from; by default rdl, or none for z-stacks."
    ),
]
_Force = Annotated[bool, typer.Option("--force", help="Train even where no gain is expected.")]
_Volume = Annotated[bool, typer.Option("--volume", help="The files are z-stack time-lapses, not SIM series.")]

VERBS = {
    "tis": """Retrain on time-lapses by comparing neighbouring time points (temporally interleaved).

No clean image is needed: two noisy images of one object differ by noise alone. Where things move too much from one
time point to the next it says so and changes nothing (exit code 3); use `train split` there, or `train auto`. The
last time points of each recording and a quarter of its field are held out; weights are written only if they do
clearly better at those time points, and no worse in that quarter.

Examples:

    rdl-live train tis film.tif --microscope M.yaml --out mine.safetensors --minutes 10

    rdl-live train tis stacks.tif --volume --microscope M.yaml --out volume.safetensors
""",
    "sis": """Train on z-stacks by letting the even planes predict the odd ones (spatially interleaved).

Planes must lie closer than the depth of focus; the gap between them is taken into account. The files are z-stack
time-lapses of at least 3 time points; the last ones are held out to judge. Use the result with `rdl-live restore`.

Example:

    rdl-live train sis stacks.tif --microscope M.yaml --out volume.safetensors --minutes 10
""",
    "split": """Retrain by dividing the photons of each time point at random into two series: motion does not matter.

It needs the camera's offset, gain and read noise to be right (`rdl-live calibrate camera`). Weights are written
only if they do better on held-out time points; else the exit code is 3.

Example:

    rdl-live train split film.tif --microscope M.yaml --out mine.safetensors --minutes 10
""",
    "auto": """Retrain by the scheme that suits the measured motion; says which, and why.

SIM series: `tis`, or `split` where things move too fast. Z-stacks (--volume): `tis` or `sis`, whichever
compares images that are more alike.

Example:

    rdl-live train auto film.tif --microscope M.yaml --out mine.safetensors --minutes 10
""",
}
"""Help of the verbs, which have all options in common."""


def verb(scheme: str) -> Callable[..., None]:
    """Return the command of a scheme."""

    def command(
        raws: Raws,
        microscope: MicroscopeFile,
        out: WeightsOut,
        minutes: Minutes = 10.0,
        steps: Steps = None,
        start: _Start = None,
        volume: _Volume = False,
        planes: Planes = None,
        force: _Force = False,
        resume: Resume = False,
        overwrite: OverwriteTraining = False,
        device: Device = "auto",
        threads: Threads = 2,
        workers: Workers = 1,
        seed: Seed = 1,
        channel: Channel = None,
        patterns: PatternsFrom = None,
        position: Position = None,
        order: Order = None,
        tiles: Tiles = None,
    ) -> None:
        import torch

        from rdl_live.app.device import choose_device
        from rdl_live.files.raw import said
        from rdl_live.train.loop.outputs import Outputs, check_free, check_outputs
        from rdl_live.train.loop.processes import check_alone

        check_alone()
        torch.set_num_threads(threads)
        # Before minutes are spent on finding patterns.
        check_free(Outputs(out))
        check_outputs(Outputs(out), resume=resume, overwrite=overwrite)
        chosen = choose_device(device)
        common = {
            "auto": scheme == "auto",
            "force": force,
            "device": chosen,
            "resume": resume,
            "overwrite": overwrite,
        }
        wanted: dict[str, Any] = {"minutes": minutes, "steps": steps, "seed": seed}
        if scheme != "auto":
            wanted["scheme"] = scheme
        if start is not None:
            wanted["start"] = start
        if scheme == "sis" or volume:
            if patterns is not None:
                raise ConfigError(f"--patterns {patterns}: z-stacks have no patterns; leave it out")
            for option, value in (("position", position), ("order", order), ("tiles", tiles)):
                if value is not None:
                    raise ConfigError(f"--{option} {value}: is for SIM series, not for z-stacks; leave it out")
            _learn_volumes(raws, microscope, out, wanted, common, planes=planes, channel=channel)
        else:
            reading = said(position=position, order=order, planes=planes, tiles=tiles)
            wanted |= {"workers": workers}
            _learn_series(raws, microscope, out, wanted, common, channel=channel, reading=reading, patterns=patterns)

    return command


def _learn_series(
    raws: list[Path],
    microscope: Path,
    out: Path,
    wanted: dict[str, Any],
    common: dict[str, Any],
    *,
    channel: str | None,
    reading: "RawRequest",
    patterns: Path | None,
) -> None:
    from rdl_live.app.retrain.films import open_films
    from rdl_live.restore.suited import check_suited
    from rdl_live.train import train_on_films
    from rdl_live.train.recordings.settings import SelfSupSettings
    from rdl_models import Task, find_weights, read_card

    settings, console = checked_settings(SelfSupSettings, wanted), _Console()
    # Before a minute is spent on finding patterns.
    card = read_card(find_weights(settings.start))
    check_suited(card, f"--from {settings.start}", {Task.OBJECT_PLANE}, "learn from noisy SIM series")
    try:
        films = open_films(
            raws,
            microscope,
            device=common["device"],
            channel=channel,
            reading=reading,
            patterns=patterns,
            notify=console.notify,
        )
    except DataError as error:
        if reading.planes is None:
            raise
        raise DataError(f"{error}; if these are z-stacks without SIM, add --volume") from error
    with orderly_end(out) as after_step, _Shown(console, f"of that of {settings.start}", after_step) as shown:
        result = train_on_films(films, out, settings, **common, watch=shown.step, notify=console.notify)
    _report(result, out, f"--denoise {out}")
    print_plain = Console(highlight=False).print
    print_plain("compare it: rdl-live compare RAW --microscope M.yaml --models " + f"rdl,{out}", soft_wrap=True)


def _learn_volumes(
    raws: list[Path],
    microscope: Path,
    out: Path,
    wanted: dict[str, Any],
    common: dict[str, Any],
    *,
    planes: int | None,
    channel: str | None,
) -> None:
    from rdl_live.app.retrain.volumes import open_volume_films
    from rdl_live.train.stacks.run import train_on_volumes
    from rdl_live.train.stacks.settings import VolumeSettings

    if wanted.get("scheme") == "split":
        raise ConfigError("--volume: z-stacks are trained on by tis or sis")
    settings, console = checked_settings(VolumeSettings, wanted), _Console()
    films = open_volume_films(raws, microscope, planes=planes, channel=channel, notify=console.notify)
    with orderly_end(out) as after_step, _Shown(console, "of that of the noisy stacks", after_step) as shown:
        result = train_on_volumes(films, out, settings, **common, watch=shown.step, notify=console.notify)
    _report(result, out, f"rdl-live restore STACKS.tif --microscope M.yaml --weights {out} --out OUT.tif")


class _Console(Console):
    """The error stream."""

    def __init__(self) -> None:
        super().__init__(stderr=True, highlight=False)

    def notify(self, text: str) -> None:
        """Print a sentence."""
        self.print(text, markup=False, soft_wrap=True)


class _Shown(Progress):
    """A progress bar of the training."""

    def __init__(self, console: Console, reference: str, after_step: Callable[[], None]) -> None:
        columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
        super().__init__(*columns, console=console, transient=True)
        self._task = self.add_task("first look at what is held out", total=1.0)
        self._held, self._reference, self._after_step = "", reference, after_step

    def step(self, step: "Step") -> None:
        """Show a step."""
        if step.look is not None:
            self._held = f"  held-out error {max(step.look.error, 0) ** 0.5:.3f} {self._reference}"
        text = f"step {step.number}  loss {step.loss:.3f}{self._held}"
        self.update(self._task, completed=step.done, description=text)
        self._after_step()


def _report(result: "Result | VolumeResult", out: Path, use: str) -> None:
    console = Console(highlight=False)
    for text in result.words:
        console.print(text, markup=False, soft_wrap=True)
    if result.card is None:
        console.print(f"{out}: not written", markup=False, soft_wrap=True)
        raise typer.Exit(UNCHANGED)
    console.print(f"wrote {out}; use it with {use}", markup=False, soft_wrap=True)
