"""The physics alone: classical SIM, or what else the modality makes."""

from rdl_live._names import NO_DENOISER
from rdl_live.errors import ConfigError
from rdl_live.restore.restored import Restored
from rdl_live.restore.stage import Context, StageKind, Unit
from rdl_models import Weights

NAME = NO_DENOISER
"""No denoiser."""


class Physics:
    """See `rdl_live.restore.stage.Stage`, which it fulfils."""

    name = NAME
    has_deferred = False

    def restore(self, unit: Unit) -> Restored:
        """Return the image of the physics.

        Raises:
            ConfigError: nobody can make it.
        """
        image = unit.sim()
        if image is None:
            raise ConfigError(f"stage {NAME!r}: this run has no reconstruction")
        return Restored.plain(image, unit.image)

    def run_deferred(self) -> None:
        """Nothing is put off."""


def _make(_weights: Weights | None, _context: Context) -> Physics:
    return Physics()


KIND = StageKind(NAME, _make)
