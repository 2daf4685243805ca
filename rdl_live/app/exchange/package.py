"""A package of the bioimage.io model zoo to weights: only what `rdl-live models export` wrote, and only if it holds.

Nothing of the archive is unpacked to the disk: files are read into memory, by their names in the description, within
bounds. Its state dict is never opened. The weights must be what their hash says, must pass all checks of a weight
file, and must give the package's test output.
"""

import hashlib
import io
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from rdl_live.app.exchange.export import DESCRIPTION, SECTION
from rdl_live.app.exchange.samples import output_of, sample_inputs
from rdl_live.errors import DataError, OutputError
from rdl_live.files import atomic_write
from rdl_models import Card, Weights, load_weights
from rdl_models.card import card_name
from rdl_models.sample import Sample
from rdl_models.weights import LARGEST_BYTES

MOST_FILES = 64
LARGEST_DESCRIPTION = 2**18
LARGEST_TENSOR = 64 * 2**20
CLOSE = 1e-5
"""Largest difference from the test output, relative to its largest value."""
_SUFFIX = ".safetensors"


def import_package(path: Path, out: Path | None = None, *, overwrite: bool = False) -> tuple[Path, Card]:
    """Check a package and write its weights.

    Args:
        path: the package.
        out: weight file to write; by default the card's name, in the working directory.
        overwrite: replace a file that exists.

    Returns:
        Where they were written, and their card.

    Raises:
        DataError: no such package, damaged, too large, of another program, or its weights do not give its test output.
        OutputError: the weights cannot be written.
    """
    if out is not None and out.suffix != _SUFFIX:
        raise OutputError(f"{out}: weights are {_SUFFIX} files; end the name of --out so")
    try:
        with zipfile.ZipFile(path) as archive:
            return _imported(_Package(path, archive), out, overwrite)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"{path}: not a whole zip archive ({error}); download the package again") from error


