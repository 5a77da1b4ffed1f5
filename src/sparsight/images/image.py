"""The image as every other part of the package knows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ImageError


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels together with what their values and their size mean.

    Parameters
    ----------
    pixels : ndarray of shape (height, width) or (height, width, n_channels)
        Boolean, integer or real, finite; kept as they are, never rescaled. The image holds a
        read-only view of them; a single channel is kept without its axis.
    intensity_range : tuple of (float, float)
        What black and white mean, e.g. ``(0, 255)``: stated by the kind of pixels or by the file,
        never measured from the image.
    pixel_size_um : float or None
        Edge of a pixel in micrometres, None when unknown.
    path : Path or None
        The file the image was read from.
    name : str
        What the image is called in messages and reports: by default the file name without its
        suffix, or "image".

    Raises
    ------
    ImageError
        The pixels are no image: empty, not two- or three-dimensional, complex or not numbers, or
        some are NaN or infinite.
    """

    pixels: NDArray[Any]
    intensity_range: tuple[float, float]
    pixel_size_um: float | None = None
    path: Path | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.path.stem if self.path else "image")
        subject = str(self.path or self.name)
        pixels = np.asarray(self.pixels).view()
        _check_shape(pixels, subject)
        if pixels.ndim == 3 and pixels.shape[2] == 1:
            pixels = pixels[:, :, 0]
        _check_dtype(pixels.dtype, subject)
        _check_values(pixels, subject)
        low, high = self.intensity_range
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ImageError(
                f"Cannot use {subject} with the intensity range ({low}, {high}): "
                "give two finite numbers, black and white, in ascending order."
            )
        if self.pixel_size_um is not None and not 0 < self.pixel_size_um < np.inf:
            raise ImageError(
                f"Cannot use {subject} with a pixel size of {self.pixel_size_um} µm: "
                "give a positive number, or None when it is unknown."
            )
        pixels.flags.writeable = False
        object.__setattr__(self, "pixels", pixels)
        object.__setattr__(self, "intensity_range", (float(low), float(high)))

    @property
    def n_channels(self) -> int:
        """Number of channels: 1 for a grey image."""
        return 1 if self.pixels.ndim == 2 else int(self.pixels.shape[2])


def range_of_dtype(dtype: np.dtype[Any], subject: str) -> tuple[float, float]:
    """Black and white of pixels of this kind when nothing else states them.

    Integers of up to 32 bits span their whole type, real numbers (0, 1), as in scikit-image.
    Wider integers have no usual range.
    """
    _check_dtype(dtype, subject)
    if dtype.kind in "bf":
        return (0.0, 1.0)
    if dtype.kind in "iu" and dtype.itemsize <= 4:
        limits = np.iinfo(dtype)
        return (float(limits.min), float(limits.max))
    raise ImageError(
        f"Cannot tell black from white in {subject}, whose pixels are {dtype}: "
        "give the intensity_range, or convert them to uint8, uint16 or float32."
    )


def _check_shape(pixels: NDArray[Any], subject: str) -> None:
    if pixels.ndim not in (2, 3):
        raise ImageError(
            f"{subject} has {pixels.ndim} dimensions; an image has the shape (height, width) or "
            "(height, width, channels)."
        )
    if pixels.size == 0:
        raise ImageError(f"{subject} is empty, of shape {pixels.shape}; give an image that has pixels.")


def _check_dtype(dtype: np.dtype[Any], subject: str) -> None:
    if dtype.kind not in "biuf":
        raise ImageError(
            f"{subject} has pixels of type {dtype}; give real numbers such as uint8, uint16 or float32."
        )


def _check_values(pixels: NDArray[Any], subject: str) -> None:
    if pixels.dtype.kind != "f" or np.isfinite(pixels).all():
        return
    broken = ~np.isfinite(pixels)
    row, column = np.argwhere(broken)[0][:2]
    raise ImageError(
        f"{subject} has {np.count_nonzero(broken)} pixel values that are NaN or infinite, the "
        f"first at row {row}, column {column}; give them any finite value and mark them in a mask."
    )
