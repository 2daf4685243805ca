"""`rdl-live demo`: see what the program does, without any data of your own."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

MICROSCOPE = """\
name: demo
optics: {na: 1.49, pixel_size_um: 0.065}
channels: [{name: "488", excitation_nm: 488, emission_nm: 525}]
pattern: {angles: 3, phases: 3}
camera: {offset_adu: 100, gain_e_per_adu: 0.46, read_noise_e: 1.6}
"""


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for what is made.")] = Path("demo-out"),
    specimen: Annotated[str, typer.Option(help="Kind of specimen, as in `rdl-live simulate`.")] = "mixed",
    photons: Annotated[float, typer.Option(help="Mean photons per raw pixel and frame.")] = 200.0,
    size: Annotated[str, typer.Option(metavar="N", help="Raw frame in pixels.")] = "256",
    seed: Annotated[int, typer.Option(min=0, help="Another number, another specimen.")] = 1,
) -> None:
    """Simulate a specimen on a SIM microscope, reconstruct it, and write the picture.

    DIR then holds the microscope file, the raw series, its truth, the super-resolved image, the report and a preview.

    Examples:

        rdl-live demo

        rdl-live demo --specimen rings --photons 20 --out rings
    """
    from rdl_live.app.device import choose_device
    from rdl_live.app.offline import OfflineRun, Options
    from rdl_live.cli._show import pattern_table, show_warnings
    from rdl_live.cli._simulate import simulate

    out.mkdir(parents=True, exist_ok=True)
    microscope, raw = out / "microscope.yaml", out / "raw.tif"
    microscope.write_text(MICROSCOPE, encoding="utf-8")
    simulate(
        raw,
        microscope,
        specimen=specimen,
        photons=photons,
        size=size,
        seed=seed,
        truth=out / "truth.tif",
        overwrite=True,
    )
    run = OfflineRun(raw, microscope, choose_device("auto"), Options(overwrite=True))
    result = run.reconstruct(out / "sr.tif", report=out / "report.json", preview=out / "preview.png")
    console = Console(highlight=False)
    console.print(pattern_table(result.patterns))
    console.print(f"the picture is {out / 'preview.png'}", markup=False, soft_wrap=True)
    show_warnings(result.warnings)
