"""Networks that super-resolve one image, or the frames of a series, in one step: one a file, and what they share."""
