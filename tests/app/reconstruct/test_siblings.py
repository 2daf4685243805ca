"""Images of one file share their light: what the best of them shows serves those that carry the patterns weakly."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import yaml

from rdl_live.app.reconstruct.images import images_of_recording
from rdl_live.app.reconstruct.run import Options
from rdl_live.app.reconstruct.siblings import Sibling, serving
from rdl_live.optics import Camera, Channel, Microscope, Optics, PatternSet, evenly_spaced
from rdl_live.specimen import SpecimenSettings, simulate

SCOPE = Microscope(
    name="test",
    optics=Optics(na=1.3, pixel_size_um=0.08),
    channels=(Channel(name="green", excitation_nm=488, emission_nm=525),),
    camera=Camera(offset_adu=100, gain_e_per_adu=0.5, read_noise_e=1.5),
)


def patterns(contrast: float, trusted: Sequence[bool] = (True, True, True)) -> PatternSet:
    made = evenly_spaced(0.22, modulation=(contrast,))
    return PatternSet(patterns=tuple(one.replace(trusted=good) for one, good in zip(made, trusted, strict=True)))


def test_the_best_image_serves_those_that_are_weak() -> None:
    good, fair, weak = (Sibling(str(c), patterns(c), None) for c in (0.8, 0.6, 0.3))
    lost = Sibling("lost", patterns(0.9, (True, False, False)), None)
    assert serving([weak, fair, good, lost]) == [good, None, None, good]
    assert serving([lost, lost]) == [None, None]  # none of them may serve others


def test_an_image_out_of_focus_is_judged_by_the_one_in_focus(tmp_path: Path) -> None:
    """Position 0 carries the stripes at a third of the contrast, as out of focus; alone it would be believed."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for place, contrast in enumerate((0.25, 0.8)):
        made = simulate(
            SCOPE,
            SpecimenSettings(kind="reticulum", seed=3),
            patterns=patterns(contrast),
            photons=300.0,
            shape=(96, 96),
            seed=place,
            upsample=2,
        )
        frames = made.series(0).adu.numpy().reshape(9, 96, 96).astype(np.uint16)
        for number, frame in enumerate(frames):
            tifffile.imwrite(raw / f"img_position{place:03d}_a{number // 3}_ph{number % 3}.tif", frame)
    plain = SCOPE.model_dump(mode="json", exclude_none=True, exclude={"optics": {"otf"}})
    scope = tmp_path / "M.yaml"
    scope.write_text(yaml.safe_dump(plain))
    reports = [
        image.run.reconstruct(tmp_path / f"sr{image.suffix}.tif")
        for image in images_of_recording(raw, scope, torch.device("cpu"), Options())
    ]
    assert [report.extra["series"][0]["trusted"] for report in reports] == [False, True]
    assert "weaker than the patterns in force" in reports[0].extra["series"][0]["why"]
    assert any("those of image" in text for text in reports[0].warnings)
    assert reports[0].patterns[0].modulation[0] == pytest.approx(0.8, abs=0.1)
    assert reports[1].warnings == []
