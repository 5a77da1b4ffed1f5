"""Images and masks from files and arrays."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsight.errors import ImageError

from .decoded import Decoded
from .image import Image, range_of_dtype

if TYPE_CHECKING:
    from collections.abc import Callable

_SIGNATURE_LENGTH = 8
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# What rounding and lossy compression leave around the edges of a mask stays below this share of
# white.
_MASK_NOISE = 1 / 8


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read a PNG, JPEG, TIFF or BMP file.

    The format is told by the file's content, not by its suffix. Pixels keep the type and the
    values of the file. Only what is no measured intensity is resolved: palettes become the colours
    they stand for (grey when all of them are), CMYK becomes RGB, "white is zero" is inverted, the
    orientation noted by a camera is applied, and a fully opaque alpha channel is dropped.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Image
        With the range that the file states: that of its pixel type, or of the significant bits
        where it names them; (0, 1) for real numbers. The pixel size comes from ImageJ, OME, FEI or
        Zeiss metadata or from a plain resolution of 1000 dots per inch or finer; coarser ones are
        the settings of printers and screens.

    Raises
    ------
    ImageError
        The file is missing, damaged, no image of these formats, holds several images or a
        transparent one, or has pixels that are NaN or infinite.
    """
    path = Path(path)
    try:
        decoded = _decoder(path)(path)
    except ImageError:
        raise
    except Exception as error:
        # Decoders that are fed damaged bytes raise nearly anything.
        raise ImageError(
            f"Cannot read {path}: the file is damaged or incomplete; "
            "export or copy it again, or leave it out."
        ) from error
    return Image(
        pixels=np.ascontiguousarray(decoded.pixels),
        intensity_range=decoded.intensity_range or range_of_dtype(decoded.pixels.dtype, str(path)),
        pixel_size_um=decoded.pixel_size_um,
        path=path,
    )


def as_image(
    image: ArrayLike | Image | str | os.PathLike[str],
    *,
    name: str | None = None,
    intensity_range: tuple[float, float] | None = None,
) -> Image:
    """Make an :class:`Image` of an array, a file or an image.

    Parameters
    ----------
    image : array-like of shape (height, width) or (height, width, n_channels), Image or path-like
        Arrays are not copied; a path is read by :func:`read_image`.
    name : str, optional
        What to call it in messages and reports.
    intensity_range : tuple of (float, float), optional
        Black and white. By default as in the file, or for an array by its type: (0, 1) for
        boolean and real numbers, the whole type for integers of up to 32 bits.

    Returns
    -------
    Image

    Raises
    ------
    ImageError
        As :func:`read_image` and :class:`Image`; or the array has integers wider than 32 bits and
        no range is given.

    Examples
    --------
    >>> import numpy as np
    >>> as_image(np.zeros((4, 6), dtype=np.uint16)).intensity_range
    (0.0, 65535.0)
    """
    if isinstance(image, str | os.PathLike):
        image = read_image(image)
    if not isinstance(image, Image):
        pixels = _as_array(image, name or "image")
        stated = intensity_range or range_of_dtype(pixels.dtype, name or "image")
        return Image(pixels, stated, name=name or "")
    return replace(
        image,
        name=name or image.name,
        intensity_range=intensity_range or image.intensity_range,
    )


def read_mask(path: str | os.PathLike[str], shape: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """Read a mask: True where the file is not black.

    Labels (1, 2, 3, ...) count as well as white. Where the mask has white in it, values of up to an
    eighth of white are taken for what lossy compression leaves around edges, and are black. A
    pixel of a colour mask is True if any of its channels is.

    Parameters
    ----------
    path : path-like
        The file.
    shape : tuple of (int, int), optional
        Height and width that the mask must have.

    Returns
    -------
    ndarray of bool, shape (height, width)

    Raises
    ------
    ImageError
        As :func:`read_image`; or the mask has another size than `shape`.
    """
    mask = read_image(path)
    pixels = mask.pixels if mask.n_channels == 1 else mask.pixels.max(axis=2)
    if shape is not None and pixels.shape != tuple(shape[:2]):
        raise ImageError(
            f"The mask {path} is {pixels.shape[0]} × {pixels.shape[1]} pixels (height × width), "
            f"its image {shape[0]} × {shape[1]}; give a mask of the image's size."
        )
    white = mask.intensity_range[1]
    has_white = pixels.max() > white / 2
    return np.asarray(pixels > (white * _MASK_NOISE if has_white else 0))


def _as_array(image: ArrayLike, name: str) -> NDArray[Any]:
    if isinstance(image, np.ma.MaskedArray):
        raise ImageError(
            f"{name} is a masked array, whose mask would be lost; give its data as the image and "
            "its mask as the mask."
        )
    try:
        return np.asarray(image)
    except ValueError as error:
        raise ImageError(
            f"{name} is no array of one shape ({error}); give (height, width) or (height, width, channels)."
        ) from error


def _decoder(path: Path) -> Callable[[Path], Decoded]:
    """Choose the decoder by the first bytes of the file."""
    signature = _signature(path)
    if signature.startswith(_TIFF_SIGNATURES):
        from .tiff import decode_tiff

        return decode_tiff
    from .raster import RASTER_DECODERS

    for start, decode in RASTER_DECODERS.items():
        if signature.startswith(start):
            return decode
    raise ImageError(f"{path} is not a PNG, JPEG, TIFF or BMP image; convert it to one or leave it out.")


def _signature(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            signature = file.read(_SIGNATURE_LENGTH)
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {path}; check the path.") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path} is a folder; give an image file.") from error
    except OSError as error:
        raise ImageError(
            f"Cannot open {path} ({error.strerror}); check the path and the right to read it."
        ) from error
    if not signature:
        raise ImageError(f"The file {path} is empty; export or copy it again, or leave it out.")
    return signature
