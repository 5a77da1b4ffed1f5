"""Inpainting: fill the pixels of an image that are missing."""

from __future__ import annotations

import os
import warnings
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsight._checks import check_choice
from sparsight.coding._inputs import check_threads
from sparsight.errors import ImageError
from sparsight.images import Image, as_image

from ._dictionary import inpaint_dictionary
from ._fill import smooth_fill
from ._inpainting_plans import METHODS, QUALITIES, Plan, plan_for
from ._mixture import PATCH, GaussianMixturePrior, default_prior
from ._nonlocal import inpaint_nonlocal
from ._planes import Array, Planes, to_planes
from ._progress import Progress, StepCounter
from ._structured import inpaint_structured
from ._tiles import blend_tiles, tile_slices

Method: TypeAlias = Literal["auto", "structured", "nonlocal", "ksvd", "cosine"]
Quality: TypeAlias = Literal["fast", "balanced", "best"]

_REACH = 20  # pixels farther than this from every known pixel get a smooth surface


class RestorationWarning(UserWarning):
    """Part of an image was restored more plainly than asked for."""


def inpaint(
    image: ArrayLike | Image | str | os.PathLike[str],
    mask: ArrayLike,
    *,
    method: Method = "auto",
    quality: Quality = "balanced",
    intensity_range: tuple[float, float] | None = None,
    prior: GaussianMixturePrior | None = None,
    n_threads: int | None = None,
    random_state: int | np.random.Generator | None = 0,
    progress: Progress | None = None,
) -> NDArray[np.floating[Any]]:
    """Fill the missing pixels of an image.

    Parameters
    ----------
    image : array of shape (height, width) or (height, width, n_channels), Image or path
        What stands at missing pixels, NaN included, does not matter.
    mask : bool array of shape (height, width) or that of the image
        True where a pixel is missing, as in scikit-image. A mask without channels holds for all of them.
    method : {"auto", "structured", "nonlocal", "ksvd", "cosine"}
        - "structured": each patch is drawn from one Gaussian of a mixture that adapts to the image (piecewise
          linear estimation, Yu, Sapiro, Mallat 2012).
        - "nonlocal": then groups of similar patches refine the result in several passes, each group with a
          Gaussian of its own.
        - "ksvd": sparse codes over a dictionary learned from the damaged image itself (Aharon, Elad,
          Bruckstein 2006; Mairal, Elad, Sapiro 2008).
        - "cosine": the same over a fixed cosine dictionary.
        - "auto": "structured" where little is missing at random and time matters, else "nonlocal".
    quality : {"fast", "balanced", "best"}
        How much time to spend: about 1 : 4 : 9 to 1 : 5 : 30.
    intensity_range : tuple of (float, float), optional
        Black and white. By default as for any image of the package: the whole type for integers, (0, 1) for
        real numbers; known pixels beyond it widen it.
    prior : GaussianMixturePrior, optional
        What patches look like before any is seen; by default the one that comes with the package.
    n_threads : int, optional
        By default all cores. The result does not depend on it.
    random_state : int, Generator or None
        Fixes the choice of patches.
    progress : callable, optional
        Called as ``progress(done, total, text)``.

    Returns
    -------
    float array of the image's shape
        In the image's own range; float32 if the image is, else float64. Known pixels are unchanged to the bit.

    Raises
    ------
    ImageError
        The mask does not fit the image or is not boolean, everything is missing, or a known pixel is NaN.

    Warns
    -----
    RestorationWarning
        A hole is so large, or the image so small, that it was filled with a smooth surface only.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsight
    >>> truth = np.add.outer(np.linspace(0, 1, 32), np.linspace(0, 1, 32)) / 2
    >>> mask = np.random.default_rng(0).random(truth.shape) < 0.5
    >>> filled = sparsight.inpaint(np.where(mask, np.nan, truth), mask, quality="fast")
    >>> bool(np.abs(filled - truth).max() < 0.02)
    True
    """
    check_choice("method", method, METHODS)
    check_choice("quality", quality, QUALITIES)
    threads = check_threads(n_threads)
    pixels, source, missing = _checked(image, mask, intensity_range)
    result: NDArray[Any] = np.array(pixels, dtype=np.float32 if pixels.dtype == np.float32 else np.float64)
    if not missing.any():
        return result
    rng = np.random.default_rng(random_state)
    shared = missing.ndim == 2 or bool((missing == missing[:, :, :1]).all())
    planes = to_planes(source, mix=shared)
    absent = missing if missing.ndim == 2 else np.moveaxis(missing, -1, 0)
    absent = np.broadcast_to(absent, planes.planes.shape)
    filled = _inpaint_planes(planes, absent, shared, method, quality, prior, threads, rng, progress)
    restored = np.clip(planes.to_pixels(filled), *source.intensity_range)
    wanted = np.broadcast_to(
        missing.reshape(*missing.shape, *[1] * (restored.ndim - missing.ndim)), restored.shape
    )
    result[wanted.reshape(result.shape)] = restored[wanted]
    return result


