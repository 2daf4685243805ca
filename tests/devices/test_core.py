"""The demo microscope in a real core: devices, properties, snaps, sequences, faults."""

import threading
import time

import numpy as np
import pymmcore
import pytest
import torch
from pymmcore_plus import DeviceInitializationState, DeviceType
from pymmcore_plus.experimental.unicore import UniMMCore

from rdl_devices.sim import world_of
from rdl_devices.sim.camera import SimCamera
from rdl_live.errors import DeviceError
from tests.busy import BUSY, PATIENCE_S

TYPES = {
    "World": DeviceType.Hub,
    "Lasers": DeviceType.GenericDevice,
    "AOTF": DeviceType.GenericDevice,
    "Shutter": DeviceType.ShutterDevice,
    "SLM": DeviceType.SLM,
    "XY": DeviceType.XYStage,
    "Z": DeviceType.Stage,
    "Camera": DeviceType.Camera,
}
SLM_OFF = "no pattern"


def other(core: UniMMCore, label: str, name: str) -> object:
    """Return another value that a property takes."""
    now = core.getProperty(label, name)
    choices = [value for value in core.getAllowedPropertyValues(label, name) if value != str(now)]
    if choices:
        return choices[0]
    low, high = core.getPropertyLowerLimit(label, name), core.getPropertyUpperLimit(label, name)
    return next(float(value) for value in (1, 2, 64, 0.5) if low <= value <= high and value != now)


def test_the_configuration_loads(rig) -> None:
    assert set(TYPES) <= set(rig.core.getLoadedDevices())
    for label, kind in TYPES.items():
        assert rig.core.getDeviceType(label) == kind
        state = rig.core.getDeviceInitializationState(label)
        assert state == DeviceInitializationState.InitializedSuccessfully
    assert rig.core.getCameraDevice() == "Camera"
    assert rig.core.getSLMDevice() == "SLM"
    assert rig.core.getShutterDevice() == "Shutter"


def test_it_starts_in_the_dark(rig) -> None:
    assert not rig.core.getShutterOpen()
    for nm in (405, 488, 560):
        assert rig.core.getProperty("Lasers", f"Enable_{nm}") == 0
        assert rig.core.getProperty("AOTF", f"Power_{nm}_pct") == 0
        assert rig.core.getProperty("World", f"Irradiance_{nm}_W_cm2") == 0


def test_every_property_reads_and_takes_values_as_number_and_text(rig) -> None:
    core = rig.core
    count = 0
    for label in TYPES:
        for name in core.getDevicePropertyNames(label):
            before = core.getProperty(label, name)
            if core.isPropertyReadOnly(label, name) or name == "Fault":
                continue
            value = other(core, label, name)
            for form in (value, str(value)):
                core.setProperty(label, name, form)
                after = core.getProperty(label, name)
                assert after != before
                assert type(after) is type(before)
                assert str(after) == str(value) or float(after) == pytest.approx(float(value))
                core.setProperty(label, name, before)
            count += 1
    assert count > 40


@pytest.mark.parametrize(
    ("label", "name", "value"),
    [
        ("AOTF", "Power_488_pct", 101),
        ("AOTF", "Power_488_pct", "bright"),
        ("AOTF", "Blanking", "Sometimes"),
        ("AOTF", "Power_640_pct", 1),
        ("Lasers", "Power_488_mW", -1),
        ("Camera", "Binning", 3),
        ("Camera", "ReadoutTime_ms", 1),
        ("Camera", "Exposure", 1e6),
    ],
)
def test_what_cannot_be_set_names_device_and_value(rig, label: str, name: str, value: object) -> None:
    with pytest.raises(DeviceError, match=rf"{label}: .*{name}.*{value}|{name}") as error:
        rig.core.setProperty(label, name, value)
    assert label in str(error.value)
    assert str(value) in str(error.value)


def test_the_photon_budget_of_a_snap(rig) -> None:
    rig.core.setProperty("World", "PhotonsPerPixelPerMs_488", 10)
    rig.core.setProperty("Camera", "PixelMaps", 0)
    rig.core.setProperty("Camera", "HotPixels", 0)
    rig.core.setExposure(5)
    assert rig.snap().mean() == pytest.approx(100, abs=0.2)
    rig.light(40)
    assert rig.snap().mean() == pytest.approx(100, abs=0.2), SLM_OFF
    rig.show(rig.patterns()[0])
    frame = rig.snap().astype(float)
    truth = rig.world.exposures[-1]
    # 40 % of 10 photons for 5 ms, in a field of the mean 1.
    assert truth.photons_per_pixel == pytest.approx(20, rel=0.2)
    assert (frame.mean() - 100) * 0.46 == pytest.approx(truth.photons_per_pixel, rel=0.01)
    assert truth.irradiance[488] == pytest.approx(4, rel=0.01)
    assert rig.core.getProperty("World", "Dose_488_J_cm2") == pytest.approx(4 * 5e-3, rel=0.02)


