"""README and documentation as text: their blocks of code, tables, links and headings."""

import contextlib
import re
import shlex
import unicodedata
from pathlib import Path

from typer.testing import CliRunner

from rdl_live.cli import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def text_of(page: Path | str) -> str:
    """Return the Markdown of a page, by its name below docs or its path."""
    return (DOCS / page).read_text(encoding="utf-8")


def blocks_of(page: Path | str) -> list[tuple[str, str]]:
    """Return language and text of each fenced block."""
    return FENCE.findall(text_of(page))


def commands_of(page: Path | str) -> list[str]:
    """Return every line that calls rdl-live, of all blocks, fenced or indented, of any language."""
    indented = re.findall(r"^ {4}(rdl-live .*)$", text_of(page), flags=re.MULTILINE)
    fenced = [line for language, text in blocks_of(page) if language != "text" for line in text.splitlines()]
    return [*indented, *(line for line in fenced if line.startswith("rdl-live "))]


def first_cells(page: Path | str) -> list[str]:
    """Return the names in the first column of a page's tables, in order."""
    cells = re.findall(r"^\| ([^|]+) \|", text_of(page), flags=re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def links_of(page: Path | str) -> list[str]:
    """Return the targets of all links and pictures that lead to something of this repository."""
    text = FENCE.sub("", text_of(page))
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", target)]


def anchors_of(page: Path | str) -> set[str]:
    """Return the anchors of a page's headings, as mkdocs and GitHub name them."""
    found = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), flags=re.MULTILINE)
    return {slug(re.sub(r"[`*]|\]\([^)]*\)", "", heading)) for heading in found}


def slug(heading: str) -> str:
    """Return the anchor of a heading."""
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def run_block(language: str, text: str) -> None:
    """Run one block as a reader would, in the folder of now.

    Each line that calls `rdl-live` runs in this process: what a process of its own costs (torch is loaded each time)
    is not what the page promises, and that the installed command runs is tested with the wheel.
    """
    if language == "yaml":
        Path(text.splitlines()[0].removeprefix("# ")).write_text(text, encoding="utf-8")
    elif language == "python":
        exec(compile(text, "a page", "exec"), {"__name__": "__main__"})
    else:
        for line in text.splitlines():
            command = shlex.split(line, comments=True)
            assert command[:1] == ["rdl-live"], f"{line!r} is no command of rdl-live: run it in a shell here"
            outcome = CliRunner().invoke(app, command[1:], prog_name="rdl-live")
            assert outcome.exit_code == 0, f"{line}\n{outcome.output}\n{outcome.exception!r}"


def run_page(page: Path | str, folder: Path) -> None:
    """Run all blocks of a page that are marked as `bash`, `python` or `yaml`, in a folder."""
    with contextlib.chdir(folder):
        for language, text in blocks_of(page):
            if language in ("yaml", "bash", "python"):
                run_block(language, text)
