"""A live run: frames from the engine to recorder and processing, and what it counts."""
