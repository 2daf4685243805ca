"""Choosing a part of the camera's chip by dragging it in an image."""

from rdl_live.view.live.control_panel import ControlPanel
from rdl_live.view.live.regions import dragged_region
from rdl_live.view.live.session import Session
from rdl_live.view.panes.grid import PaneGrid


class RegionTool:
    """Passes what was dragged in a pane to the session."""

    def __init__(self, session: Session, controls: ControlPanel, grid: PaneGrid) -> None:
        """Begin when the controls say so."""
        self._session, self._controls, self._grid = session, controls, grid
        controls.region_wanted.connect(self._choose)
        grid.region_dragged.connect(self._dragged)

    def _choose(self, wanted: bool) -> None:
        for canvas in self._grid.canvases:
            if wanted:
                canvas.choosing_region = True
            else:
                canvas.cancel_region()

    def _dragged(self, left: float, top: float, width: float, height: float) -> None:
        self._controls.end_drag()
        snapshot, microscope = self._session.snapshot, self._session.microscope
        region, chip = snapshot.settings.region, snapshot.chip
        if region is None or chip is None or microscope is None:
            return
        pixel_um = microscope.optics.pixel_size_um
        self._session.change(region=dragged_region((left, top, width, height), pixel_um, region, chip))