def test_two_exposures_of_one_thing_differ_by_shot_and_read_noise(rig) -> None:
    rig.core.setProperty("World", "SpecimenSpeed_um_s_488", 0)
    rig.light(40)
    rig.show(rig.patterns()[0])
    first, second = (rig.snap().astype(float) for _ in range(2))
    mean = (0.5 * (first + second) - 100).mean() * 0.46
    assert ((first - second) * 0.46).var() / 2 == pytest.approx(mean + 1.6**2, rel=0.05)


def test_wrong_pattern_wrong_frame(rig) -> None:
    rig.core.setProperty("World", "SpecimenSpeed_um_s_488", 0)
    rig.core.setProperty("World", "PhotonsPerPixelPerMs_488", 1000)
    rig.light()
    patterns = rig.patterns()
    rig.show(patterns[0])
    right, again = rig.snap().astype(float), rig.snap().astype(float)
    rig.show(patterns[1])
    wrong = rig.snap().astype(float)
    assert (right - wrong).std() > 3 * (right - again).std()


def test_a_picture_is_shown_when_it_is_displayed_not_when_it_is_set(rig) -> None:
    rig.light()
    rig.core.setSLMImage("SLM", rig.patterns()[0])
    rig.snap()
    assert rig.world.exposures[-1].photons_per_pixel == 0
    rig.core.displaySLMImage("SLM")
    rig.snap()
    assert rig.world.exposures[-1].photons_per_pixel > 0
    assert (rig.core.getSLMImage("SLM") == rig.patterns()[0]).all()


def test_a_picture_goes_dark_after_its_exposure(rig) -> None:
    rig.light()
    rig.core.setSLMExposure("SLM", 8)
    rig.show(rig.patterns()[0])
    rig.run(3)
    photons = [truth.photons_per_pixel for truth in rig.world.exposures]
    assert photons[0] > 0
    assert photons[-1] == 0


def test_a_pattern_too_fine_for_the_wavelength_gives_no_light(rig) -> None:
    rig.show(rig.patterns(0.175)[0])
    for nm in (405, 488, 560):
        rig.light(nm=nm)
    rig.snap()
    truth = rig.world.exposures[-1]
    assert truth.irradiance[488] > 9
    assert truth.irradiance[560] == 0


def test_regions_and_binning(rig) -> None:
    core = rig.core
    core.setROI(16, 32, 64, 48)
    assert core.getROI() == [16, 32, 64, 48]
    assert rig.snap().shape == (48, 64)
    assert (core.getImageWidth(), core.getImageHeight()) == (64, 48)
    core.setProperty("Camera", "Binning", 2)
    assert core.getROI() == [8, 16, 32, 24]
    assert rig.snap().shape == (24, 32)
    core.clearROI()
    assert rig.snap().shape == (64, 64)
    core.setProperty("Camera", "Binning", 1)
    with pytest.raises(DeviceError, match=r"Camera: cannot set ROI = \(100, 0, 64, 64\)"):
        core.setROI(100, 0, 64, 64)
    assert rig.snap().shape == (128, 128)


def test_the_frame_rate_is_that_of_exposure_and_readout(rig) -> None:
    core = rig.core
    core.setExposure(5)
    readout = core.getProperty("Camera", "ReadoutTime_ms")
    assert readout == pytest.approx(128 * 4.9e-3)
    assert core.getProperty("Camera", "ActualInterval-ms") == pytest.approx(5 + readout)
    core.setROI(0, 32, 128, 64)
    assert core.getProperty("Camera", "ReadoutTime_ms") == pytest.approx(readout / 2)
    core.setProperty("Camera", "FrameInterval_ms", 20)
    _, tags = rig.run(4)
    starts = np.array([float(tag["ExposureStart_s"]) for tag in tags])
    assert np.diff(starts) == pytest.approx(0.02, abs=1e-5)


