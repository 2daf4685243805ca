"""Turns validation errors into sentences: where, what value, what is wrong, what to do."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from rdl_live.optics.geometry import UnitGeometry
from rdl_live.optics.modality_kinds import DEFAULT, MODALITIES
from rdl_live.optics.pattern_roles import PatternRole, role_of

Location = Sequence[int | str]


def explain(error: ValidationError, model: type[BaseModel], raw: object) -> list[str]:
    """Return one sentence for every problem that `model` found in the `raw` content of a file."""
    problems: list[dict[str, Any]] = [dict(problem) for problem in error.errors()]
    causes = [problem["loc"] for problem in problems if problem["type"] != "too_short"]
    return [
        _sentence(problem, model, raw)
        for problem in problems
        # A list whose items are wrong counts as too short as well: one sentence is enough.
        if problem["type"] != "too_short" or not any(_lies_in(cause, problem["loc"]) for cause in causes)
    ]


def truth_values(raw: object, location: Location = ()) -> Iterator[str]:
    """Give a sentence for every true or false in `raw`: YAML reads the words yes, no, on and off as such."""
    if isinstance(raw, bool):
        yield (
            f"{field_path(location)}: {'true/yes/on' if raw else 'false/no/off'} is no value for it; "
            "give a number, or put a word in quotes"
        )
    entries = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for key, value in entries:
        yield from truth_values(value, (*location, key))


def field_path(location: Location) -> str:
    """Return a location as a reader of the file writes it: channels[0].pattern.period_um."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".") or "the file"


def _lies_in(inner: Location, outer: Location) -> bool:
    return tuple(inner[: len(outer)]) == tuple(outer)


def _sentence(problem: dict[str, Any], model: type[BaseModel], raw: object) -> str:
    location, kind = problem["loc"], problem["type"]
    path = field_path(location)
    if kind == "extra_forbidden":
        return f"{path}: unknown key; {_suggestion(location, model, raw)}"
    if kind == "missing":
        return f"{path}: is missing; add it"
    if kind == "invalid_key":
        return f"{path}: a key must be text; put it in quotes, or remove it"
    message = plain_message(problem)
    if kind == "value_error" and isinstance(problem["input"], dict):
        return f"{path}: {message}"  # a rule over several fields, whose message names them
    return f"{path}: {_value(location, raw, problem['input'])} is wrong: {message}"


def plain_message(problem: Mapping[str, Any]) -> str:
    """Return what is wrong and what to do, of one of a `ValidationError`'s `errors()`: without pydantic's prefixes."""
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    if problem["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return "it should be a section of `key: value` lines"
    if problem["type"] == "string_type":
        return "it should be text; put it in quotes"
    if problem["type"] == "too_short":
        return f"it needs at least {problem['ctx']['min_length']} entry"
    message = str(problem["msg"]).replace("valid tuple", "list")
    return message[0].lower() + message[1:] + _found_unit(problem)


def _found_unit(problem: Mapping[str, Any]) -> str:
    """Hint at a unit that was written into a number."""
    if problem["type"] in ("float_parsing", "int_parsing"):
        return "; write the number alone, in the unit that the key ends with"
    return ""


def _value(location: Location, raw: object, fallback: object) -> str:
    value: Any = raw
    for step in location:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = fallback
            break
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _suggestion(location: Location, model: type[BaseModel], raw: object) -> str:
    key, section = str(location[-1]), _model_at(model, location[:-1], raw)
    siblings = list(section.model_fields) if section else []
    elsewhere = {path: path.rsplit(".", 1)[-1] for path in _all_paths(model)}
    exact = [path for path, leaf in elsewhere.items() if leaf == key.lower()]
    close = _closest(key, siblings)
    if close and not exact:
        return f"did you mean {close!r}?"
    near = _closest(key, list(elsewhere.values()))
    paths = exact or [path for path, leaf in elsewhere.items() if leaf == near]
    if paths:
        return f"did you mean {' or '.join(repr(path) for path in paths[:2])}?"
    return f"remove it; known here: {', '.join(siblings)}"


def _closest(key: str, names: Sequence[str]) -> str | None:
    """Return the name that a misspelt key most likely means: near in letters, or the key without its unit."""
    plain = key.lower().replace("-", "_").replace(" ", "_")
    squeezed = {name.replace("_", ""): name for name in names}
    for name in names:
        if plain and (name == plain or name.startswith(f"{plain}_")):
            return name
    found = difflib.get_close_matches(plain.replace("_", ""), list(squeezed), n=1, cutoff=0.65)
    return squeezed[found[0]] if found else None


def _model_at(model: type[BaseModel], location: Location, raw: Any) -> type[BaseModel] | None:
    """Return the model of a section: of ("channels", 0, "pattern") the pattern of a channel."""
    current: type[BaseModel] | None = model
    for step in location:
        around, raw = raw, raw[step]
        if isinstance(step, int):
            continue  # an item of the tuple that the step before has led into
        if current is None or step not in current.model_fields:
            return None
        current = next(_models_in(current.model_fields[step].annotation), None)
        if current is not None and issubclass(current, PatternRole):
            current = role_of(raw) or current
        elif current is UnitGeometry:
            kind = MODALITIES.find(str(around.get("modality", DEFAULT)))
            current = current if kind is None else kind.geometry
    return current


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated, tuple, list):
        for part in get_args(annotation):
            yield from _models_in(part)


def _all_paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        is_list = get_origin(field.annotation) in (tuple, list)
        for inner in _models_in(field.annotation):
            yield from _all_paths(inner, f"{prefix}{name}{'[0]' if is_list else ''}.")
