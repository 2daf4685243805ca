"""What imports what in the packages, read from the source: also inside functions and for type checkers."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("rdl_live", "devices/rdl_devices", "models/rdl_models")


def modules(root: Path) -> dict[str, Path]:
    """Return the file of every module of the packages."""
    found: dict[str, Path] = {}
    for package in PACKAGES:
        top = root / package
        for file in sorted(top.rglob("*.py")):
            parts = (top.name, *file.relative_to(top).with_suffix("").parts)
            found[".".join(part for part in parts if part != "__init__")] = file
    return found


def arrows(root: Path) -> dict[str, set[str]]:
    """Return which modules each module imports, wherever in it; rooms (packages) themselves are left out.

    A room's `__init__` gives names on and is no file that anything is written in.
    """
    files = modules(root)
    return {name: {other for other in _imported(file, files) if other != name} for name, file in files.items()}


def imported_tops(file: Path) -> set[str]:
    """Return the top-level names of everything that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def _imported(file: Path, files: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [one if one in files else node.module for one in inner]
        else:
            continue
        yield from (one for one in names if one in files and files[one].name != "__init__.py")


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that reach each other (Tarjan 1972, 10.1137/0201010), smallest name first."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(graph):
        if name not in order:
            visit(name)
    return sorted(found)
