"""PNG, JPEG and BMP files through Pillow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ImageError

from .decoded import Decoded, grey_if_grey, upright, without_alpha, without_warnings
from .pixel_size import pixel_size_of_resolution
from .png import decode_png16, png_header

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_ORIENTATION_TAG = 274
_MICROMETRES_PER_INCH = 25_400.0

# Pixels that a byte of a file can stand for at most, by the rules of the compression: of Deflate
# with pixels of one bit, of Huffman codes of one bit per block of 64, of runs of 255.
_PIXELS_PER_BYTE = {"PNG": 8 * 1032, "JPEG": 512, "BMP": 128}


def decode_png(path: Path) -> Decoded:
    """Decode a PNG file; 16 bits per channel are kept."""
    from PIL.PngImagePlugin import PngImageFile

    header = png_header(path)
    with PngImageFile(path) as file:
        _check_plausible(file, path)
        if header.bit_depth == 16 and header.n_channels > 1:
            pixels = decode_png16(path)
            if header.has_alpha:
                pixels = without_alpha(pixels, path)
            return _with_metadata(file, pixels)
        return _with_metadata(file, _pixels(file, path))


def decode_jpeg(path: Path) -> Decoded:
    """Decode a JPEG file; of several pictures in one file the first."""
    from PIL.JpegImagePlugin import JpegImageFile

    with JpegImageFile(path) as file:
        _check_plausible(file, path)
        return _with_metadata(file, _pixels(file, path))


def decode_bmp(path: Path) -> Decoded:
    """Decode a BMP file."""
    from PIL.BmpImagePlugin import BmpImageFile

    with BmpImageFile(path) as file:
        _check_plausible(file, path)
        return _with_metadata(file, _pixels(file, path))


# The formats' own classes are used instead of PIL.Image.open: that one refuses images of some
# hundred megapixels as "decompression bombs", which are a microscopist's daily bread.
RASTER_DECODERS: dict[bytes, Callable[[Path], Decoded]] = {
    b"\x89PNG\r\n\x1a\n": decode_png,
    b"\xff\xd8\xff": decode_jpeg,
    b"BM": decode_bmp,
}


def _check_plausible(file: ImageFile, path: Path) -> None:
    """Fail before memory is taken for the size that a damaged header claims."""
    width, height = file.size
    if width * height > _PIXELS_PER_BYTE[str(file.format)] * path.stat().st_size:
        raise ValueError("fewer pixels than the header says")


def _pixels(file: ImageFile, path: Path) -> NDArray[Any]:
    if file.mode == "P":
        return _palette_pixels(file, path)
    if file.mode == "CMYK":
        return np.asarray(file.convert("RGB"))
    if file.mode in ("LA", "RGBA"):
        return without_alpha(np.asarray(file), path)
    if file.mode in ("1", "L", "I;16", "RGB"):
        if "transparency" in file.info and file.mode in ("L", "RGB"):
            return without_alpha(np.asarray(file.convert(file.mode[:3] + "A")), path)
        return np.asarray(file)
    raise ImageError(
        f"{path} has pixels of the kind {file.mode}, which are not read; save it as grey or RGB."
    )


def _palette_pixels(file: ImageFile, path: Path) -> NDArray[Any]:
    if "transparency" in file.info:
        without_alpha(np.asarray(file.convert("RGBA")), path)
    file.load()
    palette = np.asarray(file.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    return np.asarray(grey_if_grey(palette)[np.asarray(file)])


def _with_metadata(file: ImageFile, pixels: NDArray[Any]) -> Decoded:
    with without_warnings():
        orientation = file.getexif().get(_ORIENTATION_TAG, 1)
    return Decoded(upright(pixels, orientation), pixel_size_um=_pixel_size(file))


def _pixel_size(file: ImageFile) -> float | None:
    dots_per_inch = file.info.get("dpi")
    if not dots_per_inch:
        return None
    horizontal, vertical = (float(value) for value in dots_per_inch)
    return pixel_size_of_resolution(horizontal, vertical, _MICROMETRES_PER_INCH)
