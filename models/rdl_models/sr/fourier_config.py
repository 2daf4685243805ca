"""What networks with Fourier attention are asked besides."""

from dataclasses import dataclass

from rdl_models.sr.network import SrConfig


@dataclass(frozen=True, kw_only=True)
class FourierFields(SrConfig):
    """Stands before the configuration of the same network without attention among the bases of one with it."""

    gamma: float = 0.8
    """Power to which moduli are raised (0.8 in the published DFCAN, 0.1 in the published DFGAN)."""
    window: int = 128
    """Pixels of the input, each way, of the windows whose spectra are averaged; on coarser grids they cover as much."""

    def sizes(self) -> dict[str, tuple[int, int]]:
        """See `SrConfig`."""
        return {**super().sizes(), "window": (8, 512)}

    def numbers(self) -> dict[str, tuple[float, float]]:
        """See `SrConfig`."""
        return {"gamma": (0.01, 2)}
