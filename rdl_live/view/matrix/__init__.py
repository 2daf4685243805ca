"""Which method for this structure in this light? An assessment's matrix, asked in the window."""
