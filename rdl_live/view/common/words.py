"""Numbers as people say them, and long messages in short."""

import re

_LIST = re.compile(r"\A(?:.*?: )?\d+ problems:\n  - ", re.DOTALL)
_FOLDERS = re.compile(r"(?:[A-Za-z]:)?[\\/](?:[^\s\\/:]+[\\/])+(?=[^\s\\/:]+[\\/][^\s\\/:]+)")
"""Of an absolute path, all but the last two names."""


def size(count: float) -> str:
    """Return bytes as "1.2 GB"."""
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}" if count / limit < 1000 else f"{count / limit:.0f} {unit}"
    return f"{count / 1e3:.0f} kB"


def span(seconds: float) -> str:
    """Return a time as "12 s", "3 min 20 s" or "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def dose(j_cm2: float | None) -> str:
    """Return a dose as "1.2 J/cm²"."""
    if j_cm2 is None:
        return "unknown"
    return f"{j_cm2:.3g} J/cm²" if j_cm2 < 1000 else f"{j_cm2 / 1000:.3g} kJ/cm²"


def count(number: int) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u2009")


def brief(message: str) -> str:
    """Return a message for a narrow place: the first of several problems, and paths without their first folders."""
    listed = _LIST.match(message)
    if listed:
        first, *others = message[listed.end() :].split("\n  - ")
        message = f"{first}   (and {len(others)} more under Details)" if others else first
    return _FOLDERS.sub("…/", message)
