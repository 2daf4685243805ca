"""A camera's gain and read noise from a recording itself, where the microscope file lacks them."""

import numpy as np
import numpy.typing as npt
import torch

from rdl_live.optics import Channel, Microscope, Otf
from rdl_live.optics.microscope import Camera
from rdl_live.optics.series_gain import series_gain

_ONE = 0.15
"""A gain this near to 1 is what is assumed anyway of files without any calibration: those of simulations are exact."""


def gain_of(series: npt.NDArray[np.generic], scope: Microscope, channel: Channel) -> dict[str, float] | None:
    """Return the missing fields of the camera, measured on a series (angle, phase, y, x) of raw ADU.

    None where none is missing, or the series does not show it.
    """
    camera, given = scope.camera, scope.camera.model_fields_set
    if "gain_e_per_adu" in given or camera.gain_file is not None:
        return None
    counts = torch.from_numpy(series.astype(np.float32))
    found = series_gain(counts, Otf.of(scope, channel), camera.offset_adu)
    if found is None or ("offset_adu" not in given and abs(found.gain_e_per_adu - 1) < _ONE):
        return None
    measured = {"gain_e_per_adu": found.gain_e_per_adu}
    if "read_noise_e" not in given and found.read_noise_e > 0:
        measured["read_noise_e"] = found.read_noise_e
    return measured


def measured_gain_warnings(camera: Camera, measured: dict[str, float]) -> list[str]:
    """Say what was measured and is used."""
    read = measured.get("read_noise_e")
    what = f"camera.gain_e_per_adu: {measured['gain_e_per_adu']:.3g}"
    what += "" if read is None else f" and camera.read_noise_e: {read:.2g}"
    found = [
        f"the microscope file lacks the camera's gain: {what} measured on this recording (photon transfer) is used; "
        "add it to the microscope file"
    ]
    if "offset_adu" not in camera.model_fields_set:
        found.append(
            "camera.offset_adu is missing and taken as 0, so photon numbers include the offset: record a frame with "
            "the shutter closed and add its mean to the microscope file"
        )
    return found
