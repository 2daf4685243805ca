"""Which denoiser is better on a recording, without ground truth."""
