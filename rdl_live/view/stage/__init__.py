"""Stage and focus: moving them by buttons, keys and images, places that are marked, a map of what was imaged."""
