"""YAML as a settings file needs it: plain values, no key twice, no references, no code, bounded in size."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from rdl_live.errors import ConfigError

MAX_BYTES = 2**18
"""The parser takes 10 us a byte; a microscope file has 3000."""
MAX_DEPTH = 20
MAX_VALUE = 4096
"""Letters of one value: whole numbers of a million digits take minutes to understand."""
INVALID = (yaml.YAMLError, ValueError, OverflowError, RecursionError)
"""What PyYAML raises: besides its own, ValueError for dates and numbers that do not exist."""


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses what hides mistakes (keys twice) or attacks (references, deep nesting)."""

    depth = 0

    def _mark(self) -> Any:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        return event.start_mark

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="references (&, *) are not allowed: write the value again",
                problem_mark=self._mark(),
            )
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=self._mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        if isinstance(node, yaml.ScalarNode) and len(node.value) > MAX_VALUE:
            raise yaml.MarkedYAMLError(problem=f"a value longer than {MAX_VALUE} letters", problem_mark=node.start_mark)
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[str, Any] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be one word", problem_mark=key.start_mark)
            if key.value in seen:
                first = seen[key.value].line + 1
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} stands twice (first in line {first}): remove one",
                    problem_mark=key.start_mark,
                )
            seen[key.value] = key.start_mark
        return super().construct_mapping(node, deep)


def read_mapping(path: Path, what: str) -> dict[Any, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: the file.
        what: what it should be, for messages: "microscope file".

    Raises:
        ConfigError: no such file, too large, no text, no YAML, empty, or no mapping; says the line.
    """
    text = _text(path, what)
    try:
        content = yaml.load(text, Loader=_StrictLoader)  # a SafeLoader, only stricter
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        hint = " (a tab where spaces belong?)" if "\\t" in str(error.problem) else ""
        raise ConfigError(f"{path}{where}: not valid YAML: {error.problem}{hint}") from error
    except INVALID as error:
        raise ConfigError(f"{path}: not valid YAML: {str(error)[:300]}") from error
    if content is None:
        raise ConfigError(f"{path}: is empty; copy a {what} from configs/ and edit it")
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: holds a {_kind(content)}, a {what} consists of `key: value` lines; "
            "copy one from configs/ and edit it"
        )
    return content


def _text(path: Path, what: str) -> str:
    try:
        if path.is_dir():
            raise ConfigError(f"{path}: is a folder; give the {what} in it")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such {what}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes, which no {what} is; is it the recording?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: is no UTF-8 text (byte {error.start}), so no {what}; is it the recording?"
        ) from error


def _kind(content: object) -> str:
    if isinstance(content, list):
        return "list"
    return f"single value ({content!r:.40})"
