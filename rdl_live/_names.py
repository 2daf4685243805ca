"""Names that more than one floor knows, spelt once."""

NO_DENOISER = "none"
"""In place of a denoiser's name: conventional SIM."""
RAW_RECORDING, SR_RECORDING = "raw.ome.zarr", "sr.ome.zarr"
"""What a recording's folder holds: the raw frames, and the super-resolved images that were shown."""
