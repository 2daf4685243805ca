"""Errors that a user can act on.

Everything that a person can mend (a file, a setting, a device) is raised as an `RdlError` whose text
names the thing, the value and the remedy. The command line prints it without a traceback and exits
with code 2; anything else is a defect of ours and keeps its traceback.
"""


class RdlError(Exception):
    """Base of all errors that are the user's to mend."""


class ConfigError(RdlError):
    """A description (microscope file, plan, argument) that does not hold together."""


class DataError(RdlError):
    """Raw data that cannot be what it is said to be (wrong frame count, NaN, truncated, ...)."""


class OutputError(RdlError):
    """An output that cannot be written (exists, read-only, no such folder, disk full)."""


class DeviceError(RdlError):
    """A device (camera, GPU, laser, SLM) that refused or is absent."""
