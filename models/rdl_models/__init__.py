"""Networks, one a file, and their weights. Empty until the denoiser lands."""