def _inpaint_planes(
    planes: Planes,
    absent: NDArray[np.bool_],
    shared: bool,
    method: str,
    quality: str,
    prior: GaussianMixturePrior | None,
    n_threads: int,
    rng: np.random.Generator,
    progress: Progress | None,
) -> Array:
    started = np.stack([smooth_fill(plane, hole) for plane, hole in zip(planes.planes, absent, strict=True)])
    if min(started.shape[1:]) < PATCH:
        _warn(f"The image is smaller than a patch of {PATCH}×{PATCH} pixels and was filled smoothly.")
        return started
    plan = plan_for(method, quality, float(absent.mean()))
    slices = tile_slices((started.shape[1], started.shape[2]))
    report = StepCounter(plan.steps * len(slices) * len(started), progress, "inpainting")
    known_prior = prior or default_prior()

    def restore(where: tuple[slice, slice]) -> Array:
        return _restore_tile(
            started[:, *where], absent[:, *where], shared, plan, known_prior, n_threads, rng, report
        )

    return _smooth_far(blend_tiles(started.shape, slices, restore), absent)


def _restore_tile(
    started: Array,
    absent: NDArray[np.bool_],
    shared: bool,
    plan: Plan,
    prior: GaussianMixturePrior,
    n_threads: int,
    rng: np.random.Generator,
    report: StepCounter,
) -> Array:
    started = np.ascontiguousarray(started)
    current = []
    for plane, hole in zip(started, absent, strict=True):
        filled = plane
        if hole.any():
            settings: Any = {"n_threads": n_threads, "after_pass": report}
            if plan.dictionary:
                filled = inpaint_dictionary(plane, hole, plan.dictionary, rng, **settings)
            if plan.structured:
                filled = inpaint_structured(plane, hole, plane, prior, plan.structured, rng, **settings)
        current.append(filled)
    if not plan.nonlocal_ or not absent.any():
        return np.stack(current)
    refined = [
        inpaint_nonlocal(
            current,
            list(absent),
            schedule,
            rng,
            shared_groups=shared,
            n_threads=n_threads,
            after_pass=report,
        )
        for schedule in plan.nonlocal_
    ]
    mean: Array = np.mean(refined, axis=0, dtype=np.float32)
    return mean


def _smooth_far(planes: Array, absent: NDArray[np.bool_]) -> Array:
    """Give pixels far from every known one a smooth surface, which patches cannot better, and say so."""
    far = np.stack([_far(hole) for hole in absent])
    if not far.any():
        return planes
    _warn(
        f"{np.count_nonzero(far.any(axis=0))} missing pixels lie more than {_REACH} pixels from any known one: "
        "the inside of so large a hole was filled smoothly, without texture."
    )
    return np.stack([smooth_fill(plane, hole) for plane, hole in zip(planes, far, strict=True)])


def _far(hole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    sums = np.pad((~hole).astype(np.int64), _REACH).cumsum(0).cumsum(1)
    sums = np.pad(sums, ((1, 0), (1, 0)))
    edge = 2 * _REACH + 1
    known = sums[edge:, edge:] - sums[:-edge, edge:] - sums[edge:, :-edge] + sums[:-edge, :-edge]
    far: NDArray[np.bool_] = known == 0
    return far


def _checked(
    image: Any, mask: ArrayLike, intensity_range: tuple[float, float] | None
) -> tuple[NDArray[Any], Image, NDArray[np.bool_]]:
    """Pixels as given, the image with its missing pixels set to a known value, and the mask."""
    missing = np.asarray(mask)
    if missing.dtype != np.bool_:
        raise ImageError(
            f"The mask must be boolean, True where a pixel is missing, not {missing.dtype}; "
            "for a picture of the mask use `mask > 127`."
        )
    is_array = not isinstance(image, (Image, str, os.PathLike))
    given = image if not is_array else np.asarray(image)
    source = None if is_array else as_image(image)
    pixels = np.asarray(given) if source is None else source.pixels
    if missing.ndim == 3 and missing.shape[2] == 1:
        missing = missing[:, :, 0]
    if missing.shape not in (pixels.shape, pixels.shape[:2]):
        raise ImageError(
            f"The mask has the shape {missing.shape} and the image {pixels.shape}; they must have the same height "
            "and width."
        )
    everywhere = (
        missing if missing.shape == pixels.shape else np.broadcast_to(missing[:, :, None], pixels.shape)
    )
    if pixels.size and everywhere.all(axis=(0, 1)).any():
        raise ImageError(
            "Every pixel of the image, or of one of its channels, is missing: mark at least one as known."
        )
    if source is not None and intensity_range is None:
        intensity_range = source.intensity_range
    known = pixels[~everywhere]
    finite = known[np.isfinite(known)]
    safe = np.array(pixels)
    safe[everywhere] = finite[0] if finite.size else 0
    checked = as_image(safe, intensity_range=intensity_range)
    low, high = checked.intensity_range
    widened = (min(low, float(known.min())), max(high, float(known.max())))
    if widened != (low, high):
        checked = as_image(safe, intensity_range=widened)
    return pixels, checked, missing.reshape(checked.pixels.shape) if missing.size == pixels.size else missing


def _warn(message: str) -> None:
    warnings.warn(message, RestorationWarning, stacklevel=4)
