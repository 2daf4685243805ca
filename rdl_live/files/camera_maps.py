"""The camera's per-pixel maps that a microscope file names, as the optics want them."""

from typing import TYPE_CHECKING

from rdl_live.files.calibration import read_map
from rdl_live.optics.microscope import Camera

if TYPE_CHECKING:  # torch takes a second to load
    import torch

    from rdl_live.optics.noise import CameraMaps


def load_camera_maps(
    camera: Camera, shape: tuple[int, int], corner: tuple[int, int] | None = None
) -> "CameraMaps | None":
    """Return the maps of `camera` for frames of `shape` (y, x), None where it names none.

    What has no map is the same for all pixels. Maps of the whole chip are cut to the frame where `corner`, the (y, x)
    of its first pixel on the chip, is known.

    Raises:
        DataError: a map is missing, of another shape, or holds impossible values.
    """
    import torch

    from rdl_live.optics.noise import CameraMaps

    if camera.offset_file is None and camera.gain_file is None and camera.variance_file is None:
        return None

    def read(path: str | None, otherwise: float, positive: bool = False) -> "torch.Tensor":
        if path is None:
            return torch.full(shape, otherwise)
        return torch.from_numpy(read_map(path, shape, positive=positive, corner=corner))

    gain = 1 / camera.gain_e_per_adu
    return CameraMaps.from_scmos(
        read(camera.offset_file, camera.offset_adu),
        read(camera.gain_file, gain, positive=True),
        read(camera.variance_file, (camera.read_noise_e * gain) ** 2),
    )
