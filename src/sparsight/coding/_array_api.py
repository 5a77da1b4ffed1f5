"""The little that is needed to compute with arrays of any library that follows the array API standard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sparsight.errors import ParameterError

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import ArrayLike

Array: TypeAlias = Any  # of NumPy, CuPy, PyTorch, array-api-strict, …


def array_library(array: Array) -> Any:
    """The library an array belongs to: NumPy for anything that is not an array."""
    if isinstance(array, np.ndarray) or not hasattr(array, "shape"):
        return np
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    try:
        from array_api_compat import array_namespace
    except ImportError as error:
        raise ParameterError(
            f"{type(array).__module__} arrays need the package array-api-compat; install it."
        ) from error
    return array_namespace(array)


def like(array: Array, values: ArrayLike, xp: ModuleType) -> Array:
    """Bring values to the library, dtype and device of an array."""
    device = getattr(array, "device", None)  # NumPy before 2.0 has no devices
    where = {} if device is None else {"device": device}
    return xp.asarray(np.asarray(values), dtype=array.dtype, **where)


def checked_problem(patches: Array, dictionary: Array, xp: ModuleType) -> tuple[Array, Array]:
    """Bring NumPy input to float, give the dictionary the patches' dtype, and check both."""
    if xp is np:
        patches = np.asarray(patches)
        patches = patches.astype(np.float32 if patches.dtype == np.float32 else np.float64, copy=False)
        dictionary = np.asarray(dictionary)
    if patches.ndim != 2 or dictionary.ndim != 2 or patches.shape[1] != dictionary.shape[1]:
        raise ParameterError(
            "Expected patches (n, P) and a dictionary (M, P), got arrays of shape "
            f"{tuple(patches.shape)} and {tuple(dictionary.shape)}."
        )
    dictionary = xp.asarray(dictionary, dtype=patches.dtype)
    if not (xp.all(xp.isfinite(patches)) and xp.all(xp.isfinite(dictionary))):
        raise ParameterError("Patches and dictionary must be finite; mask or remove NaN and infinity.")
    return patches, dictionary


def row_norms(rows: Array, xp: ModuleType) -> Array:
    """Euclidean norm of each row, shape (n, 1)."""
    return xp.sqrt(xp.sum(rows * rows, axis=1, keepdims=True))


def ratio(part: Array, whole: Array, xp: ModuleType) -> Array:
    """Quotient of norms; where both are 0 it is 0, where only the divisor is, a large number."""
    large = xp.where(part > 0, xp.full_like(part, 1e6), xp.zeros_like(part))
    return xp.where(whole > 0, part / xp.where(whole > 0, whole, xp.ones_like(whole)), large)
