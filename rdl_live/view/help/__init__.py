"""Help in the window: keys, pages, versions, diagnostics."""
