"""An assessment from weights to files: the matrix, and the page."""

from collections.abc import Sequence
from pathlib import Path

from rdl_live.app.assess.matrix import NAME, QUICK, Cell, Plan, Progress, assess, example
from rdl_live.app.assess.methods import methods
from rdl_live.app.assess.page import write_page
from rdl_live.app.assess.sample import recorded, simulated
from rdl_live.errors import OutputError

PAGE = "matrix.html"


def assess_models(
    models: Sequence[str],
    out: Path,
    *,
    data: Path | None = None,
    microscope: Path | None = None,
    quick: bool = False,
    plan: Plan | None = None,
    overwrite: bool = False,
    progress: Progress = lambda _what, _done, _total: None,
) -> list[Cell]:
    """Assess weights of networks that super-resolve; write `matrix.json` and `matrix.html`.

    Args:
        models: weights.
        out: folder; is made. A matrix that was interrupted there goes on.
        data: BioSR's folders; simulated where left out.
        microscope: their microscope file.
        quick: a small matrix.
        plan: what is assessed, in place of the usual or the small matrix.
        overwrite: begin anew where there is a whole one.
        progress: notified of what is going on, done, total.

    Raises:
        OutputError: the folder cannot be written to, or holds a whole assessment already.
        ConfigError: weights that cannot be assessed.
        DataError: a matrix of something else lies there, or the data cannot be used.
    """
    chosen = methods(models)
    page, matrix = out / PAGE, out / NAME
    if page.exists() and not overwrite:
        raise OutputError(f"{page}: exists already; choose another --out or pass --overwrite")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if overwrite:
            page.unlink(missing_ok=True)
            matrix.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written to ({error.strerror}); choose another --out") from error
    plan = plan or (QUICK if quick else Plan())
    cells = assess(chosen, out, plan, data=data, microscope=microscope, progress=progress)
    if data is None:
        ends = (plan.levels[0], plan.levels[-1])
        shown = [(name, light, simulated(name, light, 0, plan.side)) for name in plan.structures for light in ends]
    else:
        rows = list(recorded(data, microscope, 1))
        shown = [(row.structure, row.photons, row.samples[0].read()) for row in rows]
    examples = [(name, light, example(chosen, sample)) for name, light, sample in shown]
    write_page(page, cells, examples, simulated=data is None)
    return cells