def test_a_sequence_is_exposed_under_its_patterns(rig) -> None:
    core = rig.core
    rig.light()
    core.loadSLMSequence("SLM", [pattern.tobytes() for pattern in rig.patterns()])
    core.startSLMSequence("SLM")
    images, tags = rig.run(27)
    core.stopSLMSequence("SLM")
    assert len(images) == 27
    assert [int(tag["FrameIndex"]) for tag in tags] == list(range(27))
    assert [int(tag["SimPatternIndex"]) for tag in tags] == [index % 9 for index in range(27)]
    angles = [truth.light[488].angle_deg for truth in list(rig.world.exposures)[-9:]]
    assert angles == pytest.approx(np.repeat([5.73, 65.73, 125.73], 3), abs=0.02)


def test_the_sequence_goes_on_over_several_bursts_until_it_is_started_anew(rig) -> None:
    rig.core.loadSLMSequence("SLM", rig.patterns())
    rig.core.startSLMSequence("SLM")
    indices = [int(tag["SimPatternIndex"]) for _ in range(3) for tag in rig.run(4)[1]]
    assert indices == [index % 9 for index in range(12)]
    rig.core.startSLMSequence("SLM")
    assert rig.run(1)[1][0]["SimPatternIndex"] == "0"


def test_the_slm_on_its_own_timer_drifts_from_the_camera(rig) -> None:
    rig.core.setProperty("SLM", "TriggerMode", "Internal")
    rig.core.setProperty("SLM", "Interval_ms", 10)
    rig.core.setProperty("Camera", "FrameInterval_ms", 15)
    rig.core.loadSLMSequence("SLM", rig.patterns())
    rig.core.startSLMSequence("SLM")
    indices = [int(tag["SimPatternIndex"]) for tag in rig.run(6)[1]]
    assert indices == [0, 1, 3, 4, 6, 7]


def test_properties_and_focus_are_stepped_with_the_patterns(rig) -> None:
    core = rig.core
    rig.light()
    rig.show(rig.patterns()[0])
    assert core.isPropertySequenceable("AOTF", "Power_488_pct")
    core.loadPropertySequence("AOTF", "Power_488_pct", ["10", "20", "40"])
    core.startPropertySequence("AOTF", "Power_488_pct")
    core.loadStageSequence("Z", [0.0, 1.0])
    core.startStageSequence("Z")
    core.loadExposureSequence("Camera", [4.0, 8.0])
    core.startExposureSequence("Camera")
    rig.run(6)
    core.stopExposureSequence("Camera")
    core.stopPropertySequence("AOTF", "Power_488_pct")
    core.stopStageSequence("Z")
    power = [truth.irradiance[488] for truth in list(rig.world.exposures)[-6:]]
    assert power == pytest.approx([1, 2, 4, 1, 2, 4], rel=0.01)
    assert core.getProperty("AOTF", "Power_488_pct") == 40
    assert core.getPosition("Z") == 1.0
    assert [truth.exposure_ms for truth in list(rig.world.exposures)[-6:]] == [4, 8] * 3


def test_stages_move_and_know_their_limits(rig) -> None:
    core = rig.core
    core.setXYPosition("XY", 12.5, -3.0)
    core.setPosition("Z", 0.75)
    assert tuple(core.getXYPosition("XY")) == (12.5, -3.0)
    assert core.getPosition("Z") == 0.75
    assert rig.world.stage_um == (12.5, -3.0, 0.75)
    core.setOriginXY("XY")
    core.setRelativeXYPosition("XY", 1, 1)
    assert tuple(core.getXYPosition("XY")) == (1, 1)
    with pytest.raises(DeviceError, match="XY"):
        core.setXYPosition("XY", 1e6, 0)
    with pytest.raises(DeviceError, match=r"Z: 1e\+06 um"):
        core.setPosition("Z", 1e6)


def test_in_real_time_a_sequence_takes_its_time_and_can_be_stopped(rig) -> None:
    rig.core.setProperty("World", "Realtime", 1)
    rig.core.setProperty("Camera", "FrameInterval_ms", 20)
    began = time.perf_counter()
    assert len(rig.run(10)[0]) == 10
    assert 0.18 < time.perf_counter() - began < 1.5 * BUSY
    rig.core.startContinuousSequenceAcquisition()
    time.sleep(0.1)
    assert rig.core.isSequenceRunning()
    rig.core.stopSequenceAcquisition()
    assert not rig.core.isSequenceRunning()
    assert rig.core.getRemainingImageCount() > 0


# Faults -----------------------------------------------------------------------------------------------------


def test_a_value_is_refused_once(rig) -> None:
    rig.world.faults.refuse("AOTF", "Power_488_pct", 20, times=1)
    rig.core.setProperty("AOTF", "Power_488_pct", 10)
    with pytest.raises(DeviceError, match="AOTF: refuses Power_488_pct = 20"):
        rig.core.setProperty("AOTF", "Power_488_pct", 20)
    assert rig.core.getProperty("AOTF", "Power_488_pct") == 10
    rig.core.setProperty("AOTF", "Power_488_pct", 20)


