"""What of a patch is coded: centring, standardisation, the leading cosine coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


def remove_mean(
    patches: NDArray[Any], mask: NDArray[np.bool_] | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Subtract from each patch the mean of its observed values.

    Parameters
    ----------
    patches : float array of shape (n_patches, n_features)
    mask : bool array of shape (n_patches, n_features), optional
        True where a value is missing. Missing values become 0 in the result.

    Returns
    -------
    centred : array of shape (n_patches, n_features)
    means : array of shape (n_patches, 1)
        0 for a patch without any observed value.
    """
    if mask is None:
        means = patches.mean(axis=1, keepdims=True, dtype=np.float64).astype(patches.dtype)
        return patches - means, means
    n_observed = np.maximum(np.sum(~mask, axis=1, keepdims=True), 1)
    totals = np.sum(np.where(mask, 0, patches), axis=1, keepdims=True, dtype=np.float64)
    means = (totals / n_observed).astype(patches.dtype)
    return np.where(mask, patches.dtype.type(0), patches - means), means


@dataclass(frozen=True)
class Standardization:
    """Per-feature standardisation (y − mean) / scale, as in the HACARUS article's wood experiment.

    Attributes
    ----------
    mean, scale : arrays of shape (n_features,)
        Mean and standard deviation over the training patches; a feature that is constant has scale 1.
    """

    mean: NDArray[Any]
    scale: NDArray[Any]

    @classmethod
    def of(cls, patches: NDArray[Any]) -> Standardization:
        """Measure mean and standard deviation of patches, shape (n_patches, n_features)."""
        scale = patches.std(axis=0, dtype=np.float64)
        scale[scale <= 1e-12 * max(1.0, float(np.abs(patches).max()))] = 1.0
        mean = patches.mean(axis=0, dtype=np.float64)
        return cls(mean.astype(patches.dtype), scale.astype(patches.dtype))

    def apply(self, patches: NDArray[Any]) -> NDArray[Any]:
        """Standardise patches, shape (n_patches, n_features)."""
        return np.asarray((patches - self.mean) / self.scale)

    def invert(self, standardized: NDArray[Any]) -> NDArray[Any]:
        """Undo `apply`."""
        return np.asarray(standardized * self.scale + self.mean)


def zigzag_order(shape: tuple[int, int]) -> NDArray[np.intp]:
    """Indices of a 2-D coefficient array, flattened row by row, in zig-zag order (as in JPEG).

    Examples
    --------
    >>> zigzag_order((3, 3)).tolist()
    [0, 1, 3, 6, 4, 2, 5, 7, 8]
    """
    rows, columns = np.indices(shape).reshape(2, -1)
    diagonal = rows + columns
    along = np.where(diagonal % 2 == 1, rows, columns)
    return np.lexsort((along, diagonal))


def cosine_basis(patch_shape: tuple[int, int], n_coefs: int | None = None) -> NDArray[np.float64]:
    """Orthonormal two-dimensional cosine basis (DCT-II), lowest frequencies first.

    Parameters
    ----------
    patch_shape : tuple of int
        Height and width in pixels.
    n_coefs : int, optional
        Only the first coefficients in zig-zag order (225 of 1024 in ICIP 2016, section 4). All by default.

    Returns
    -------
    array of shape (n_coefs, height * width)
        Rows are basis patches: ``features = patches @ basis.T``, ``patches ≈ features @ basis``.

    Raises
    ------
    ValueError
        If `n_coefs` is not between 1 and the number of pixels of a patch.
    """
    n_pixels = patch_shape[0] * patch_shape[1]
    n_coefs = n_pixels if n_coefs is None else n_coefs
    if not 1 <= n_coefs <= n_pixels:
        raise ValueError(
            f"n_coefs must be between 1 and {n_pixels} for {patch_shape[0]}×{patch_shape[1]} patches, "
            f"got {n_coefs}."
        )
    rows, columns = (_cosines(size) for size in patch_shape)
    basis: NDArray[np.float64] = np.kron(rows, columns).astype(np.float64)
    return basis[zigzag_order(patch_shape)[:n_coefs]]


def cosine_features(
    patches: NDArray[Any], n_coefs: int | None = None, mask: NDArray[np.bool_] | None = None
) -> NDArray[Any]:
    """Leading cosine coefficients of patches without their mean (ICIP 2016, sections 3.1 and 4).

    Parameters
    ----------
    patches : float array of shape (n_patches, height, width) or (n_patches, height, width, n_channels)
    n_coefs : int, optional
        Coefficients of each channel, in zig-zag order. All by default, or when there are fewer.
    mask : bool array of shape (n_patches, height, width), optional
        True where a pixel is missing; it takes the mean of its patch.

    Returns
    -------
    array of shape (n_patches, n_coefs * n_channels)
        The coefficients of all channels, frequency after frequency. That of a single channel's mean is zero.
    """
    n_patches, height, width = patches.shape[:3]
    flat = patches.reshape(n_patches, -1)
    hidden = None
    if mask is not None:
        hidden = np.repeat(mask.reshape(n_patches, -1), flat.shape[1] // (height * width), axis=1)
    centred, _ = remove_mean(flat, hidden)
    down, across = np.divmod(zigzag_order((height, width))[:n_coefs], width)
    rows, columns = _cosines(height)[: down.max() + 1], _cosines(width)[: across.max() + 1]
    # Patch by patch, so that a result does not depend on which patches come along.
    channels = np.ascontiguousarray(np.moveaxis(centred.reshape(n_patches, height, width, -1), -1, 1))
    spectra = rows.astype(centred.dtype) @ channels @ columns.T.astype(centred.dtype)
    features: NDArray[Any] = np.moveaxis(spectra[:, :, down, across], 1, 2).reshape(n_patches, -1)
    return features


def _cosines(size: int) -> NDArray[np.float64]:
    frequency, position = np.indices((size, size))
    basis: NDArray[np.float64] = np.cos(np.pi * (position + 0.5) * frequency / size)
    basis *= np.sqrt(2.0 / size)
    basis[0] /= np.sqrt(2.0)
    return basis
