"""A stage of somebody else's: all of it is in this file, and nothing of the program knows it."""

from rdl_live.restore import Restored, StageKind, Unit
from rdl_live.restore.stage import Context
from rdl_models import Weights


class Smoother:
    """Averages the SIM image over 3 x 3 pixels, and shows what that took away."""

    name = "smoother"
    has_deferred = False

    def restore(self, unit: Unit) -> Restored:
        sim = unit.sim()
        assert sim is not None
        mean = sum(sim.roll((y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)) / 9
        return Restored({"sim": sim, "denoised": mean, "taken away": (sim - mean).abs()}, "denoised")

    def run_deferred(self) -> None:
        """Nothing is put off."""


def _make(_weights: Weights | None, _context: Context) -> Smoother:
    return Smoother()


KIND = StageKind("smoother", _make)
