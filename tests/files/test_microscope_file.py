"""A microscope file is read whole, or refused with one message that lists all that is wrong."""

import struct
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdl_live.errors import ConfigError
from rdl_live.files import load_microscope

GOOD = """
name: TIRF bench
optics: {na: 1.3, pixel_size_um: 0.0626}
channels:
  - {name: GFP, excitation_nm: 488, emission_nm: 525, pattern: {period_um: 0.18, angles_deg: [5, 65, 125]}}
  - {name: RFP, excitation_nm: 561, emission_nm: 600}
pattern: {angles: 3, phases: 3}
camera: {offset_adu: 100, gain_e_per_adu: 0.46, read_noise_e: 1.4}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "scope.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_microscope(path)
    message = str(caught.value)
    assert str(path) in message
    return message


def test_reads_every_section(tmp_path: Path) -> None:
    scope = load_microscope(write(tmp_path, GOOD))
    assert (scope.optics.na, scope.optics.pixel_size_um, scope.camera.offset_adu) == (1.3, 0.0626, 100)
    assert scope.channel("RFP").emission_nm == 600
    assert scope.channels[0].pattern.angles_deg == (5, 65, 125)


def test_reads_a_byte_order_mark(tmp_path: Path) -> None:
    assert load_microscope(write(tmp_path, "\ufeff" + GOOD)).name == "TIRF bench"


@dataclass(frozen=True)
class Wrong:
    name: str
    old: str
    new: str
    says: tuple[str, ...]


WRONG = [
    Wrong("misspelt key of optics", "pixel_size_um", "pixelsize_um", ("optics.pixelsize_um", "'pixel_size_um'")),
    Wrong("key without unit", "read_noise_e", "read_noise", ("camera.read_noise", "'read_noise_e'")),
    Wrong("misspelt section", "camera:", "camra:", ("camra", "'camera'")),
    Wrong(
        "misspelt key of a channel",
        "emission_nm: 600",
        "emision_nm: 600",
        ("channels[1].emision_nm", "'emission_nm'"),
    ),
    Wrong("misspelt pattern guess", "period_um", "perod_um", ("channels[0].pattern.perod_um", "'period_um'")),
    Wrong("misspelt geometry", "phases: 3", "phase: 3", ("pattern.phase:", "'phases'")),
    Wrong("key in the wrong section", "name: TIRF bench", "name: x\nna: 1.3", ("na: unknown", "'optics.na'")),
    Wrong(
        "nonsense key",
        "name: TIRF bench",
        "name: x\nqqqq: 1",
        ("qqqq: unknown key", "known here", "channels"),
    ),
    Wrong("missing value", "na: 1.3, ", "", ("optics.na", "missing")),
    Wrong("na above the medium", "na: 1.3", "na: 1.6", ("optics", "1.6", "immersion")),
    Wrong("zero pixel", "0.0626", "0", ("optics.pixel_size_um: 0 ", "greater than 0")),
    Wrong("not a number", "0.0626", ".nan", ("optics.pixel_size_um", "nan")),
    Wrong("unit in a number", "0.0626", "62.6 nm", ("optics.pixel_size_um", "62.6 nm", "unit")),
    Wrong("truth value", "na: 1.3", "na: yes", ("optics.na", "true/yes/on")),
    Wrong("number for a name", "name: RFP", "name: 561", ("channels[1].name", "561", "quotes")),
    Wrong("too few phases", "phases: 3", "phases: 2", ("pattern.phases", "2")),
    Wrong("no list", "[5, 65, 125]", "5", ("channels[0].pattern.angles_deg", "5", "list")),
    Wrong("angles do not match", "[5, 65, 125]", "[5, 65]", ("GFP", "2 angles", "3")),
    Wrong("blue fluorescence", "emission_nm: 525", "emission_nm: 405", ("channels[0]", "405", "488")),
    Wrong("twice the same name", "name: RFP", "name: GFP", ("channels", "GFP")),
    Wrong("section that is a number", "camera: {", "camera: 3 #", ("camera", "3", "section")),
    Wrong("key twice", "camera:", "name: again\ncamera:", ("'name'", "twice", "line 2", "line 8")),
    Wrong("reference", "na: 1.3", "na: &a 1.3, immersion_index: *a", ("references", "line 3")),
    Wrong("tag that runs code", "na: 1.3", "na: !!python/object/apply:os.getcwd []", ("python", "line 3")),
    Wrong("tab", "camera:", "\tcamera:", ("YAML", "line 8")),
    Wrong("impossible date", "na: 1.3", "na: 2001-99-99", ("YAML", "month")),
    Wrong("a number as key", "name: TIRF bench", "name: x\n7: 1", ("7",)),
    Wrong("a list as key", "name: TIRF bench", "name: x\n? [1]\n: 1", ("key",)),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
def test_refuses(case: Wrong, tmp_path: Path) -> None:
    assert case.old in GOOD
    message = refusal(write(tmp_path, GOOD.replace(case.old, case.new)))
    for words in case.says:
        assert words in message


def test_lists_every_problem_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("1.3", "-1").replace("0.0626", "0").replace("angles: 3", "angels: 3")
    message = refusal(write(tmp_path, text))
    assert message.startswith(f"{tmp_path / 'scope.yaml'}: 3 problems:")
    assert all(field in message for field in ("optics.na", "optics.pixel_size_um", "pattern.angels"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("# only this\n", "empty"),
        ("- 1\n- 2\n", "list"),
        ("just text", "just text"),
        ("a: [", "YAML"),
    ],
)
def test_refuses_what_is_no_mapping(text: str, says: str, tmp_path: Path) -> None:
    assert says in refusal(write(tmp_path, text))


def test_refuses_missing_file_folder_binary_and_huge_file(tmp_path: Path) -> None:
    assert "no such" in refusal(tmp_path / "absent.yaml")
    assert "cannot be read" in refusal(tmp_path / ("x" * 300))
    assert "folder" in refusal(tmp_path)
    path = tmp_path / "scope.yaml"
    path.write_bytes(b"II*\0\xff\xfe\x00")
    assert "recording" in refusal(path)
    path.write_bytes(b"#" * (2**20 + 1))
    assert "larger" in refusal(path)


def test_refuses_deep_nesting(tmp_path: Path) -> None:
    assert "nested" in refusal(write(tmp_path, "name: " + "[" * 5000 + "]" * 5000))


def measured_otf(path: Path, values: list[float]) -> None:
    """Write a radial OTF as microscopes' programs do: one row of complex numbers, 0.0312 cycles/um apart."""
    header = bytearray(1024)
    struct.pack_into("<4i", header, 0, len(values), 1, 1, 4)
    struct.pack_into("<3i", header, 28, 1, 1, 1)
    struct.pack_into("<3f", header, 40, 0.0312, 0.0312, 0.05)
    struct.pack_into("<h", header, 96, -16224)
    samples = b"".join(struct.pack("<2f", value, 0.0) for value in values)
    path.write_bytes(bytes(header) + samples)


