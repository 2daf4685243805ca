"""The spectrum as a panel: of the images that are shown, with the patterns that were found."""

from rdl_live.view.live.panel import PanelHost
from rdl_live.view.live.session import KINDS, Images, Snapshot
from rdl_live.view.patterns.spectrum_view import SpectrumView


class SpectrumPanel(SpectrumView):
    """The spectrum of a window's images; costs nothing while it is not seen."""

    def __init__(self, host: PanelHost) -> None:
        super().__init__(KINDS)
        self._host = host

    def show_images(self, images: Images) -> None:
        """Show the spectra of new images."""
        microscope = self._host.session.microscope
        if not self.isVisible() or microscope is None:
            return
        if images.channel in [one.name for one in microscope.channels]:
            self.set_optics(microscope.cutoff(microscope.channel(images.channel)))
        self.show_pictures(images.pictures)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show the patterns."""
        if self.isVisible():
            self.set_patterns(snapshot.patterns)


def make(host: PanelHost) -> SpectrumPanel:
    """Return the panel."""
    return SpectrumPanel(host)
