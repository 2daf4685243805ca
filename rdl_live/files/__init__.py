"""Reading and writing: raw recordings, calibration, microscope files, super-resolved results."""

from rdl_live.files.calibration import RadialOtfData, read_map, read_otf, write_otf
from rdl_live.files.camera_maps import load_camera_maps
from rdl_live.files.frame_checks import check_frames, saturated_fraction
from rdl_live.files.microscope_file import load_microscope
from rdl_live.files.outputs import atomic_write, check_output
from rdl_live.files.raw import RawRecording, RawRequest, SeriesIndex, open_raw
from rdl_live.files.raw_tiff import RawWriter
from rdl_live.files.sr_tiff import SrWriter, read_provenance
from rdl_live.files.volumes import VolumeRecording, VolumeWriter, open_volumes

__all__ = [
    "RadialOtfData",
    "RawRecording",
    "RawRequest",
    "RawWriter",
    "SeriesIndex",
    "SrWriter",
    "VolumeRecording",
    "VolumeWriter",
    "atomic_write",
    "check_frames",
    "check_output",
    "load_camera_maps",
    "load_microscope",
    "open_raw",
    "open_volumes",
    "read_map",
    "read_otf",
    "read_provenance",
    "saturated_fraction",
    "write_otf",
]
