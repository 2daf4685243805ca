"""The documentation: its links lead somewhere, its commands have these options, and the site can be built."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from rdl_live.cli import app
from tests.pages import DOCS, ROOT, anchors_of, commands_of, links_of, text_of

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def lost(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    found = []
    for target in links_of(page):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert lost(page) == []


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A title\n[here](#a-title) [no](#b) [no](other.md) [web](https://example.org/x)\n", encoding="utf-8"
    )
    assert lost(page) == ["#b", "other.md"]


def test_the_readme_leads_to_every_page_that_a_user_wants() -> None:
    reached = {(ROOT / target.partition("#")[0]).resolve() for target in links_of(ROOT / "README.md")}
    assert set((DOCS / "want").glob("*.md")) <= reached


def unknown_options(line: str) -> list[str]:
    """Return what a command line of the documentation names that the command does not have."""
    command = typer.main.get_command(app)
    words = shlex.split(line.split(" # ")[0])[1:]
    while (verbs := getattr(command, "commands", None)) is not None and words:
        name, words = words[0], words[1:]
        if re.fullmatch(r"[A-Z]+|\.\.\.", name):
            return []  # "VERB": a place for any
        found = verbs.get(name)
        if found is None:
            return [name]
        command = found
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    known.add("--help")
    named = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    return sorted(named - known)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_have_the_options_that_are_named(page: Path) -> None:
    wrong = {line: missing for line in commands_of(page) if (missing := unknown_options(line))}
    assert wrong == {}


def test_an_option_that_is_not_there_is_seen() -> None:
    assert unknown_options("rdl-live reconstruct a.tif -m M.yaml --outt b.tif") == ["--outt"]
    assert unknown_options("rdl-live train bogus a.tif") == ["bogus"]


def test_pictures_are_all_used() -> None:
    used = {Path(target).name for page in PAGES for target in links_of(page)}
    assert {picture.name for picture in (DOCS / "images").iterdir()} <= used


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """Offline, strict: pages that no menu leads to, lost links and anchors, names that the API does not have."""
    pytest.importorskip("mkdocs", reason="the documentation's tools are not installed: pip install --group dev")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "five minutes" in page
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(https?:[^"]*)"', page)
    assert loaded == [], "the site works without the internet"
    assert "estimate_patterns" in (tmp_path / "site" / "api.html").read_text(encoding="utf-8")


def test_every_page_has_one_title() -> None:
    for page in PAGES:
        titles = re.findall(
            r"^# .+$", re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL), re.MULTILINE
        )
        assert len(titles) == 1, page
