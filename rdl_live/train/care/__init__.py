"""Content-aware restoration: pairs of low and high light, simulated ones, isotropic stacks, deconvolution."""
