"""TIFF files: tifffile for their structure and most pixels, Pillow for what it cannot unpack."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC, TiffFile, TiffPage

from sparsight.errors import ImageError

from .decoded import Decoded, grey_if_grey, upright, without_alpha, without_warnings
from .pixel_size import pixel_size_of_tiff, significant_bits

# tifffile logs what it finds odd in tags that do not matter here; without a handler that would go
# to the user's terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_REDUCED = 1  # flag of NewSubfileType: a smaller version of another image
_ALPHA = (1, 2)  # of ExtraSamples: opacity, premultiplied or not
_LINEAR = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB)
_CONVERTED_TO_RGB = (PHOTOMETRIC.YCBCR, PHOTOMETRIC.SEPARATED)
_MOST_CHANNELS_OF_A_ROW = 16
# To how many bytes one byte can swell at most. Memory is not taken for more.
_HIGHEST_RATIOS = {
    COMPRESSION.NONE: 1,
    COMPRESSION.LZW: 1400,
    COMPRESSION.ADOBE_DEFLATE: 1032,
    COMPRESSION.DEFLATE: 1032,
}


def decode_tiff(path: Path) -> Decoded:
    """Decode the one image of a TIFF file."""
    with TiffFile(path) as tiff:
        page, other_pages = _main_page(tiff)
        _check_complete(page, tiff)
        if other_pages or _n_images_of_imagej(tiff) > 1:
            pixels = _channels_of_pages(tiff, path)
        elif page.photometric in _CONVERTED_TO_RGB:
            pixels = _through_pillow(page, path)
        else:
            pixels = _channels_last(_raw_pixels(page, path), page.axes, path)
        pixels = _brightness(pixels, page, path)
        if page.extrasamples and page.extrasamples[-1] in _ALPHA and pixels.ndim == 3:
            pixels = without_alpha(pixels, path)
        orientation = page.tags.get("Orientation")
        pixels = upright(pixels, 1 if orientation is None else int(orientation.value))
        bits = significant_bits(tiff) or int(page.bitspersample)
        return Decoded(
            pixels.astype(pixels.dtype.newbyteorder("="), copy=False),
            intensity_range=_range_of_bits(pixels.dtype, bits),
            pixel_size_um=pixel_size_of_tiff(tiff, page),
        )


def _main_page(tiff: TiffFile) -> tuple[TiffPage, list[TiffPage]]:
    """Return the image and the further images that are no previews of it."""
    pages = list(tiff.pages)
    main = next((page for page in pages if not page.subfiletype & _REDUCED), pages[0])
    others = [
        page
        for page in pages
        if page is not main
        and not page.subfiletype & _REDUCED
        and not (page.imagelength < main.imagelength and page.imagewidth < main.imagewidth)
    ]
    return main, others


def _n_images_of_imagej(tiff: TiffFile) -> int:
    # Large stacks of ImageJ have one page, behind which the others lie without pages of their own.
    return int((tiff.imagej_metadata or {}).get("images", 1)) if tiff.is_imagej else 1


def _check_complete(page: TiffPage, tiff: TiffFile) -> None:
    """Fail where tifffile would silently fill what is missing with zeros."""
    ends = np.add(page.dataoffsets, page.databytecounts)
    if ends.size == 0 or ends.max() > tiff.filehandle.size:
        raise ValueError("the file ends before the pixels do")
    ratio = _HIGHEST_RATIOS.get(page.compression)
    whole_bytes = page.bitspersample % 8 == 0
    if ratio and whole_bytes and page.nbytes > ratio * sum(page.databytecounts):
        raise ValueError("fewer pixels than the header says")


def _channels_of_pages(tiff: TiffFile, path: Path) -> NDArray[Any]:
    """Read the channels of one image from several pages; anything else is several images."""
    series = tiff.series[0]
    if len(series) != len(tiff.pages) and not tiff.is_imagej:
        raise _several_images(path)
    shape = series.shape
    rows_as_pages = (
        series.kind == "shaped" and len(shape) == 3 and shape[2] <= _MOST_CHANNELS_OF_A_ROW < min(shape[:2])
    )
    # tifffile.imwrite writes an array (height, width, channels), unless told otherwise, as one page
    # per row.
    axes = "YXS" if rows_as_pages else series.axes
    return _channels_last(series.asarray(), axes, path)


def _channels_last(pixels: NDArray[Any], axes: str, path: Path) -> NDArray[Any]:
    """Bring an array with the given axes to (height, width[, channels])."""
    kept = [axis for axis, size in zip(axes, pixels.shape, strict=True) if axis in "YX" or size > 1]
    pixels = pixels.reshape(
        [size for axis, size in zip(axes, pixels.shape, strict=True) if axis in "YX" or size > 1]
    )
    channels = [axis for axis in kept if axis not in "YX"]
    if not channels:
        return pixels
    if channels not in (["S"], ["C"]):
        raise _several_images(path)
    return np.moveaxis(pixels, kept.index(channels[0]), -1)


def _several_images(path: Path) -> ImageError:
    return ImageError(
        f"{path} holds several images; save the one that is meant, or each of them, as a TIFF of its own."
    )


def _raw_pixels(page: TiffPage, path: Path) -> NDArray[Any]:
    lacking = find_spec("imagecodecs") is None
    if lacking and (page.bitspersample % 8 or _is_packed_grey(page)):
        return _through_pillow(page, path)
    try:
        return np.asarray(page.asarray())
    except (ValueError, NotImplementedError) as error:
        if "imagecodecs" not in str(error):
            raise
        return _through_pillow(page, path)


def _is_packed_grey(page: TiffPage) -> bool:
    """Whether tifffile would unpack the bytes one by one in Python, at a fifth of a second per megapixel."""
    grey = page.photometric == PHOTOMETRIC.MINISBLACK and page.samplesperpixel == 1
    return bool(grey and page.compression == COMPRESSION.PACKBITS and page.dtype == np.uint8)


def _through_pillow(page: TiffPage, path: Path) -> NDArray[Any]:
    """Decode by libtiff inside Pillow, where that changes no value."""
    from PIL.TiffImagePlugin import TiffImageFile

    bits = int(page.bitspersample)
    with without_warnings(), TiffImageFile(path) as file:
        file.seek(page.index)
        if page.photometric in _CONVERTED_TO_RGB and bits == 8:
            return np.asarray(file.convert("RGB"))
        exact = file.mode in ("I;16", "I;16B", "F") or (bits <= 8 and file.mode in "1LPRGBA")
        if not exact:
            raise ImageError(
                f"{path} is compressed in a way that is read only with the package imagecodecs; "
                "install it (pip install imagecodecs), or save the image uncompressed."
            )
        pixels = np.asarray(file)
        if file.mode in ("1", "L") and page.photometric == PHOTOMETRIC.MINISWHITE:
            pixels = ~pixels  # Pillow has inverted it; here that comes later
        if file.mode == "L" and bits < 8:
            pixels = pixels // (255 // (2**bits - 1))  # Pillow has spread it over 8 bits
        return pixels


def _brightness(pixels: NDArray[Any], page: TiffPage, path: Path) -> NDArray[Any]:
    """Resolve palettes and "white is zero"."""
    if page.photometric == PHOTOMETRIC.PALETTE:
        colours = np.asarray(page.colormap).T
        # 16 bits by the standard, of which the upper ones count; some programs write 8.
        colours = (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)
        return np.asarray(grey_if_grey(colours)[pixels])
    if page.photometric == PHOTOMETRIC.MINISWHITE and pixels.dtype.kind in "bu":
        white = pixels.dtype.type(2 ** int(page.bitspersample) - 1)
        return np.asarray(white ^ pixels)
    if page.photometric not in (*_LINEAR, *_CONVERTED_TO_RGB):
        raise ImageError(
            f"{path} has pixels of the kind {PHOTOMETRIC(page.photometric).name}, which are not "
            "read; save it as grey or RGB."
        )
    return pixels


def _range_of_bits(dtype: np.dtype[Any], bits: int) -> tuple[float, float] | None:
    """Range of pixels of which only some bits are used; None where all are."""
    if dtype.kind == "u" and bits < 8 * dtype.itemsize:
        return (0.0, float(2**bits - 1))
    return None
