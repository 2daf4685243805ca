"""The best image of live view, ready to be saved: with what is known of it."""

from datetime import datetime

from rdl_live._names import NO_DENOISER
from rdl_live.view.live.session import Images, Snapshot
from rdl_live.view.panes.pane import ImagePane
from rdl_live.view.panes.picture_file import Caption, Shot

_DID = {"denoised": "denoised", "sr": "super-resolved"}
"""What a stage has done, for the caption of its image."""


def shot_of(pane: ImagePane, images: Images, snapshot: Snapshot, doubt: bool) -> Shot | None:
    """Return what a pane shows; None where it shows nothing.

    Args:
        pane: which.
        images: of which its image is one.
        snapshot: how the microscope is.
        doubt: whether places of low confidence are shaded.
    """
    if pane.picture is None:
        return None
    facts = [f"{_DID.get(pane.name, 'made')} by {images.denoiser}"] if pane.name in images.by_network else []
    title, now = f"{pane.title}, {images.channel}", datetime.now().astimezone()
    caption = Caption(title, now, snapshot.readings.photons, tuple(facts), pane.caution)
    provenance = {
        "denoiser": images.denoiser if pane.name in images.by_network else NO_DENOISER,
        "patterns": None if images.patterns is None else images.patterns.model_dump(mode="json"),
    }
    return Shot(pane.picture, pane.contrast, caption, doubt, images.channel, provenance)
