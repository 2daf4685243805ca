"""What verbs have in common: the options that several of them take, and the way their help is shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from rdl_live.errors import ConfigError

KINDS = (
    "TIFF, OME-TIFF, OME-Zarr, NDTiff, MRC and .dv, a folder of TIFF files (one per frame, or one per series), a "
    "recording of rdl-live; with the extra rdl-live\\[vendor] ND2, CZI and LIF"
)
"""All that is read."""
Raw = Annotated[Path, typer.Argument(metavar="RAW", help=f"Raw recording: {KINDS}.")]
Raws = Annotated[list[Path], typer.Argument(metavar="RAW...", help="Noisy time-lapses of one microscope.")]
RecordingFolder = Annotated[Path, typer.Argument(metavar="RAW.ome.zarr", help="Recording (a folder).")]
MicroscopeFile = Annotated[
    Path, typer.Option("--microscope", "-m", metavar="M.yaml", help="Microscope file: optics, channels, camera.")
]
Rig = Annotated[
    Path, typer.Option("--microscope", "-m", metavar="M.yaml", help="Microscope file with a hardware section.")
]
Channel = Annotated[str | None, typer.Option(metavar="NAME", help="Colour, by name in M.yaml; the first by default.")]
Position = Annotated[
    str | None, typer.Option(metavar="NAME|N", help="Stage position, by name or number from 0; all by default.")
]
Order = Annotated[
    str | None,
    typer.Option(metavar="AXES", help="How frames follow one another, slowest first, such as angle-z-phase (OMX)."),
]
Tiles = Annotated[
    str | None, typer.Option(metavar="RxC", help="Each picture is a mosaic of R rows and C columns of frames.")
]
Planes = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Planes of a z-stack, if the file does not record it.")
]
PatternsFrom = Annotated[
    Path | None,
    typer.Option(
        "--patterns",
        metavar="FROM",
        help="Use the patterns of a brighter recording, of a report, or of estimate --json; phases are fitted again.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable report on standard output.")]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")]
Threads = Annotated[int, typer.Option(min=1, metavar="N", help="CPU threads.")]

Function = TypeVar("Function", bound=Callable[..., Any])
Settings = TypeVar("Settings")

# Of trainings.
WeightsOut = Annotated[Path, typer.Option("--out", metavar="W.safetensors", help="Weight file to write.")]
Minutes = Annotated[float, typer.Option(metavar="N", help="How long to train, at most; with --resume, in all.")]
Steps = Annotated[
    int | None,
    typer.Option(metavar="N", help="Stop after this many steps instead; the result is then the same every time."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue from the checkpoint next to the weights.")]
Workers = Annotated[
    int, typer.Option(min=0, metavar="N", help="Extra processes that simulate scenes; 0: only this one.")
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Seed of all random numbers.")]
OverwriteTraining = Annotated[bool, typer.Option("--overwrite", help="Replace existing weights and checkpoint.")]


_OPTIONS = {"start": "from", "half_precision": "half"}
"""Options whose names are not those of what they set."""


def checked_settings(kind: type[Settings], wanted: dict[str, Any]) -> Settings:
    """Return the settings that options ask for.

    Raises:
        ConfigError: what is wrong with the first of those that cannot be, by the name of its option.
    """
    try:
        return kind(**wanted)
    except ValidationError as error:
        from rdl_live.files.explain import plain_message

        first = error.errors(include_url=False)[0]
        name = next((str(part) for part in reversed(first["loc"]) if isinstance(part, str)), "")
        option = _OPTIONS.get(name, name).replace("_", "-")
        raise ConfigError(f"--{option} {first['input']}: {plain_message(first)}") from error


class _Friendly:
    """Help without the types of a programming language: "RAW..." says more than "<list[Path]>"."""

    def get_params(self, ctx: Any) -> Any:
        params = super().get_params(ctx)  # type: ignore[misc]  # of the command that this is mixed into
        for one in params:
            if isinstance(one, TyperArgument):
                # Methods of this one argument.
                setattr(one, "display_type_rich", lambda ctx: None)  # noqa: ARG005, B010
                setattr(one, "_usage_display_name", lambda name=one.metavar or one.name: name)  # noqa: B010
            elif isinstance(one, TyperOption) and one.is_flag and one.metavar is None:
                one.metavar = ""
        return params


class Verb(_Friendly, TyperCommand):
    """A verb."""


class VerbGroup(_Friendly, TyperGroup):
    """Verbs under a common name."""


class Verbs(typer.Typer):
    """A `typer.Typer` all of whose commands show friendly help."""

    def __init__(self, **settings: Any) -> None:
        """Take what `typer.Typer` takes."""
        super().__init__(cls=VerbGroup, no_args_is_help=True, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Function], Function]:
        """As `typer.Typer.command`."""
        return super().command(name, cls=Verb, **settings)
