"""`rdl-live doctor`: is everything here that the other verbs need? With a remedy for what is not.

Looks, and changes nothing. Never imports Qt, and needs neither a screen nor the internet.
"""

import ctypes
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata, resources
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rdl_live._version import __version__
from rdl_live.cli._options import AsJson

GIB = 2**30
LITTLE_MEMORY = 4 * GIB
LITTLE_DISK = 10 * GIB
ADAPTERS = ("pymmcore", "pymmcore-plus", "mm-test-adapters")


class Mark(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    """Something is missing or slow, but every verb works."""
    FAIL = "fail"
    """Something that the verbs need is broken."""


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    topic: str
    name: str
    value: str
    mark: Mark = Mark.OK
    remedy: str = ""


COLOURS = {Mark.OK: "green", Mark.WARN: "yellow", Mark.FAIL: "bold red"}


def doctor(
    as_json: AsJson = False,
) -> None:
    """Check this computer: versions, GPU, memory, disk, and whether everything works without the internet.

    Exit code 0 if everything that is needed works (warnings allowed), else 1.

    Examples:

        rdl-live doctor

        rdl-live doctor --json > doctor.json
    """
    checks = gather()
    broken = [check for check in checks if check.mark is Mark.FAIL]
    if as_json:
        typer.echo(json.dumps({"ok": not broken, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        _show(checks)
    if broken:
        raise typer.Exit(1)


def gather() -> list[Check]:
    """Run all checks, in the order of the report. A check that fails never hides the next."""
    return [
        *_software(),
        *_machine(),
        _precision(),
        _disk(Path.cwd()),
        *_gpus(),
        _display(),
        *_offline(),
        *_adapters(),
    ]


def _software() -> Iterator[Check]:
    yield Check("software", "rdl-live", __version__)
    yield Check("software", "python", f"{platform.python_version()} ({sys.executable})")
    for name in _required_packages():
        yield _package(name)


def _required_packages() -> list[str]:
    """Names of the packages that rdl-live needs at run time."""
    lines = metadata.requires("rdl-live") or []
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]


def _package(name: str) -> Check:
    try:
        return Check("software", name, metadata.version(name))
    except metadata.PackageNotFoundError:
        remedy = f"install it: pip install {name}"
        return Check("software", name, "not installed", Mark.FAIL, remedy)


def _machine() -> Iterator[Check]:
    yield Check("machine", "system", f"{platform.platform()}, {platform.machine()}")
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    yield Check("machine", "processor cores", f"{usable} usable of {cores}")
    memory = _memory_bytes()
    if memory is None:
        yield Check("machine", "memory", "unknown on this system")
    elif memory < LITTLE_MEMORY:
        remedy = "close other programs, or crop the recordings, if memory runs out"
        yield Check("machine", "memory", f"{memory / GIB:.1f} GiB", Mark.WARN, remedy)
    else:
        yield Check("machine", "memory", f"{memory / GIB:.1f} GiB")


def _precision() -> Check:
    """Tell how the denoiser computes on the processor."""
    import torch

    from rdl_live.restore.live import quick_half

    if quick_half(torch.device("cpu")):
        return Check("machine", "bfloat16", "yes: live denoising is quick here, and rdl-large worth a try")
    return Check("machine", "bfloat16", "no: pip install 'rdl-live[fast]' makes denoising quicker")


class _WindowsMemory(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API; only its length is set by the caller."""

    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        ("total", ctypes.c_ulonglong),
        ("rest", ctypes.c_ulonglong * 6),
    )


def _memory_bytes() -> int | None:
    """Return the physical memory in bytes, or None where the system does not tell."""
    if sys.platform == "win32":
        status = _WindowsMemory(length=ctypes.sizeof(_WindowsMemory))
        known = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status.total) if known else None
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _gpus() -> Iterator[Check]:
    """Compute on the processor and on every GPU: a driver that is too old fails only then."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of torch is missing
        remedy = "reinstall torch: pip install --force-reinstall torch"
        yield Check("devices", "torch", f"cannot be loaded: {error}", Mark.FAIL, remedy)
        return
    yield _computes("cpu", f"{torch.get_num_threads()} threads", Mark.FAIL)
    yield _denoiser()
    if not torch.cuda.is_available():
        reason = "no NVIDIA GPU with a working driver" if torch.version.cuda else "this torch has no CUDA"
        yield Check("devices", "GPU", f"none ({reason}); everything runs on the processor, only slower")
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        about = f"{properties.name}, {properties.total_memory / GIB:.1f} GiB, CUDA {torch.version.cuda}"
        yield _computes(f"cuda:{index}", about, Mark.WARN)


def _denoiser() -> Check:
    """What convolves on the processor; slower is no fault."""
    from rdl_models.quick import SWITCH, installed

    if installed():
        return Check("devices", "denoiser on the cpu", f"by ncnn {metadata.version('ncnn')}")
    off = os.environ.get(SWITCH) == "0"
    return Check(
        "devices", "denoiser on the cpu", f"by torch ({SWITCH}=0)" if off else "by torch; rdl-live[fast] is quicker"
    )


def _computes(device: str, about: str, mark: Mark) -> Check:
    """Transform a small picture there and back on `device`; `mark` is given where that goes wrong."""
    import torch

    remedy = "reinstall torch" if device == "cpu" else "update the graphics driver, or use --device cpu"
    try:
        picture = torch.rand(32, 32, device=device)
        error = float((torch.fft.irfft2(torch.fft.rfft2(picture), s=picture.shape) - picture).abs().max())
    except RuntimeError as problem:
        reason = str(problem).splitlines()[0]
        return Check("devices", device, f"{about}; does not compute: {reason}", mark, remedy)
    if error > 1e-4:
        return Check("devices", device, f"{about}; computes wrong results", mark, remedy)
    return Check("devices", device, about)


def _display() -> Check:
    if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
        return Check("devices", "display", "offscreen")
    if sys.platform in ("win32", "darwin"):
        return Check("devices", "display", "desktop")
    for name in ("WAYLAND_DISPLAY", "DISPLAY"):
        if os.environ.get(name):
            return Check("devices", "display", f"{name}={os.environ[name]}")
    return Check("devices", "display", "none; `live` and `open` need one, `demo` then runs without a window")


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    value = f"{free / GIB:.1f} GiB free in {folder}"
    if not os.access(folder, os.W_OK):
        remedy = "nothing can be written here: work in another folder"
        return Check("machine", "disk", f"{value}, read-only", Mark.WARN, remedy)
    if free < LITTLE_DISK:
        return Check("machine", "disk", value, Mark.WARN, "make room before a long recording")
    return Check("machine", "disk", value)


def _offline() -> Iterator[Check]:
    """What would have to be downloaded, were it not here already."""
    missing = [name for name in _required_packages() if _package(name).mark is not Mark.OK]
    if missing:
        remedy = f"install them while there is internet: pip install {' '.join(missing)}"
        yield Check("offline", "packages", f"missing: {', '.join(missing)}", Mark.FAIL, remedy)
    else:
        yield Check("offline", "packages", "all here; no verb downloads anything")
    weights = [item.name for item in _weights()]
    value = ", ".join(weights) or "none in this version; no verb needs them"
    yield Check("offline", "network weights", value)


def _weights() -> list[Path]:
    """The weight files that were installed with the networks."""
    with resources.as_file(resources.files("rdl_models")) as folder:
        return sorted((folder / "weights").glob("*.safetensors"))


def _adapters() -> Iterator[Check]:
    """Micro-Manager, from the packages' own records: loading it would start device libraries."""
    for name in ADAPTERS:
        try:
            value = metadata.version(name)
        except metadata.PackageNotFoundError:
            value = "not installed; not needed for recorded data"
        yield Check("Micro-Manager", name, value)


def _show(checks: list[Check]) -> None:
    table = Table("", "what", "found", title="rdl-live doctor", title_justify="left")
    topic = ""
    for check in checks:
        if check.topic != topic:
            table.add_section()
            topic = check.topic
        table.add_row(Text(check.mark, style=COLOURS[check.mark]), Text(check.name), Text(check.value))
    console = Console()
    console.print(table)
    for check in checks:
        if check.remedy:
            console.print(Text(f"{check.mark}: {check.name}: {check.remedy}", style=COLOURS[check.mark]))
    worst = {check.mark for check in checks}
    if Mark.FAIL in worst:
        verdict = "Something required is broken; fix what the lines marked fail name."
    elif Mark.WARN in worst:
        verdict = "Everything that is needed works; the lines marked warn may bother you."
    else:
        verdict = "Everything works."
    console.print(verdict)
