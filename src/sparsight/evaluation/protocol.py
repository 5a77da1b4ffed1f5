"""Evaluate a trained detector on images whose anomalies are known."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sparsight.errors import ImageError
from sparsight.images import Image, as_image, read_mask

from .ranking import RankedPixels
from .roc import RocCurve, mean_rates

__all__ = ["Evaluation", "ImageEvaluation", "evaluate"]

MAX_FPR = 0.3
"""Where the per-region-overlap curve is cut, as is customary since MVTec AD."""


class ScoringDetector(Protocol):
    """What is evaluated: anything that scores an image and knows its own threshold."""

    threshold_: float

    def score_map(self, image: Any, mask: Any = None) -> Any:
        """Score each pixel, (H, W), larger is more anomalous, NaN where the mask is True."""


@dataclass(frozen=True)
class ImageEvaluation:
    """Figures of one image; NaN where undefined (no anomalous pixels, or only such)."""

    name: str
    pixel_auroc: float
    tpr: float
    fpr: float
    anomalous_fraction: float
    n_regions: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of a set of images, as :func:`evaluate` returns them.

    Attributes
    ----------
    pixel_auroc
        Area under the ROC curve, mean over the images that have anomalous and normal pixels.
    pixel_auroc_pooled, pixel_ap
        Area under the ROC curve, and average precision, of all pixels together.
    aupro
        Area under the per-region-overlap curve up to 30 % false positive rate, normalised to 1.
    tpr, fpr
        At ``threshold``, mean over images.
    n_images, n_images_without_both
        All images; those without anomalous or without normal pixels, which have no AUROC.
    seconds
        Time spent on scoring, all images together.
    per_image
        The same for each image, in the order given.
    roc
        ROC curve averaged over images at common thresholds.
    """

    pixel_auroc: float
    pixel_auroc_pooled: float
    pixel_ap: float
    aupro: float
    tpr: float
    fpr: float
    threshold: float
    n_images: int
    n_images_without_both: int
    seconds: float
    per_image: list[ImageEvaluation]
    roc: RocCurve = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain figures for JSON, without the curve; an undefined figure is None."""
        figures = {name: value for name, value in vars(self).items() if name != "roc"}
        figures["per_image"] = [_without_nan(asdict(image)) for image in self.per_image]
        return _without_nan(figures)


def evaluate(
    detector: ScoringDetector,
    images: Sequence[Any],
    masks: Sequence[Any],
    *,
    ignore: Sequence[Any] | None = None,
    threshold: float | None = None,
    names: Sequence[str] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Evaluation:
    """Score images one after another and compare with their known anomalies.

    Images and masks are read one pair at a time; of each only its sorted scores are kept (8 bytes a
    pixel).

    Parameters
    ----------
    detector
        A fitted detector; only its ``score_map`` and ``threshold_`` are used, and neither is
        changed: nothing is tuned on the images evaluated.
    images
        Arrays, :class:`~sparsight.images.Image` or paths.
    masks
        For each image an (H, W) array or the path of a mask, True (bright) where anomalous; or None
        for an image without anomalies.
    ignore
        For each image None, or an (H, W) array or the path of a mask that is True where pixels were
        not observed, such as the caption of a micrograph: they count for nothing.
    threshold
        At which ``tpr`` and ``fpr`` are taken; the detector's own by default.
    names
        What to call the images in ``per_image``; by default their file names.
    progress
        Called as ``progress(done, total, text)``.

    Raises
    ------
    ImageError
        If an image or mask cannot be read, they differ in size, or there are no images, or not as
        many masks.
    """
    if len(images) != len(masks) or not len(images):
        msg = f"expected one mask for each image, got {len(images)} images and {len(masks)} masks"
        raise ImageError(msg)
    at = float(detector.threshold_) if threshold is None else float(threshold)
    ranked: list[RankedPixels] = []
    per_image: list[ImageEvaluation] = []
    for index, (image, mask) in enumerate(zip(images, masks, strict=True)):
        pixels, figures = _evaluate_image(
            detector,
            as_image(image, name=names[index] if names else None),
            mask,
            ignore[index] if ignore is not None else None,
            at,
        )
        ranked.append(pixels)
        per_image.append(figures)
        if progress is not None:
            progress(index + 1, len(images), figures.name)
    pooled = RankedPixels.pool(ranked)
    tpr, fpr = mean_rates(ranked, at)
    areas = [figures.pixel_auroc for figures in per_image if not np.isnan(figures.pixel_auroc)]
    return Evaluation(
        pixel_auroc=float(np.mean(areas)) if areas else float("nan"),
        pixel_auroc_pooled=pooled.auroc(),
        pixel_ap=pooled.average_precision(),
        aupro=pooled.aupro(MAX_FPR),
        tpr=float(tpr),
        fpr=float(fpr),
        threshold=at,
        n_images=len(per_image),
        n_images_without_both=len(per_image) - len(areas),
        seconds=sum(figures.seconds for figures in per_image),
        per_image=per_image,
        roc=RocCurve.averaged(ranked, pooled),
    )


def _evaluate_image(
    detector: ScoringDetector, image: Image, mask: Any, ignore: Any, threshold: float
) -> tuple[RankedPixels, ImageEvaluation]:
    truth = _as_mask(mask, image)
    ignored = None if ignore is None else _as_mask(ignore, image)
    started = time.perf_counter()
    score_map = detector.score_map(image, ignored)
    seconds = time.perf_counter() - started
    pixels = RankedPixels.from_map(score_map, truth)
    tpr, fpr = pixels.rates(threshold)
    return pixels, ImageEvaluation(
        name=image.name,
        pixel_auroc=pixels.auroc(),
        tpr=float(tpr),
        fpr=float(fpr),
        anomalous_fraction=float(truth.mean()),
        n_regions=pixels.n_regions,
        seconds=seconds,
    )


def _as_mask(mask: Any, image: Image) -> NDArray[np.bool_]:
    shape = (image.pixels.shape[0], image.pixels.shape[1])
    if mask is None:
        return np.zeros(shape, dtype=bool)
    if isinstance(mask, str | os.PathLike):
        return read_mask(mask, shape=shape)
    truth = np.asarray(mask, dtype=bool)
    if truth.shape != shape:
        msg = f"a mask of '{image.name}' is {truth.shape}, the image {shape}; give one of the image's size"
        raise ImageError(msg)
    return truth


def _without_nan(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in figures.items()
    }
