"""Microscope files: YAML in, a validated `Microscope` out, or one message that lists all that is wrong."""

from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

from pydantic import ValidationError

from rdl_live.errors import ConfigError, DataError
from rdl_live.files.calibration import read_otf
from rdl_live.files.explain import explain, truth_values
from rdl_live.files.strict_yaml import read_mapping
from rdl_live.optics.microscope import Microscope

CALIBRATION_FILES = ("otf_file", "offset_file", "gain_file", "variance_file")


def load_microscope(path: str | Path) -> Microscope:
    """Read a microscope file.

    Files that it names (OTFs, camera maps) are sought beside it; the result holds their absolute paths and the
    measured OTFs.

    Raises:
        ConfigError: no such file, no YAML, or wrong content; lists every problem with its remedy.
    """
    path = Path(path)
    content = read_mapping(path, "microscope file")
    problems = list(truth_values(content))
    try:
        microscope = Microscope.model_validate(content)
    except ValidationError as error:
        raise _config_error(path, problems + explain(error, Microscope, content)) from error
    resolved = microscope.model_dump(exclude_unset=True)  # what was left out stays known as left out
    problems += _resolve(resolved, path.absolute().parent)
    if not problems:
        problems += _measured_otfs(resolved)
    if problems:
        raise _config_error(path, problems)
    return Microscope.model_validate(resolved)


def _measured_otfs(content: dict[str, Any]) -> list[str]:
    """Fill `otf` from every `otf_file`, in place; return what is wrong with them."""
    problems = []
    for where, section, key in _file_fields(content):
        if key != "otf_file":
            continue
        try:
            found = read_otf(section[key])
        except DataError as error:
            problems.append(f"{where}: {error}")
            continue
        # Radial OTFs are stored complex, their imaginary part is measuring noise.
        section["otf"] = {"values": found.values.real.tolist(), "spacing": found.spacing_cycles_per_um}
    return problems


def _config_error(path: Path, problems: list[str]) -> ConfigError:
    if len(problems) == 1:
        return ConfigError(f"{path}: {problems[0]}")
    return ConfigError("\n  - ".join([f"{path}: {len(problems)} problems:", *problems]))


def _resolve(content: dict[str, Any], folder: Path) -> list[str]:
    """Make the paths of calibration files absolute, in place; return what is wrong with them."""
    problems = []
    for where, section, key in _file_fields(content):
        file = folder / section[key]
        if wrong := _refusal(section[key], file):
            problems.append(f"{where}: {section[key]!r:.300} is wrong: {wrong}")
        section[key] = str(file)
    return problems


def _refusal(text: str, file: Path) -> str | None:
    """Return why a file is not opened.

    A microscope file may come from elsewhere. What it names is only ever read; it lies below the folder of the
    microscope file, or where an absolute path says; and to a server nobody is logged in by opening it.
    """
    if text.startswith(("\\\\", "//")) or "://" in text:
        return "files of other computers are not opened on a file's word; copy it here, or give its drive a letter"
    if ".." in PureWindowsPath(text).parts:  # which knows both kinds of slashes
        return "it leads out of the folder of the microscope file; put the file there, or give its absolute path"
    try:
        if file.is_file():
            return None
        what = "is a folder" if file.is_dir() else "does not exist"
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
    return f"{file} {what}; correct the path, or remove the key"


def _file_fields(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    if content.get("hardware"):
        yield "hardware.config", content["hardware"], "config"
    sections = {"optics": content["optics"], "camera": content.get("camera", {})}
    sections |= {f"channels[{i}]": channel for i, channel in enumerate(content["channels"])}
    for name, section in sections.items():
        for key in CALIBRATION_FILES:
            if section.get(key) is not None:
                yield f"{name}.{key}", section, key
