"""The spectrum and the patterns' health on the screen."""

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPointF
from qtpy.QtWidgets import QLabel

from rdl_live.optics.pattern import evenly_spaced
from rdl_live.view.live.health_panel import HealthPanel
from rdl_live.view.panes.picture import Picture
from rdl_live.view.patterns.spectrum_view import SpectrumView


def noise(seed: int, side: int = 96, pixel_um: float = 0.065) -> Picture:
    return Picture(np.random.default_rng(seed).poisson(20, (side, side)).astype(np.float32), pixel_um)


@pytest.fixture
def view(qtbot: QtBot) -> SpectrumView:
    """A view of a raw and a super-resolved image."""
    made = SpectrumView({"raw": "Raw", "sim": "SIM"})
    qtbot.addWidget(made)
    made.set_optics(5.68)
    made.set_patterns(evenly_spaced(0.2))
    made.resize(400, 560)
    with qtbot.waitExposed(made):
        made.show()
    return made


def test_every_mark_is_named_with_both_units(view: SpectrumView) -> None:
    assert "OTF cut-off 5.68 /µm (176 nm)" in view.legend.text()
    assert "k0 of orientation 3 5.00 /µm (200 nm)" in view.legend.text()
    assert "SR cut-off" not in view.legend.text()
    view.kind.setCurrentIndex(1)
    assert "SR cut-off 10.68 /µm (94 nm)" in view.legend.text()
    view.set_patterns(None)
    assert "not known yet" in view.legend.text()
    view.set_optics(None)
    assert "no marks" in view.legend.text()


def test_the_image_chosen_is_drawn_and_only_while_it_is_seen(view: SpectrumView) -> None:
    first, second = noise(1), noise(2, 192, 0.0325)
    view.show_pictures({"raw": first, "sim": second})
    assert view._drawn is first
    view.kind.setCurrentIndex(1)
    assert view._drawn is second
    assert view._image.image.shape == (192, 192)
    view.hide()
    view.show_pictures({"sim": noise(3, 192)})
    assert view._drawn is second
    view.show()
    assert view._drawn is not second
    view.show_pictures({"sim": None})
    view.draw()
    assert view._image.image is None


def test_the_frequency_under_the_cursor(view: SpectrumView) -> None:
    box = view.plot.getPlotItem().vb
    view._pointed(box.mapViewToScene(QPointF(3.0, 4.0)))
    assert view.readout.text() == "5.00 cycles/µm, period 200 nm, direction 53°"


def test_health_is_told_in_words(qtbot: QtBot) -> None:
    panel = HealthPanel()
    qtbot.addWidget(panel)
    assert "No patterns yet" in panel.headline.text()  # the light is off
    panel.show_patterns(None)
    assert "being found" in panel.headline.text()
    good = evenly_spaced(0.2)
    scored = good.replace(patterns=[{**p.model_dump(), "score": 30.0} for p in good])
    panel.show_patterns(scored, scored)
    assert "All patterns are good" in panel.headline.text()
    worse = scored.replace(
        patterns=[{**p.model_dump(), "trusted": n != 1, "doubt": "the light is off"} for n, p in enumerate(scored)]
    )
    panel.show_patterns(worse, scored)
    assert [str(one.state) for one in panel.health] == ["good", "bad", "good"]
    texts = [label.text() for label in panel.findChildren(QLabel) if not label.isHidden()]
    assert any("The light is off." in text for text in texts)
