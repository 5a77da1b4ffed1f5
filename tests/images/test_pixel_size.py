"""The pixel size as ImageJ, OME, FEI, Zeiss and plain resolution tags tell it."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from sparsight.images import read_image

PIXELS = np.zeros((20, 30), dtype=np.uint8)

FEI = """[User]
Date=03/15/2019
UserText=

[System]
Type=DualBeam
Dnumber=9922650

[Beam]
HV=5000
Spot=
Beam={beam}Beam
Scan={beam}Scan

[EScan]
Scan=PIA 2.0
{electron}
Dwell=1e-006

[IScan]
{ion}

[Image]
ResolutionX=30
ResolutionY=20
"""

ZEISS = """0
0
0
{unnamed}
0
DP_IMAGE_STORE
Store resolution = 1024 * 768
AP_ACTUALKV
EHT =  5.00 kV
{named}
AP_MAG
Mag = 2.00 K X
"""


def size_of(folder: Path, **options: Any) -> float | None:
    tifffile.imwrite(folder / "a.tif", PIXELS, **options)
    return read_image(folder / "a.tif").pixel_size_um


def tag(code: int, text: str) -> list[tuple[Any, ...]]:
    data = text.replace("\n", "\r\n").encode("cp1252")
    return [(code, "s", len(data), data, True)]


def imagej(folder: Path, unit: str, per_unit: tuple[float, float] | float) -> float | None:
    resolution = per_unit if isinstance(per_unit, tuple) else (per_unit, per_unit)
    unit_tag = "INCH" if unit == "inch" else "NONE"
    return size_of(
        folder, imagej=True, metadata={"unit": unit}, resolution=resolution, resolutionunit=unit_tag
    )


@pytest.mark.parametrize(
    ("unit", "per_unit", "expected"),
    [
        ("um", 4, 0.25),
        ("micron", 4, 0.25),
        ("microns", 4, 0.25),
        ("µm", 4, 0.25),
        ("\u03bcm", 4, 0.25),
        ("\\u00B5m", 4, 0.25),
        ("nm", 0.2, 0.005),
        ("mm", 20, 50),
        ("cm", 20, 500),
        ("inch", 300, None),
        ("inch", 25400, 1),
        ("pixel", 1, None),
        ("", 4, None),
    ],
)
def test_imagej(tmp_path: Path, unit: str, per_unit: float, expected: float | None) -> None:
    # Non-ASCII descriptions are written by ImageJ, but not by tifffile.
    if not unit.isascii():
        description = f"ImageJ=1.54f\nunit={unit}\n".encode()
        found = size_of(
            tmp_path,
            metadata=None,
            extratags=[(270, "s", len(description), description, True)],
            resolution=(per_unit, per_unit),
            resolutionunit="NONE",
        )
    else:
        found = imagej(tmp_path, unit, per_unit)
    assert found == (None if expected is None else pytest.approx(expected, rel=1e-5))


def test_pixels_that_are_not_square_have_no_size(tmp_path: Path) -> None:
    assert imagej(tmp_path, "um", (4, 8)) is None
    assert imagej(tmp_path, "um", (4, 4.01)) == pytest.approx(0.2497, rel=1e-3)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"PhysicalSizeX": 0.065, "PhysicalSizeY": 0.065}, 0.065),
        (
            {"PhysicalSizeX": 65, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 65, "PhysicalSizeYUnit": "nm"},
            0.065,
        ),
        (
            {
                "PhysicalSizeX": 0.3,
                "PhysicalSizeXUnit": "mm",
                "PhysicalSizeY": 0.3,
                "PhysicalSizeYUnit": "mm",
            },
            300,
        ),
        (
            {
                "PhysicalSizeX": 1,
                "PhysicalSizeXUnit": "pixel",
                "PhysicalSizeY": 1,
                "PhysicalSizeYUnit": "pixel",
            },
            None,
        ),
        ({"PhysicalSizeX": 0.065}, None),
        ({"PhysicalSizeX": 0.065, "PhysicalSizeY": 0.13}, None),
        ({}, None),
    ],
)
def test_ome(tmp_path: Path, metadata: dict[str, Any], expected: float | None) -> None:
    found = size_of(tmp_path, ome=True, metadata={"axes": "YX", **metadata})
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("code", [34680, 34682], ids=["SFEG", "Helios"])
@pytest.mark.parametrize(("beam", "expected"), [("E", 0.0843333), ("I", 0.02)])
def test_fei_takes_the_beam_that_was_used(tmp_path: Path, code: int, beam: str, expected: float) -> None:
    electron = "PixelWidth=8.43333e-008\nPixelHeight=8.43333e-008"
    ion = "PixelWidth=2e-008\nPixelHeight=2e-008"
    text = FEI.format(beam=beam, electron=electron, ion=ion)
    assert size_of(tmp_path, extratags=tag(code, text)) == pytest.approx(expected)


def test_fei_scan_section(tmp_path: Path) -> None:
    text = "[Scan]\nPixelWidth=1e-007\nPixelHeight=1e-007\n[Beam]\nHV=5000\n"
    assert size_of(tmp_path, extratags=tag(34682, text)) == pytest.approx(0.1)


@pytest.mark.parametrize("text", ["", "[Scan]\nPixelWidth=\n", "[Scan]\nPixelWidth=0\nPixelHeight=0\n"])
def test_fei_without_a_size(tmp_path: Path, text: str) -> None:
    assert size_of(tmp_path, extratags=tag(34682, text)) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2.233 nm", 0.002233), ("558.2 pm", 0.0005582), ("1.117 µm", 1.117), ("0.1 mm", 100), ("5 nm", 0.005)],
)
@pytest.mark.parametrize("key", ["AP_IMAGE_PIXEL_SIZE\nImage Pixel Size", "AP_PIXEL_SIZE\nPixel Size"])
def test_zeiss(tmp_path: Path, key: str, value: str, expected: float) -> None:
    text = ZEISS.format(unnamed="0", named=f"{key} = {value}")
    assert size_of(tmp_path, extratags=tag(34118, text)) == pytest.approx(expected)


def test_zeiss_prefers_the_size_of_the_stored_image(tmp_path: Path) -> None:
    named = "AP_PIXEL_SIZE\nPixel Size = 1 nm\nAP_IMAGE_PIXEL_SIZE\nImage Pixel Size = 2 nm"
    text = ZEISS.format(unnamed="0", named=named)
    assert size_of(tmp_path, extratags=tag(34118, text)) == pytest.approx(0.002)


def test_zeiss_without_names(tmp_path: Path) -> None:
    text = ZEISS.format(unnamed="2.5e-008", named="AP_SPOT\nSpot Size = 300")
    expected = 0.025 * 1024 / PIXELS.shape[1]
    assert size_of(tmp_path, extratags=tag(34118, text)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("per_unit", "unit", "expected"),
    [
        (72, "INCH", None),
        (96, "INCH", None),
        (300, "INCH", None),
        (600, "INCH", None),
        (1200, "INCH", 25400 / 1200),
        (25400, "INCH", 1),
        (28.35, "CENTIMETER", None),
        (118.11, "CENTIMETER", None),
        (400, "CENTIMETER", 25),
        (20000, "CENTIMETER", 0.5),
        (2e6, "CENTIMETER", 0.005),
        (20000, "NONE", None),
        (1, "NONE", None),
    ],
)
def test_plain_resolution(tmp_path: Path, per_unit: float, unit: str, expected: float | None) -> None:
    found = size_of(tmp_path, resolution=(per_unit, per_unit), resolutionunit=unit)
    assert found == (None if expected is None else pytest.approx(expected, rel=1e-4))


@pytest.mark.parametrize("broken", [(0, 1), (1, 0), (0, 0)])
def test_resolutions_of_zero(tmp_path: Path, broken: tuple[int, int]) -> None:
    assert size_of(tmp_path, resolution=(1, 1), resolutionunit="INCH") is None
    content = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        offset = file.pages.first.tags["XResolution"].valueoffset
    values = b"".join(value.to_bytes(4, "little") for value in broken)
    (tmp_path / "a.tif").write_bytes(content[:offset] + values + content[offset + 8 :])
    assert read_image(tmp_path / "a.tif").pixel_size_um is None


def test_instrument_goes_before_resolution_and_resolution_helps_out(tmp_path: Path) -> None:
    resolution = {"resolution": (Fraction(10000), Fraction(10000)), "resolutionunit": "CENTIMETER"}
    text = "[Scan]\nPixelWidth=5e-008\nPixelHeight=5e-008\n"
    assert size_of(tmp_path, extratags=tag(34682, text), **resolution) == pytest.approx(0.05)
    assert size_of(tmp_path, extratags=tag(34682, "[User]\n"), **resolution) == pytest.approx(1)


def test_nothing_known(tmp_path: Path) -> None:
    assert size_of(tmp_path) is None