class _Package:
    """An open archive, of which files are read by name, within bounds."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path, self._archive = path, archive
        names = [entry.filename for entry in archive.infolist()]
        if len(names) > MOST_FILES:
            raise DataError(f"{path}: holds {len(names)} files, more than the {MOST_FILES} of any package; not opened")
        if len(set(names)) < len(names):
            raise DataError(f"{path}: holds two files of one name; download the package again")
        for name in names:
            pure = PurePosixPath(name)
            if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
                raise DataError(f"{path}: holds a file {name!r} that leads out of the package; do not trust it")
        self._names = set(names)
        self.description = self._described()

    def read(self, name: str, most: int) -> bytes:
        """Return the bytes of a file.

        Raises:
            DataError: there is none, or it is larger than `most`.
        """
        if name not in self._names:
            raise DataError(f"{self.path}: lacks the file {name!r}; download the package again")
        # The size that the archive gives may be a lie: no more than allowed is decompressed.
        with self._archive.open(name) as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise DataError(f"{self.path}: {name} is larger than the {most} bytes allowed; do not trust the package")
        return content

    def hashed(self, entry: Any, most: int) -> bytes:
        """Return the bytes of a file that the description names, and whose hash it gives.

        Raises:
            DataError: it is not what the description says.
        """
        name, wanted = (entry.get(key) if isinstance(entry, dict) else None for key in ("source", "sha256"))
        if not isinstance(name, str) or not isinstance(wanted, str):
            raise DataError(f"{self.path}: {DESCRIPTION} names a file without its hash; download the package again")
        content = self.read(name, most)
        found = hashlib.sha256(content).hexdigest()
        if found != wanted:
            raise DataError(
                f"{self.path}: {name} has the hash {found[:12]}..., {DESCRIPTION} says {wanted[:12]}...; "
                "the package is damaged or was changed"
            )
        return content

    def _described(self) -> dict[str, Any]:
        text = self.read(DESCRIPTION, LARGEST_DESCRIPTION)
        try:
            found = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise DataError(f"{self.path}: {DESCRIPTION} is damaged ({str(error).splitlines()[0]})") from error
        if not isinstance(found, dict) or found.get("type") != "model":
            raise DataError(f"{self.path}: {DESCRIPTION} does not describe a model; it is no package of weights")
        return found


def _imported(package: _Package, out: Path | None, overwrite: bool) -> tuple[Path, Card]:
    name, entry = _our_weights(package)
    content = package.hashed(entry, LARGEST_BYTES)
    inputs, output = _tests(package)
    # Written beside, read as any weight file is, tried, and only then put in place.
    target = out or Path(f"{card_name(name)}{_SUFFIX}")
    with atomic_write(target, overwrite) as temporary:
        temporary.write_bytes(content)
        try:
            loaded = load_weights(temporary)
        except DataError as error:
            raise DataError(f"{package.path}: {str(error).replace(str(temporary), 'its weights')}") from error
        _try(package.path, loaded, inputs, output)
    return target, loaded.card


def _our_weights(package: _Package) -> tuple[str, dict[str, Any]]:
    """Return the name of our weights, and the attachment that holds them.

    Raises:
        DataError: it is a package of another program.
    """
    config = package.description.get("config")
    ours = config.get(SECTION) if isinstance(config, dict) else None
    attachments = package.description.get("attachments")
    if isinstance(ours, dict) and isinstance(attachments, list):
        for entry in attachments:
            if isinstance(entry, dict) and entry.get("source") == ours.get("weights"):
                return str(ours.get("name")), entry
    raise DataError(
        f"{package.path}: holds no safetensors weights of rdl-live. Other formats may execute code when they are "
        "opened, so they never are; ask for a package that `rdl-live models export` wrote"
    )


def _tests(package: _Package) -> tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """Return the test's inputs and output."""
    found = []
    for kind in ("inputs", "outputs"):
        entries = package.description.get(kind)
        if not isinstance(entries, list) or not entries:
            raise DataError(f"{package.path}: {DESCRIPTION} names no {kind}; download the package again")
        found.append([_tensor(package, entry) for entry in entries])
    if len(found[1]) != 1:
        raise DataError(f"{package.path}: {len(found[1])} outputs are described, networks here have one")
    return found[0], found[1][0]


def _tensor(package: _Package, entry: Any) -> npt.NDArray[np.float32]:
    content = package.hashed(entry.get("test_tensor") if isinstance(entry, dict) else None, LARGEST_TENSOR)
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise DataError(f"{package.path}: a test tensor is damaged ({error})") from error
    if array.dtype != np.float32 or not np.isfinite(array).all():
        raise DataError(f"{package.path}: a test tensor is not of finite float32 numbers")
    return np.asarray(array)


def _try(path: Path, weights: Weights, inputs: list[npt.NDArray[np.float32]], output: npt.NDArray[np.float32]) -> None:
    """Compare what the network makes of the test's inputs with the test's output."""
    known = sample_inputs(weights)
    shapes = [one.shape for one in inputs]
    if [len(shape) for shape in shapes] != [one.values.ndim for one in known]:
        raise DataError(f"{path}: its test inputs {shapes} are not those of its architecture")
    given = [Sample(one.name, one.axes, values) for one, values in zip(known, inputs, strict=True)]
    try:
        found = output_of(weights.network, given).values
    except RuntimeError as error:
        raise DataError(f"{path}: its test inputs {shapes} do not fit its network") from error
    if found.shape != output.shape:
        raise DataError(f"{path}: the weights give {found.shape}, the test output is {output.shape}")
    difference = float(np.abs(found - output).max()) / max(float(np.abs(output).max()), 1e-12)
    if difference > CLOSE:
        raise DataError(
            f"{path}: the weights give another test output (off by {difference:.1e}, {CLOSE:.0e} is allowed); "
            "the package is damaged or of another version"
        )
