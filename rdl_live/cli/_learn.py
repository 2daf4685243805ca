"""`rdl-live train tis|split|auto`: better weights from noisy recordings alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rdl_live.errors import ConfigError

if TYPE_CHECKING:  # torch takes a second to load
    from rdl_live.train.selfsup.run import Result
    from rdl_live.train.selfsup.trainer import PairStep

UNCHANGED = 3
"""Exit code where training does not help: no weights were written."""

_Raws = Annotated[list[Path], typer.Argument(metavar="RAW...", help="Noisy time-lapses of one microscope.")]
_Microscope = Annotated[Path, typer.Option("--microscope", "-m", metavar="M.yaml", help="Microscope file.")]
_Out = Annotated[Path, typer.Option(metavar="W.safetensors", help="Weight file to write.")]
_Minutes = Annotated[float, typer.Option(metavar="N", help="How long to train, at most.")]
_Steps = Annotated[int | None, typer.Option(metavar="N", help="Stop after so many steps instead; then repeatable.")]
_Start = Annotated[str, typer.Option("--from", metavar="NAME|W.safetensors", help="Weights to go on from.")]
_Force = Annotated[bool, typer.Option("--force", help="Train even where it promises nothing.")]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint beside the weights.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace weights and checkpoint that exist.")]
_Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")]
_Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
_Workers = Annotated[int, typer.Option(min=0, help="Processes that simulate scenes for rehearsal.")]
_Seed = Annotated[int, typer.Option(min=0, help="Of everything that is random.")]
_Channel = Annotated[str | None, typer.Option(metavar="NAME", help="Colour; the first by default.")]


def tis(
    raws: _Raws,
    microscope: _Microscope,
    out: _Out,
    minutes: _Minutes = 10.0,
    steps: _Steps = None,
    start: _Start = "rdl",
    force: _Force = False,
    resume: _Resume = False,
    overwrite: _Overwrite = False,
    device: _Device = "auto",
    threads: _Threads = 2,
    workers: _Workers = 1,
    seed: _Seed = 1,
    channel: _Channel = None,
) -> None:
    """Retrain on time-lapses by comparing neighbouring time points (temporally interleaved).

    No clean image is needed: two noisy looks at one object differ by noise alone. Where things move too much from a
    time point to the next it says so and changes nothing (exit code 3); use `train split` there, or `train auto`. The
    last time points of each recording are held out; weights are written only if they do better on those.

    Example:

        rdl-live train tis film.tif --microscope M.yaml --out mine.safetensors --minutes 10
    """
    _learn("tis", **locals())


def split(
    raws: _Raws,
    microscope: _Microscope,
    out: _Out,
    minutes: _Minutes = 10.0,
    steps: _Steps = None,
    start: _Start = "rdl",
    force: _Force = False,
    resume: _Resume = False,
    overwrite: _Overwrite = False,
    device: _Device = "auto",
    threads: _Threads = 2,
    workers: _Workers = 1,
    seed: _Seed = 1,
    channel: _Channel = None,
) -> None:
    """Retrain by dividing the photons of each time point at random into two series: motion does not matter.

    It needs the camera's offset, gain and read noise to be right (`rdl-live calibrate camera`). Weights are written
    only if they do better on held-out time points; else the exit code is 3.

    Example:

        rdl-live train split film.tif --microscope M.yaml --out mine.safetensors --minutes 10
    """
    _learn("split", **locals())


def auto(
    raws: _Raws,
    microscope: _Microscope,
    out: _Out,
    minutes: _Minutes = 10.0,
    steps: _Steps = None,
    start: _Start = "rdl",
    force: _Force = False,
    resume: _Resume = False,
    overwrite: _Overwrite = False,
    device: _Device = "auto",
    threads: _Threads = 2,
    workers: _Workers = 1,
    seed: _Seed = 1,
    channel: _Channel = None,
) -> None:
    """Retrain by the scheme that the measured motion asks for, `tis` or `split`.

    Example:

        rdl-live train auto film.tif --microscope M.yaml --out mine.safetensors --minutes 10
    """
    _learn(None, **locals())


def _learn(
    scheme: str | None,
    raws: list[Path],
    microscope: Path,
    out: Path,
    force: bool,
    resume: bool,
    overwrite: bool,
    device: str,
    threads: int,
    channel: str | None,
    **wanted: Any,
) -> None:
    import torch

    from rdl_live.app.device import choose_device
    from rdl_live.app.films import open_films
    from rdl_live.train.run import Outputs, check_outputs
    from rdl_live.train.selfsup.run import train_on_films
    from rdl_live.train.selfsup.settings import SelfSupSettings

    try:
        settings = SelfSupSettings.model_validate({"scheme": scheme or "tis", **wanted})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"--{first['loc'][0]} {first['input']}: {first['msg'].lower()}") from error
    torch.set_num_threads(threads)
    # Before minutes are spent on finding patterns.
    check_outputs(Outputs(out), resume=resume, overwrite=overwrite)
    chosen = choose_device(device)
    console = Console(stderr=True, highlight=False)

    def tell(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    films = open_films(raws, microscope, device=chosen, channel=channel, tell=tell)
    with _Shown(console) as shown:
        result = train_on_films(
            films,
            out,
            settings,
            auto=scheme is None,
            force=force,
            device=chosen,
            resume=resume,
            overwrite=overwrite,
            watch=shown.step,
            tell=tell,
        )
    _report(result, out)


class _Shown(Progress):
    """A progress bar of the training."""

    def __init__(self, console: Console) -> None:
        columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
        super().__init__(*columns, console=console, transient=True)
        self._task = self.add_task("first look at what is held out", total=1.0)
        self._held = ""

    def step(self, step: "PairStep") -> None:
        """Show a step."""
        if step.look is not None:
            self._held = f"  held-out error {max(step.look.error, 0) ** 0.5:.3f} of Wiener's"
        text = f"step {step.number}  loss {step.loss:.3f}{self._held}"
        self.update(self._task, completed=step.done, description=text)


def _report(result: "Result", out: Path) -> None:
    console = Console(highlight=False)
    for text in result.words:
        console.print(text, markup=False, soft_wrap=True)
    if result.card is None:
        console.print(f"{out}: not written", markup=False, soft_wrap=True)
        raise typer.Exit(UNCHANGED)
    console.print(f"wrote {out}; use it with --denoise {out}", markup=False, soft_wrap=True)
    console.print("compare it: rdl-live compare RAW --microscope M.yaml --models " + f"rdl,{out}", soft_wrap=True)
