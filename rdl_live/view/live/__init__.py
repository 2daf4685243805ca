"""The live window: controls, lamps, traces, notices."""
