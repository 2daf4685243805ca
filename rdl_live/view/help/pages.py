"""Where the pages of the documentation lie on this computer. Without Qt, and without the internet."""

import sysconfig
from pathlib import Path
from typing import NamedTuple

from rdl_live.errors import DataError

_SOURCE = Path(__file__).parents[3]
_INSTALLED = Path(sysconfig.get_path("data")) / "share" / "rdl-live"
FOLDERS = (_SOURCE, _INSTALLED)
"""Each with `docs`, and with `site` where the site has been built (`make docs`)."""


class Page(NamedTuple):
    """A page, and a place on it."""

    path: Path
    """HTML of the built site, else Markdown."""
    anchor: str = ""


def find_page(name: str, folders: tuple[Path, ...] = FOLDERS) -> Page:
    """Return a page of the documentation: of the built site where there is one, else its text.

    Args:
        name: as "window.md#stage-and-focus", in docs/.
        folders: where to look, the first that has it wins.

    Raises:
        DataError: it is in none of them.
    """
    file, _, anchor = name.partition("#")
    for folder in folders:
        site, text = folder / "site" / Path(file).with_suffix(".html"), folder / "docs" / file
        # A site that is older than its text would describe another version.
        if site.is_file() and not (text.is_file() and text.stat().st_mtime > site.stat().st_mtime):
            return Page(site, anchor)
        if text.is_file():
            return Page(text, anchor)
    looked = " nor ".join(str(folder / "docs") for folder in folders)
    raise DataError(f"docs/{file}: is in neither {looked}; install rdl-live again")


def slug(heading: str) -> str:
    """Return the anchor of a heading, as the site makes it."""
    kept = "".join(one for one in heading.lower() if one.isalnum() or one in " -_")
    return "-".join(kept.split())
