"""How far a plan has come, in words for bars and tooltips."""

from typing import TYPE_CHECKING

from rdl_live.view.common.words import brief, span

if TYPE_CHECKING:
    from rdl_live.acquire.progress import Progress

SHORT = 90
"""Characters of the reason that a bar shows; all of it is in the tooltip."""


def late_words(progress: "Progress | None") -> str:
    """Return that a running plan is late and how long it will still take, behind a comma; "" where it is in time."""
    if progress is None or not progress.is_late:
        return ""
    left = "" if progress.remaining_s is None else f", about {span(progress.remaining_s)} left"
    return f", {span(progress.late_s)} late{left}"


def ended_words(progress: "Progress", size: str) -> tuple[str, str]:
    """Return how a plan ended, short and in full."""
    whole = f"recorded {progress.done}, {size}"
    if not progress.lack:
        return whole, whole
    lack = brief(progress.lack).partition("\n")[0]
    if len(lack) > SHORT:
        lack = lack[:SHORT].rsplit(" ", 1)[0] + " …"
    return f"{whole}; {lack}", f"{whole}\n{progress.lack}"
