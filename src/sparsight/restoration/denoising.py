"""Denoising: remove white noise, or photon noise, from an image."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsight._checks import check_choice, check_number
from sparsight.coding import orthogonal_matching_pursuit
from sparsight.coding._inputs import check_threads
from sparsight.dictionaries import KSVD, cosine_dictionary
from sparsight.errors import ImageError
from sparsight.images import Image, as_image

from ._mixture import PATCH, SIZE, GaussianMixturePrior, default_prior
from ._noise import VarianceStabiliser, noise_level
from ._planes import Array, to_planes
from ._progress import Progress, StepCounter
from ._structured import average
from ._tiles import blend_tiles, tile_slices
from ._wiener import GroupPass, denoise_groups, denoise_structured, patch_corners, patches_at

Method: TypeAlias = Literal["auto", "nonlocal", "structured", "ksvd"]

METHODS = ("auto", "nonlocal", "structured", "ksvd")
_GROUP_PASSES = (GroupPass(6, 4, 40), GroupPass(7, 4, 30, 16))
_STRONG_PASSES = (GroupPass(8, 4, 40), GroupPass(8, 4, 30, 16))  # larger patches, where noise hides more
_STRONG = 35.0  # sigma, where white is 255
_STEPS = {"nonlocal": 4, "structured": 2, "ksvd": 2}


def denoise(
    image: ArrayLike | Image | str | os.PathLike[str],
    sigma: float | None = None,
    *,
    method: Method = "auto",
    gain: float | None = None,
    intensity_range: tuple[float, float] | None = None,
    prior: GaussianMixturePrior | None = None,
    n_threads: int | None = None,
    random_state: int | np.random.Generator | None = 0,
    progress: Progress | None = None,
) -> NDArray[np.floating[Any]]:
    """Remove noise from an image.

    Parameters
    ----------
    image : array of shape (height, width) or (height, width, n_channels), Image or path
        At least 8×8 pixels.
    sigma : float, optional
        Standard deviation of the noise, in the units of the pixels: 25 for a uint8 image is 25/255 for the same
        image between 0 and 1. Estimated when not given. With a `gain`, that of the part that does not depend on
        the brightness, by default 0.
    method : {"auto", "nonlocal", "structured", "ksvd"}
        - "structured": Wiener filters of a Gaussian mixture that adapts to the image.
        - "nonlocal", which "auto" chooses: then groups of similar patches, each with a Gaussian of its own
          (non-local Bayes, Lebrun, Buades, Morel 2013), in two passes.
        - "ksvd": sparse codes over a dictionary learned from the noisy image (Elad, Aharon 2006).
    gain : float, optional
        For photon noise: the variance of a pixel is ``gain * (value - black) + sigma²``. The image is transformed
        so that its noise becomes white, and back.
    intensity_range : tuple of (float, float), optional
        Black and white, see `inpaint`.
    prior : GaussianMixturePrior, optional
        By default the one that comes with the package.
    n_threads : int, optional
        By default all cores. The result does not depend on it.
    random_state : int, Generator or None
        Fixes the choice of training patches of "ksvd".
    progress : callable, optional
        Called as ``progress(done, total, text)``.

    Returns
    -------
    float array of the image's shape
        In the image's own range; float32 if the image is, else float64.

    Raises
    ------
    ImageError
        The image is smaller than a patch or has NaN.
    ParameterError
        `sigma` or `gain` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsight
    >>> truth = np.tile(np.linspace(0, 1, 64), (64, 1))
    >>> noisy = truth + 0.1 * np.random.default_rng(0).standard_normal(truth.shape)
    >>> bool(np.abs(sparsight.denoise(noisy, 0.1) - truth).mean() < 0.03)
    True
    """
    check_choice("method", method, METHODS)
    method = "nonlocal" if method == "auto" else method
    if sigma is not None:
        sigma = check_number("sigma", sigma, minimum=0.0, inclusive=gain is not None)
    threads = check_threads(n_threads)
    source = as_image(image, intensity_range=intensity_range)
    if min(source.pixels.shape[:2]) < PATCH:
        raise ImageError(
            f"{source.name} is smaller than a patch of {PATCH}×{PATCH} pixels and cannot be denoised."
        )
    stabiliser = None
    if gain is not None:
        gain = check_number("gain", gain, minimum=0.0, inclusive=False)
        stabiliser = VarianceStabiliser(gain, sigma or 0.0, source.intensity_range[0])
        low, high = stabiliser.forward(np.array(source.intensity_range))
        source = Image(stabiliser.forward(source.pixels), (float(low), float(high)), name=source.name)
        sigma = 1.0
    planes = to_planes(source)
    levels = [noise_level(plane) if sigma is None else sigma * planes.scale for plane in planes.planes]
    slices = tile_slices((planes.planes.shape[1], planes.planes.shape[2]))
    step = StepCounter(len(levels) * len(slices) * _STEPS[method], progress, "denoising")
    settings = _Settings(method, prior or default_prior(), threads, np.random.default_rng(random_state), step)
    restored = planes.planes.copy()
    for plane, level, out in zip(planes.planes, levels, restored, strict=True):
        if level > 0:
            out[:] = blend_tiles((1, *plane.shape), slices, partial(_denoise_tile, plane, level, settings))[0]
    pixels = planes.to_pixels(restored)
    if stabiliser is not None:
        pixels = stabiliser.inverse(pixels)
    given = image.pixels if isinstance(image, Image) else image
    single = getattr(given, "dtype", None) == np.float32
    result: NDArray[np.floating[Any]] = pixels.astype(np.float32 if single else np.float64)
    return result.reshape(given.shape) if isinstance(given, np.ndarray) else result


@dataclass(frozen=True)
class _Settings:
    """What stays the same for all planes and tiles."""

    method: str
    prior: GaussianMixturePrior
    n_threads: int
    rng: np.random.Generator
    step: Callable[[], None]


def _denoise_tile(whole: Array, sigma: float, settings: _Settings, where: tuple[slice, slice]) -> Array:
    plane = np.ascontiguousarray(whole[where])
    if settings.method == "ksvd":
        return _denoise_ksvd(plane, sigma, settings)[None]
    nonlocal_ = settings.method == "nonlocal"
    current = denoise_structured(
        plane,
        sigma,
        settings.prior,
        rounds=2,
        step=2 if nonlocal_ else 1,
        n_threads=settings.n_threads,
        after_pass=settings.step,
    )
    passes = _STRONG_PASSES if sigma > _STRONG else _GROUP_PASSES
    for group_pass in passes if nonlocal_ else ():
        current = denoise_groups(plane, current, sigma, group_pass, n_threads=settings.n_threads)
        settings.step()
    return current[None]


def _denoise_ksvd(plane: Array, sigma: float, settings: _Settings) -> Array:
    """Elad and Aharon: error-constrained codes over a learned dictionary, overlapping patches averaged."""
    corners = patch_corners(plane.shape, 1)
    dictionary = cosine_dictionary(PATCH, 256).astype(np.float32)
    chosen = np.sort(settings.rng.choice(corners, min(len(corners), 20_000), replace=False))
    training = patches_at(plane, chosen)
    training = training - training.mean(axis=1, keepdims=True)
    tolerance = SIZE * (1.15 * sigma) ** 2
    textured = training[(training**2).sum(axis=1) > tolerance]
    if len(textured) >= len(dictionary):
        learner = KSVD(
            len(dictionary),
            transform_n_nonzero_coefs=3,
            max_iter=8,
            dictionary_init=dictionary,
            n_threads=settings.n_threads,
            random_state=0,
        )
        dictionary = learner.fit(textured).components_.astype(np.float32)
    settings.step()
    patches = patches_at(plane, corners)
    means = patches.mean(axis=1, keepdims=True)
    coding = orthogonal_matching_pursuit(
        patches - means,
        dictionary,
        n_nonzero_coefs=SIZE // 2,
        tolerance=tolerance,
        output="sparse",
        n_threads=settings.n_threads,
    )
    codes: Any = coding.codes
    estimates = np.ascontiguousarray(codes @ dictionary + means, np.float32)
    settings.step()
    return average(estimates, np.ones_like(estimates), corners, plane)
