"""Time and quality of rdl-live against another program and against a textbook; run `python -m benchmarks`."""
