"""The assessment matrix: for which structure, in how much light, which method is to be believed."""