def test_calibration_files_are_sought_beside_the_microscope_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "gain.tif").touch()
    measured_otf(tmp_path / "otf.mrc", [1.0, 0.8, 0.5])
    text = GOOD.replace("na: 1.3", "na: 1.3, otf_file: otf.mrc").replace(
        "read_noise_e: 1.4", "gain_file: maps/gain.tif"
    )
    write(tmp_path, text)
    monkeypatch.chdir(tmp_path / "maps")
    scope = load_microscope("../scope.yaml")
    assert scope.optics.otf_file is not None
    assert scope.camera.gain_file is not None
    assert Path(scope.optics.otf_file).is_absolute()
    assert Path(scope.optics.otf_file).samefile(tmp_path / "otf.mrc")
    assert Path(scope.camera.gain_file).samefile(tmp_path / "maps" / "gain.tif")
    assert scope.optics.otf is not None
    assert scope.optics.otf.values == pytest.approx((1.0, 0.8, 0.5))
    assert scope.optics.otf.spacing == pytest.approx(0.0312)


def test_an_otf_file_that_holds_no_otf_is_told(tmp_path: Path) -> None:
    (tmp_path / "otf.mrc").write_bytes(b"no OTF")
    message = refusal(write(tmp_path, GOOD.replace("na: 1.3", "na: 1.3, otf_file: otf.mrc")))
    assert "optics.otf_file" in message
    assert "otf.mrc" in message


def test_calibration_files_must_be_there(tmp_path: Path) -> None:
    text = GOOD.replace("name: RFP", "name: RFP, otf_file: no.mrc").replace("offset_adu: 100", "offset_file: .")
    message = refusal(write(tmp_path, text))
    assert "channels[1].otf_file: 'no.mrc'" in message
    assert "does not exist" in message
    assert "camera.offset_file: '.' is wrong" in message
    assert "folder" in message


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_text_raises_anything_but_a_config_error(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        length = data.draw(st.integers(0, 8))
        junk = st.one_of(st.binary(max_size=6), st.sampled_from([b"0x_", b"!!", b"&a", b"*a", b"- ", b"? ", b"<<: "]))
        raw[place : place + length] = data.draw(junk)
    path = tmp_path / "fuzz.yaml"
    path.write_bytes(bytes(raw))
    try:
        load_microscope(path)
    except ConfigError as error:
        assert str(path) in str(error)  # noqa: PT017 - valid files are fine, too
