"""A file's values as weights want them: as they are, or as photons by a microscope file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rdl_live.errors import ConfigError
from rdl_live.files import load_camera_maps, load_microscope
from rdl_live.files.hyperstacks import HyperStack
from rdl_live.optics import to_photons
from rdl_live.restore.care_blocks import Values
from rdl_models import Card


def photons_of(microscope: Path | None, card: Card, stack: HyperStack) -> tuple[Callable[..., Values], list[str]]:
    """Return what turns values (z, y, x) into those that the networks know, and what is to be said.

    It takes the values, and the rows and columns of the field that they are of (all of them where left out).

    Args:
        microscope: microscope file, of which the camera counts; values are taken as they are where left out.
        card: of the weights.
        stack: the file.
    """
    if microscope is None:
        said = []
        if card.config.get("relative"):
            said.append(
                f"{stack.path.name}: its values are taken as photons, with no offset; add --microscope M.yaml for a "
                "camera's"
            )
        return _plain, said
    if not card.config.get("relative"):
        raise ConfigError(
            f"--microscope {microscope}: weights {card.name!r} take values as files have them, as their pairs were; "
            "leave --microscope out"
        )
    scope = load_microscope(microscope)
    rows, columns = stack.shape[-2:]
    maps = load_camera_maps(scope.camera, (rows, columns))

    def convert(values: Any, place: tuple[slice, ...] | None = None) -> Values:
        own = maps
        if maps is not None and place is not None:
            y, x = place
            own = maps.crop(y.start, x.start, (y.stop - y.start, x.stop - x.start))
        photons: Values = to_photons(torch.from_numpy(values.astype(np.float32)), scope.camera, own).numpy()
        return photons

    return convert, []


def _plain(values: Any, _place: tuple[slice, ...] | None = None) -> Values:
    found: Values = np.asarray(values, np.float32)
    return found