def test_a_value_is_refused_in_a_sequence(rig) -> None:
    rig.world.faults.refuse("AOTF", "Power_488_pct", 20)
    with pytest.raises(DeviceError, match="AOTF: refuses Power_488_pct = 20"):
        rig.core.loadPropertySequence("AOTF", "Power_488_pct", [10, 20])


def test_a_failing_exposure_raises_in_a_snap_and_leaves_a_hole_in_a_sequence(rig) -> None:
    rig.world.faults.fail_exposure()
    with pytest.raises(DeviceError, match=r"Camera: exposure 5 ms .* failed"):
        rig.snap()
    rig.snap()
    rig.core.loadSLMSequence("SLM", rig.patterns())
    rig.core.startSLMSequence("SLM")
    rig.world.faults.fail_exposure(5)
    images, tags = rig.run(9)
    kept = [0, 1, 2, 3, 4, 6, 7, 8]
    assert len(images) == 8
    assert [int(tag["FrameIndex"]) for tag in tags] == kept
    assert [int(tag["SimPatternIndex"]) for tag in tags] == kept
    assert "exposure" in rig.core.getProperty("Camera", "LastError")


def test_the_slm_starts_late(rig) -> None:
    rig.core.loadSLMSequence("SLM", rig.patterns())
    for fault in (lambda: rig.core.setProperty("SLM", "StartShift", 1), lambda: rig.world.faults.shift_slm(1)):
        rig.core.setProperty("SLM", "StartShift", 0)
        fault()
        rig.core.startSLMSequence("SLM")
        assert [int(tag["SimPatternIndex"]) for tag in rig.run(9)[1]] == [1, 2, 3, 4, 5, 6, 7, 8, 0]


def test_one_pattern_is_wrong(rig) -> None:
    rig.core.loadSLMSequence("SLM", rig.patterns())
    rig.world.faults.replace_pattern(4, 0)
    rig.core.startSLMSequence("SLM")
    assert [int(tag["SimPatternIndex"]) for tag in rig.run(9)[1]] == [0, 1, 2, 3, 0, 5, 6, 7, 8]


def test_a_stuck_shutter_says_nothing_but_reads_back(rig) -> None:
    rig.core.setShutterOpen(True)
    rig.core.setProperty("Shutter", "Fault", "Stuck")
    rig.core.setShutterOpen(False)
    assert rig.core.getShutterOpen()
    rig.core.setProperty("Shutter", "Fault", "None")
    rig.core.setShutterOpen(False)
    assert not rig.core.getShutterOpen()


def test_uploads_fail(rig) -> None:
    rig.core.setProperty("SLM", "Fault", "UploadFails")
    with pytest.raises(DeviceError, match="SLM: upload of 9 pictures failed"):
        rig.core.loadSLMSequence("SLM", rig.patterns())
    with pytest.raises(DeviceError, match="SLM: upload of a picture failed"):
        rig.core.setSLMImage("SLM", rig.patterns()[0])


@pytest.mark.parametrize("label", sorted(set(TYPES) - {"World"}))
def test_an_unplugged_device_says_so(rig, label: str) -> None:
    rig.core.setProperty(label, "Fault", "Unplug")
    ask = {
        "XY": lambda: rig.core.getXYPosition(label),
        "Z": lambda: rig.core.setPosition(label, 1),
        "Shutter": lambda: rig.core.setShutterOpen(False),
        "Camera": rig.snap,
        "SLM": lambda: rig.core.displaySLMImage(label),
        "AOTF": lambda: rig.core.setProperty(label, "Power_488_pct", 0),
        "Lasers": lambda: rig.core.getProperty(label, "Enable_488"),
    }[label]
    with pytest.raises(DeviceError, match=f"{label}: does not answer"):
        ask()
    rig.core.setProperty(label, "Fault", "None")
    ask()


def test_a_camera_unplugged_in_a_run_delivers_no_more(rig) -> None:
    rig.core.setProperty("World", "Realtime", 1)
    rig.core.startContinuousSequenceAcquisition()
    while not rig.core.getRemainingImageCount():
        time.sleep(0.005)
    rig.world.faults.unplug("Camera")
    deadline = time.perf_counter() + 5
    while rig.core.isSequenceRunning() and time.perf_counter() < deadline:
        time.sleep(0.01)
    assert not rig.core.isSequenceRunning()
    with pytest.raises(DeviceError, match="Camera: does not answer"):
        rig.core.startSequenceAcquisition(1, 0, True)


