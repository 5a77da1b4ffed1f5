"""The edge of a pixel in micrometres, from what microscopes and programs write into TIFF files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

# Printers, screens, cameras and office programs write 72 to 600 dots per inch into files, whatever
# is seen in them. Nobody writes 1000 or more who has not measured.
_FINEST_PRINT_RESOLUTION_UM = 25.4
_SQUARE_TOLERANCE = 0.01

_MICROMETRES = {
    "m": 1e6,
    "meter": 1e6,
    "cm": 1e4,
    "mm": 1e3,
    "um": 1.0,
    "µm": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "nm": 1e-3,
    "pm": 1e-6,
    "å": 1e-4,
    "angstrom": 1e-4,
    "inch": 25_400.0,
    "in": 25_400.0,
}
_RESOLUTION_UNITS = {2: 25_400.0, 3: 10_000.0}


def pixel_size_of_tiff(tiff: TiffFile, page: TiffPage) -> float | None:
    """Find the pixel size: what an instrument or ImageJ wrote goes before the plain resolution.

    Parameters
    ----------
    tiff : TiffFile
    page : TiffPage
        The page whose pixels are used.

    Returns
    -------
    float or None
        In micrometres; None if unknown or if the pixels are not square.
    """
    if tiff.is_fei:
        size = _of_fei(tiff.fei_metadata or {})
    elif tiff.is_sem:
        size = _of_zeiss(tiff.sem_metadata or {}, page.imagewidth)
    elif tiff.is_ome:
        size = _of_ome(tiff.ome_metadata or "")
    elif tiff.is_imagej:
        size = _of_imagej(tiff.imagej_metadata or {}, page)
    else:
        size = None
    return size or _of_resolution(page)


def pixel_size_of_resolution(horizontal: float, vertical: float, unit_um: float) -> float | None:
    """Pixel size of a plain resolution in pixels per unit, unless it is the setting of a printer.

    Resolutions coarser than 1000 dots per inch (25.4 µm) are not believed.
    """
    if not (horizontal > 0 and vertical > 0):
        return None
    size = _square(unit_um / horizontal, unit_um / vertical)
    if size is None or size > _FINEST_PRINT_RESOLUTION_UM * (1 + 1e-3):
        return None
    return size


def significant_bits(tiff: TiffFile) -> int | None:
    """How many bits of the pixels the OME metadata calls significant."""
    if not tiff.is_ome:
        return None
    bits = _ome_pixels(tiff.ome_metadata or "").get("SignificantBits", "")
    return int(bits) if bits.isdecimal() and int(bits) > 0 else None


def _of_fei(metadata: Mapping[str, Any]) -> float | None:
    # Either "Scan" holds the size, or the scan of the beam that was used.
    for section in ("Scan", metadata.get("Beam", {}).get("Scan", "EScan")):
        scan = metadata.get(section, {})
        size = _square(_length(scan.get("PixelWidth"), "m"), _length(scan.get("PixelHeight"), "m"))
        if size is not None:
            return size
    return None


def _of_zeiss(metadata: Mapping[str, Any], width: int) -> float | None:
    # "Image Pixel Size" is that of the stored image, "Pixel Size" that of the scan.
    for key in ("ap_image_pixel_size", "ap_pixel_size"):
        if len(entry := metadata.get(key, ())) == 3:
            _, value, unit = entry
            return _length(value, unit)
    # Older files have only unnamed values, the fourth of which is the size in metres of a pixel of
    # an image 1024 pixels wide.
    unnamed = metadata.get("", ())
    size = _length(unnamed[3], "m") if len(unnamed) > 3 else None
    return size and size * 1024 / width


def _of_imagej(metadata: Mapping[str, Any], page: TiffPage) -> float | None:
    resolution = _resolution(page)
    unit = _plain(str(metadata.get("unit", "")))
    # ImageJ takes inches over from the file it opened: they tell no more than a plain resolution.
    if resolution is None or unit in ("in", "inch"):
        return None
    return _square(*(_length(1 / value, unit) for value in resolution))


def _of_resolution(page: TiffPage) -> float | None:
    resolution = _resolution(page)
    unit = page.tags.get("ResolutionUnit")
    # Inches are meant where the tag is missing, says the standard.
    unit_um = _RESOLUTION_UNITS.get(2 if unit is None else int(unit.value))
    if resolution is None or unit_um is None:
        return None
    return pixel_size_of_resolution(*resolution, unit_um)


def _of_ome(xml: str) -> float | None:
    pixels = _ome_pixels(xml)
    return _square(
        *(
            _length(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm"))
            for axis in "XY"
        )
    )


def _ome_pixels(xml: str) -> Mapping[str, str]:
    """Return the attributes of the first image's Pixels element."""
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return {}
    for element in root.iter():
        if element.tag.rpartition("}")[2] == "Pixels":
            return element.attrib
    return {}


def _resolution(page: TiffPage) -> tuple[float, float] | None:
    """Pixels per unit of length, horizontally and vertically."""
    values = []
    for name in ("XResolution", "YResolution"):
        tag = page.tags.get(name)
        if tag is None:
            return None
        numerator, denominator = tag.value
        if not (numerator > 0 and denominator > 0):
            return None
        values.append(numerator / denominator)
    return values[0], values[1]


def _length(value: Any, unit: Any) -> float | None:
    """Convert a length to micrometres; None if it is no positive length."""
    micrometres = _MICROMETRES.get(_plain(str(unit)))
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number * micrometres if micrometres and 0 < number < float("inf") else None


def _plain(unit: str) -> str:
    """Bring a unit to one spelling: lower case, one of the two letters for micro."""
    unit = re.sub(r"\\u00b5", "µ", unit.strip(), flags=re.IGNORECASE)
    return unit.lower().replace("μ", "µ")


def _square(horizontal: float | None, vertical: float | None) -> float | None:
    """Return the one edge of a square pixel; None if an edge is unknown or they differ."""
    if horizontal is None or vertical is None:
        return None
    if abs(horizontal - vertical) > _SQUARE_TOLERANCE * max(horizontal, vertical):
        return None
    return (horizontal + vertical) / 2 if horizontal != vertical else horizontal
