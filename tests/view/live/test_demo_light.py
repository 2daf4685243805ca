"""Light in photons: what the marks of the demo set."""

import pytest

from rdl_live.view.live.demo_light import MARKS, light_for, photons_of
from rdl_live.view.live.session import Settings


@pytest.mark.parametrize("photons", MARKS)
@pytest.mark.parametrize("yields", [0.5, 10.0])
def test_a_mark_sets_the_light_that_gives_its_photons(photons: float, yields: float) -> None:
    wanted = light_for(photons, before := Settings("488", 50.0, 10.0), yields)
    settings = Settings("488", wanted["power_percent"], wanted.get("exposure_ms", before.exposure_ms))
    assert photons_of(settings, yields) == pytest.approx(photons)
    assert 0.1 <= settings.power_percent <= 100
    assert ("exposure_ms" in wanted) == (photons > 10 * yields)
