"""Pattern estimation: blind or from first guesses, joint over orientations, averaged over time points."""

from rdl_live.optics.estimate.estimator import as_series, estimate_patterns, search_range

__all__ = ["as_series", "estimate_patterns", "search_range"]
