"""Images to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsight.errors import ImageError
from sparsight.files import atomic_path

from .image import Image

_JPEG_QUALITY = 95
_TIFF = (".tif", ".tiff")
_LONGEST_JPEG_SIDE = 65_500  # of libjpeg
_TIFF_TYPES = [np.dtype(name) for name in ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")]


def write_image(
    path: str | os.PathLike[str],
    image: ArrayLike | Image,
    *,
    pixel_size_um: float | None = None,
) -> None:
    """Write an image, whole or not at all; the suffix chooses the format.

    ===================  ================================================================
    suffix               pixels
    ===================  ================================================================
    ``.png``             uint8, uint16; grey or RGB
    ``.tif``, ``.tiff``  integers of up to 32 bits, float16 (as float32), float32, float64;
                         any number of channels; compressed without loss, with pixel size
    ``.jpg``, ``.jpeg``  uint8; grey or RGB; with loss
    ``.bmp``             uint8; grey or RGB
    ===================  ================================================================

    Boolean pixels, masks, are written as uint8: 0 and 255.

    Parameters
    ----------
    path : path-like
        The file; an existing one is replaced.
    image : array-like of shape (height, width) or (height, width, n_channels), or Image
        Written as it is: a value that does not fit the format is an error, never rescaled. In a
        TIFF, NaN is allowed (a score map has none where nothing was observed).
    pixel_size_um : float, optional
        Edge of a pixel in micrometres, kept in TIFF files; by default that of `image`. TIFF
        files also keep the range of an Image that uses fewer bits than its type has.

    Raises
    ------
    ImageError
        The format does not exist or cannot hold these pixels.
    SparsightError
        The file cannot be written, see :func:`sparsight.files.atomic_path`.
    """
    path = Path(path)
    pixels = image.pixels if isinstance(image, Image) else np.asarray(image)
    if pixel_size_um is None and isinstance(image, Image):
        pixel_size_um = image.pixel_size_um
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or pixels.size == 0:
        raise ImageError(
            f"Cannot write an array of shape {pixels.shape} to {path}; an image has the shape "
            "(height, width) or (height, width, channels)."
        )
    pixels = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
    if pixels.dtype == np.bool_:
        pixels = np.where(pixels, np.uint8(255), np.uint8(0))
    check_format(path, pixels)
    if path.suffix.lower() in _TIFF:
        _write_tiff(path, pixels, pixel_size_um, _significant_bits(image))
    else:
        _write_raster(path, pixels)


def check_format(path: Path, pixels: NDArray[Any]) -> None:
    """Raise an ImageError if the format that the suffix stands for cannot hold pixels of this type and shape."""
    suffix = path.suffix.lower()
    if suffix in _TIFF:
        return
    if suffix not in (".png", ".jpg", ".jpeg", ".bmp"):
        raise ImageError(
            f"Cannot write {path}: no image format has the suffix '{path.suffix}'; "
            "use .png, .tif, .jpg or .bmp."
        )
    depths: list[Any] = [np.uint8, np.uint16] if suffix == ".png" else [np.uint8]
    if pixels.dtype not in depths or (pixels.ndim == 3 and pixels.shape[2] != 3):
        n_channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        raise ImageError(
            f"Cannot write {n_channels} channels of {pixels.dtype} to {path}; use .tif, or "
            f"convert to grey or RGB pixels of {' or '.join(np.dtype(d).name for d in depths)}."
        )
    if suffix in (".jpg", ".jpeg") and max(pixels.shape[:2]) > _LONGEST_JPEG_SIDE:
        raise ImageError(
            f"Cannot write {pixels.shape[0]} × {pixels.shape[1]} pixels to {path}: a JPEG has at most "
            f"{_LONGEST_JPEG_SIDE} in a row or column; use .png or .tif."
        )


def _write_raster(path: Path, pixels: NDArray[Any]) -> None:
    with atomic_path(path) as temporary:
        if pixels.dtype == np.uint16:
            from .png import encode_png16

            temporary.write_bytes(encode_png16(pixels))
            return
        from PIL import Image as PillowImage

        # PNG and BMP know no quality and pass over it.
        PillowImage.fromarray(pixels).save(temporary, quality=_JPEG_QUALITY)


def _write_tiff(path: Path, pixels: NDArray[Any], pixel_size_um: float | None, bits: int | None) -> None:
    if pixels.dtype == np.float16:
        pixels = pixels.astype(np.float32)  # exact, and more programs read it
    if pixels.dtype not in _TIFF_TYPES:
        raise ImageError(
            f"Cannot write pixels of type {pixels.dtype} to {path}; convert them to uint8, uint16 or float32."
        )
    import tifffile

    rgb = pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype.kind == "u"
    options: dict[str, Any] = {
        "photometric": "rgb" if rgb else "minisblack",
        "compression": "zlib",
        "predictor": pixels.dtype.kind in "iu",
        "software": "Sparsight",
        "metadata": None,
    }
    if pixels.ndim == 3:
        options["planarconfig"] = "contig"
    if pixel_size_um is not None or bits is not None:
        options |= {"ome": True, "metadata": _ome_metadata(pixels, pixel_size_um, bits)}
    if pixel_size_um is not None:
        # Once more, for programs that know no OME.
        options |= {"resolution": (1e4 / pixel_size_um,) * 2, "resolutionunit": "CENTIMETER"}
    with atomic_path(path) as temporary:
        tifffile.imwrite(temporary, pixels, **options)


def _ome_metadata(pixels: NDArray[Any], pixel_size_um: float | None, bits: int | None) -> dict[str, Any]:
    import hashlib
    import uuid

    # Each image needs an identity. It is made from the pixels, so that the same image gives the
    # same file; by default it would be made from the time and the network address of the machine.
    identity = uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(pixels.data).hexdigest())
    metadata: dict[str, Any] = {
        "axes": "YX" if pixels.ndim == 2 else "YXS",
        "UUID": identity.urn,
        "Creator": "Sparsight",
    }
    if pixel_size_um is not None:
        for axis in "XY":
            metadata[f"PhysicalSize{axis}"] = pixel_size_um
            metadata[f"PhysicalSize{axis}Unit"] = "µm"
    if bits is not None:
        metadata["SignificantBits"] = bits
    return metadata


def _significant_bits(image: ArrayLike | Image) -> int | None:
    """How many bits the pixels use where their range is that of fewer bits than their type has."""
    if not isinstance(image, Image) or image.pixels.dtype.kind != "u":
        return None
    low, high = image.intensity_range
    bits = int(high).bit_length()
    is_narrower = low == 0 and high == 2**bits - 1 and bits < 8 * image.pixels.dtype.itemsize
    return bits if is_narrower else None
