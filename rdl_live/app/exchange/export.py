"""Weights to a package of the bioimage.io model zoo (specification 0.5), checked by the zoo's own library.

The package holds the weights twice: as a PyTorch state dict, which is what the zoo's programs load, and as our
safetensors file with its card. We read only the latter: a state dict is a pickle, which could execute anything.
"""

import hashlib
import io
import warnings
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from rdl_live._version import __version__
from rdl_live.app.exchange.samples import described, output_of, sample_inputs
from rdl_live.app.exchange.words import card_in_words, cited, tags, what_it_does
from rdl_live.errors import ConfigError, OutputError
from rdl_live.files import atomic_write
from rdl_models import Card, Weights, find_weights, load_weights
from rdl_models.sample import Sample

SECTION = "rdl_live"
"""Of the description's free part: what an import needs."""
WEIGHTS, STATE, README, DESCRIPTION = "weights.safetensors", "weights.pt", "README.md", "rdf.yaml"
FORMAT = "0.5.4"
_MOMENT = (2020, 1, 1, 0, 0, 0)
"""Of all files in the archive, so that the same weights give the same package."""


def export_package(name: str | Path, out: Path, *, author: str, license_id: str, overwrite: bool = False) -> Card:
    """Write a package.

    Args:
        name: of shipped weights, or a weight file.
        out: package to write, a .zip file.
        author: who trained them.
        license_id: SPDX identifier.
        overwrite: replace a file that exists.

    Returns:
        The card of the weights.

    Raises:
        ConfigError: the zoo's library is not installed, or there are no such weights.
        OutputError: the package cannot be written, or is not what the specification asks for.
    """
    if find_spec("bioimageio") is None or find_spec("bioimageio.spec") is None:
        raise ConfigError(
            "exporting needs the library that checks packages: python -m pip install 'rdl-live[bioimageio]'"
        )
    if out.suffix != ".zip":
        raise OutputError(f"{out}: packages are .zip files; end the name of --out so")
    loaded = load_weights(name)
    inputs = sample_inputs(loaded)
    output = output_of(loaded.network, inputs)
    files = {
        WEIGHTS: find_weights(name).read_bytes(),
        STATE: _state_dict(loaded),
        README: card_in_words(loaded.card).encode(),
        **{one.file: _npy(one) for one in (*inputs, output)},
    }
    description = _description(loaded.card, files, inputs, output, author, license_id)
    files[DESCRIPTION] = yaml.safe_dump(description, sort_keys=False, allow_unicode=True).encode()
    with atomic_write(out, overwrite) as temporary:
        _pack(temporary, files)
        _validate(temporary, out)
    return loaded.card


def _description(
    card: Card, files: dict[str, bytes], inputs: Sequence[Sample], output: Sample, author: str, license_id: str
) -> dict[str, Any]:
    """Return the content of rdf.yaml."""

    def source(name: str) -> dict[str, str]:
        return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}

    def tensor(sample: Sample, reference: Sample | None = None) -> dict[str, Any]:
        return described(sample, reference=reference) | {"test_tensor": source(sample.file)}

    return {
        "format_version": FORMAT,
        "type": "model",
        "name": f"rdl-live {card.name}",
        "description": f"Of rdl-live; {what_it_does(card)}."[:1000],
        "authors": [{"name": author}],
        "license": license_id,
        "cite": [{"text": text, "doi": doi} for text, doi in cited(card)],
        "tags": tags(card),
        "documentation": README,
        "version": "1.0.0",
        "inputs": [tensor(one) for one in inputs],
        "outputs": [tensor(output, inputs[0])],
        "weights": {
            "pytorch_state_dict": source(STATE)
            | {
                "pytorch_version": torch.__version__.split("+")[0],
                "architecture": {
                    "callable": "build",
                    "import_from": "rdl_models",
                    "kwargs": {"architecture": card.architecture, "config": card.config},
                },
            }
        },
        "attachments": [source(WEIGHTS)],
        "config": {
            "bioimageio": {"reproducibility_tolerance": [_tolerance(output)]},
            SECTION: {"name": card.name, "weights": WEIGHTS, "program": __version__},
        },
    }


def _tolerance(output: Sample) -> dict[str, float]:
    """Return how far other computers' results may be off."""
    return {"relative_tolerance": 1e-3, "absolute_tolerance": 1e-4 * float(np.abs(output.values).max())}


def _state_dict(loaded: Weights) -> bytes:
    buffer = io.BytesIO()
    torch.save(loaded.network.state_dict(), buffer)
    return buffer.getvalue()


def _npy(sample: Sample) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, sample.values, allow_pickle=False)
    return buffer.getvalue()


def _pack(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def _validate(path: Path, shown: Path) -> None:
    """Have the zoo's library read the package, its files and their hashes included.

    Raises:
        OutputError: it complains.
    """
    with warnings.catch_warnings():
        # Of the library's own dependencies.
        warnings.simplefilter("ignore")
        from bioimageio.spec import InvalidDescr, ValidationContext, load_description

        # DOIs are not looked up: a package can be made without a network. The archive is opened here, since the library
        # would not close it.
        context = ValidationContext(perform_io_checks=True, known_files={}, disable_cache=True)
        with context, zipfile.ZipFile(path) as archive:
            found = load_description(archive, format_version="discover")
    if isinstance(found, InvalidDescr):
        problems = "; ".join(
            f"{'.'.join(map(str, one.loc))}: {one.msg}"
            for detail in found.validation_summary.details
            for one in detail.errors
        )
        raise OutputError(f"{shown}: the package does not hold to the specification ({problems[:600]})")