def test_what_hangs_is_let_go(rig) -> None:
    rig.world.faults.hang("AOTF")
    thread = threading.Thread(target=rig.core.setProperty, args=("AOTF", "Power_488_pct", 5), daemon=True)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    rig.world.faults.clear("AOTF")
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert rig.core.getProperty("AOTF", "Power_488_pct") == 5


def test_a_slow_device_is_slow(rig) -> None:
    rig.world.faults.slow("AOTF", 0.1)
    began = time.perf_counter()
    rig.core.setProperty("AOTF", "Power_488_pct", 5)
    assert time.perf_counter() - began > 0.1


def test_a_core_ends_even_while_its_camera_hangs(rig) -> None:
    rig.core.startContinuousSequenceAcquisition()
    rig.world.faults.hang("Camera")
    time.sleep(0.05)
    began = time.perf_counter()
    rig.core.unloadAllDevices()
    assert time.perf_counter() - began < 5 * BUSY


def test_an_slm_beside_a_camera_of_another_make(rig) -> None:
    """What mm-demo does: hub and SLM alone."""
    core = UniMMCore()
    try:
        core.loadDevice("World", "rdl_devices.sim.hub", "SimHub")
        core.loadDevice("SLM", "rdl_devices.sim.slm", "SimSLM")
        core.initializeAllDevices()
        core.loadSLMSequence("SLM", rig.patterns())
        core.startSLMSequence("SLM")
        assert world_of(core).display.shown().index == 0
        assert world_of(core) is not rig.world
    finally:
        core.reset()
        pymmcore.CMMCore.registerCallback(core, None)


# Worlds -----------------------------------------------------------------------------------------------------


def test_two_cores_have_two_worlds(rig) -> None:
    second = type(rig)()
    try:
        assert world_of(second.core) is second.world
        assert second.world is not rig.world
        second.light()
        assert second.core.getShutterOpen()
        assert not rig.core.getShutterOpen()
    finally:
        second.close()


def test_loading_again_makes_a_new_world(rig, root) -> None:
    before = rig.world
    rig.light()
    rig.core.loadSystemConfiguration(root / "configs" / "demo.cfg")
    assert world_of(rig.core) is not before
    assert not rig.core.getShutterOpen()
    assert not before.light.shutter_open


def test_a_device_without_a_hub_is_refused(rig) -> None:
    with pytest.raises(DeviceError, match="load the hub"):
        SimCamera()
    rig.core.unloadAllDevices()
    with pytest.raises(DeviceError, match="no simulated world"):
        world_of(rig.core)


def test_the_camera_computes_with_one_thread_and_leaves_the_others_theirs(rig, monkeypatch) -> None:
    seen = []
    read = rig.world.sensor.read
    monkeypatch.setattr(rig.world.sensor, "read", lambda *args: seen.append(torch.get_num_threads()) or read(*args))
    before = torch.get_num_threads()
    rig.run(2)
    assert seen == [1, 1]
    assert torch.get_num_threads() == before
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [before]


def test_replay_repeats_frames_and_keeps_the_patterns_order(rig) -> None:
    rig.core.setProperty("World", "Replay", 1)
    rig.light()
    rig.core.loadSLMSequence("SLM", rig.patterns())
    rig.core.startSLMSequence("SLM")
    images, tags = rig.run(18)
    assert [int(tag["SimPatternIndex"]) for tag in tags] == [*range(9), *range(9)]
    assert all((images[index] == images[index + 9]).all() for index in range(9))
    assert (images[0] != images[1]).any()
    rig.core.setProperty("World", "Replay", 0)
    rig.core.startSLMSequence("SLM")
    assert (rig.run(1)[0][0] != images[0]).any()


def test_a_sequence_that_is_over_gives_no_frame_to_the_next(rig) -> None:
    """A thread that was still computing when the core waited no longer must not begin the next sequence's buffer."""
    camera, given = rig.core._py_camera("Camera"), []

    def slot(shape, dtype) -> np.ndarray:
        given.append(tuple(shape))
        return np.empty(shape, dtype)

    rig.light()
    old = camera.start_sequence(5, slot)
    next(old)
    rig.core.setROI("Camera", 0, 0, 32, 16)
    new = camera.start_sequence(5, slot)
    assert next(old, None) is None
    assert given == [(128, 128)]
    assert len(list(new)) == 5
    assert given[1:] == [(16, 32)] * 5
