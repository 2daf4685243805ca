"""The picture of rooms and arrows in docs/architecture.md: `python -m tests.architecture` draws it anew.

A room is a folder of files, or a single file beside such folders; an arrow says that one imports another.
"""

from collections import defaultdict
from pathlib import Path

from tests.imports import arrows, modules

PAGE = Path("docs/architecture.md")
BEGIN, END = "<!-- drawn by python -m tests.architecture -->", "<!-- end -->"
FLOORS = (
    ("cli", "what a user types"),
    ("app", "what a user does, put together"),
    ("view", "what a user sees; the only Qt"),
    ("stream", "frames to images while they come"),
    ("train", "networks learn"),
    ("acquire", "the microscope, by role"),
    ("restore", "networks and physics to images"),
    ("files", "read, write, record"),
    ("specimen", "what is simulated"),
    ("optics", "light, patterns, estimation, reconstruction"),
)


def room_of(module: str) -> str:
    """Return the room of a module: `app/live` of `rdl_live.app.live.run`, `acquire` of `rdl_live.acquire.plan`."""
    package, *parts = module.split(".")
    if package != "rdl_live":
        return package
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0] if parts else package


def drawn(root: Path) -> str:
    """Return the picture: every floor with its rooms, what each may see, and how many files it has."""
    files: dict[str, int] = defaultdict(int)
    seen: dict[str, set[str]] = defaultdict(set)
    for name, file in modules(root).items():
        if file.name != "__init__.py":
            files[room_of(name)] += 1
    for name, others in arrows(root).items():
        seen[room_of(name)] |= {room_of(other) for other in others} - {room_of(name)}
    lines = []
    for floor, what in FLOORS:
        lines += [f"**{floor}**: {what}", "", "| room | files | imports from |", "|---|---|---|"]
        for room in sorted(one for one in files if one == floor or one.startswith(f"{floor}/")):
            sees = ", ".join(sorted(one for one in seen[room] if one in files)) or "nothing of ours"
            lines.append(f"| `{room}` | {files[room]} | {sees} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Draw the picture into the page."""
    root = Path(__file__).parent.parent
    page = root / PAGE
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{drawn(root)}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
