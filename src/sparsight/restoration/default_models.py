"""Upscaling at once, with the models that come with Sparsight."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from itertools import combinations_with_replacement
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparsight._checks import check_integer
from sparsight.errors import ModelError
from sparsight.images import Image, as_image
from sparsight.restoration.factors import MAX_FACTOR, SCALES, check_factor, check_scale
from sparsight.restoration.progress import Progress, part_of
from sparsight.restoration.resize import imresize

if TYPE_CHECKING:
    from sparsight.restoration.super_resolution import SuperResolver
    from sparsight.restoration.training_pairs import ImageLike

# Each is stated to be in the public domain or CC0 where scikit-image documents it, and comes in its wheel.
PUBLIC_DOMAIN_IMAGES = (
    "astronaut",
    "brick",
    "camera",
    "cell",
    "chelsea",
    "clock",
    "coffee",
    "grass",
    "gravel",
    "hubble_deep_field",
    "retina",
    "rocket",
    "text",
)
TRAINING_FACTORS = (1.0, 0.5)
N_ANCHORS = {2: 1024, 3: 1024, 4: 768}  # all three files together shall stay below 20 MB


def upscale(
    image: ImageLike,
    factor: float = 2,
    *,
    quality: str = "balanced",
    back_projection: int = 0,
    tile: int | None = 512,
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> NDArray[Any]:
    """Upscale an image with the models that come with Sparsight.

    They were learned from photographs and micrographs in the public domain, for images that were reduced as
    :func:`imresize` does. For images of another kind, or blurred or noisy ones, train a `SuperResolver`.

    Parameters
    ----------
    image : array of shape (H, W) or (H, W, C), Image or path
        Of a colour image the luminance is upscaled and the chroma interpolated.
    factor : float
        Above 1 and up to 16. There are models for 2, 3 and 4; others are reached by applying those whose
        product is the next larger one, and reducing the result.
    quality, back_projection, tile, progress
        As for `SuperResolver.upscale`.
    n_threads : int, optional
        By default all cores.

    Returns
    -------
    array of shape (round(factor * H), round(factor * W)) or (..., C)
        Of the image's dtype and range.

    Raises
    ------
    ImageError
        If the image is smaller than 3×3 pixels.
    ParameterError
        If the factor is 1 or less, or above 16.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsight
    >>> sparsight.upscale(np.eye(8, dtype=np.uint8) * 255, 2.5).shape
    (20, 20)
    """
    if n_threads is not None:
        check_integer("n_threads", n_threads, minimum=1)
    given = as_image(image)
    shape = tuple(int(np.floor(n * check_factor(factor) + 0.5)) for n in given.pixels.shape[:2])
    scales = scales_for(factor)
    for index, scale in enumerate(scales):
        resolver = default_resolver(scale)
        resolver.n_threads = n_threads
        pixels = resolver.upscale(
            given,
            quality=quality,
            back_projection=back_projection,
            tile=tile,
            progress=part_of(progress, index, len(scales)),
        )
        given = Image(pixels, given.intensity_range, path=given.path, name=given.name)
    if given.pixels.shape[:2] == shape:
        return np.array(given.pixels)
    return imresize(given.pixels, shape=(shape[0], shape[1]))


def scales_for(factor: float) -> tuple[int, ...]:
    """Scales whose product is the least that reaches a factor, in as few steps as possible, large first.

    Examples
    --------
    >>> scales_for(2.5), scales_for(4), scales_for(6), scales_for(10)
    ((3,), (4,), (3, 2), (4, 3))
    """
    n_most = int(np.ceil(np.log2(MAX_FACTOR)))
    candidates = [c for n in range(1, n_most + 1) for c in combinations_with_replacement(SCALES[::-1], n)]
    reaching = [c for c in candidates if prod(c) >= factor - 1e-9]
    return min(reaching, key=lambda scales: (prod(scales), len(scales)))


@lru_cache(maxsize=len(SCALES))
def default_resolver(scale: int) -> SuperResolver:
    """Return the model for a scale that comes with Sparsight."""
    from sparsight.restoration.super_resolution import SuperResolver

    name = f"upscaler_x{check_scale(scale)}.sparsight"
    with resources.as_file(resources.files("sparsight.restoration") / "data" / name) as path:
        if not path.exists():
            raise ModelError(f"This installation of Sparsight lacks {name}; install Sparsight again.")
        return SuperResolver.load(path, scale=scale)


def train_default_resolver(
    scale: int,
    *,
    names: Sequence[str] = PUBLIC_DOMAIN_IMAGES,
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> SuperResolver:
    """Learn a model for a scale from the images in the public domain that come with scikit-image."""
    from skimage import data

    from sparsight.restoration.super_resolution import SuperResolver

    images = [
        Image(imresize(getattr(data, name)(), factor), (0, 255), name=name)
        for name in names
        for factor in TRAINING_FACTORS
    ]
    return SuperResolver(scale, n_anchors=N_ANCHORS[scale], n_threads=n_threads).fit(
        images, progress=progress
    )
