"""How much slower than usual a machine may be on which the tests pass: promises of a second are for a quiet one."""

BUSY = 5.0
"""Times in tests are bounds against a wait that never ends, or a promise times this."""
PATIENCE_S = 120.0
"""For what is waited for and must come."""
