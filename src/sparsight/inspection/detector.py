"""The detector: learn from good images, find and measure what is not normal."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

import sparsight
from sparsight._checks import check_choice, check_integer, check_number
from sparsight.errors import ModelError, ParameterError
from sparsight.images import Image, as_image
from sparsight.inspection.any_scale import AnyScaleScorer
from sparsight.inspection.calibration import Calibration, calibrate_on_folds, n_folds
from sparsight.inspection.defects import Inspection, find_defects
from sparsight.inspection.explanations import Explaining, Explanation, strongest_place
from sparsight.inspection.intake import ImageLike, load_training_images, observe
from sparsight.inspection.likelihood import LikelihoodScorer
from sparsight.inspection.magnification import magnification_doubt, relative_magnification
from sparsight.inspection.paper_methods import PAPER_METHODS
from sparsight.inspection.reconstruction import ReconstructionScorer
from sparsight.inspection.scorers import Observed, Progress, Scorer
from sparsight.models import load_model, save_model

MODEL_KIND = "anomaly-detector"
METHODS: dict[str, Callable[..., Scorer]] = {
    "universal": LikelihoodScorer,
    "reconstruction": ReconstructionScorer,
    **PAPER_METHODS,
}
_PASSED_ON = ("patch_size", "stride", "n_components", "n_nonzero_coefs", "scales", "match_noise", "unit_norm")


class AnomalyDetector(BaseEstimator):
    """Find anomalies in textures, after learning from a handful of good images.

    Parameters
    ----------
    method : str
        "universal" asks whether brightness, roughness and sparse codes around a pixel are more likely on a
        good image or on any odd thing, at two sizes; scores are standard normal on good images, so that 3 is
        rare and 10 does not happen. "reconstruction" is the HACARUS article's: what a deliberately weak
        dictionary cannot rebuild is anomalous; scores are grey levels. The others are those of ICIP 2016,
        section 4, which judge the summands of each patch's sparse code and put them to a majority vote. For
        images of a magnification that is not known, up to that of the training images: "group-coding" (the
        one proposed there), "group-indicator", "all-in-one" and "outlier-coding". For images of the training
        images' magnification: "single-scale"; and, for comparison, "oracle" and "oracle-outlier", trained at
        the magnification of the images to inspect.
    patch_size, stride : int, optional
        In pixels. By default 8 and 4 for "universal", 16 and 16 for "reconstruction", 32 and 8 for the
        methods of ICIP 2016.
    n_components, n_nonzero_coefs : int, optional
        Atoms, and non-zeros of each code. By default 256 atoms for "universal", 10 and 3 non-zeros for
        "reconstruction". The methods of ICIP 2016 have 100 atoms for each scale. They and "universal" have a
        penalty instead of a number of non-zeros.
    scales : sequence of float, optional
        Factors, relative to the training images, of the magnifications to be ready for: the training images
        are shrunk by each. "universal" is ready for all from the largest to the smallest and judges each
        image at the scale that its pixel size tells, or else each place at the scale that it looks like; by
        default it is ready for 1 only. Of the methods of ICIP 2016, the four for
        several magnifications have 1, 0.75 and 0.5 by default, the three for one have 1.
    match_noise : bool, optional
        With "universal" and `scales`: whether images to inspect were taken at their magnification and so
        have the noise of any image (by default), or were shrunk in software, which removes noise.
    unit_norm : bool, optional
        Whether the methods of ICIP 2016 scale patches to unit norm before coding them (so by default), or
        code them as they are (as that article does).
    false_alarm_rate : float
        Share of the pixels of an unseen good image that may lie above the threshold, on average over images.
        The threshold is computed from the scores of good images that the model was not trained on: each
        image in turn is left out (of more than five, a fifth at a time), or, with only one image, every fourth
        strip of it.
    threshold : float, optional
        Use this threshold, in units of the score, instead of a calibrated one.
    min_area : int, optional
        Smallest defect in pixels. By default an eighth of the area of a patch.
    n_threads : int, optional
        By default all cores. The result does not depend on it.
    random_state : int, RandomState instance or None
        Fixes the choice of training patches and the initial dictionary.

    Attributes
    ----------
    threshold_ : float
        Score above which a pixel is anomalous.
    calibration_ : Calibration
        What the threshold promises, and on how many images it rests.
    intensity_range_ : tuple of float
        What black and white mean in the training images; images to inspect must agree.
    n_channels_ : int
        Channels of the training images.
    pixel_sizes_um_ : list of float or None
        Edge of a pixel of each training image in micrometres, where known.
    provenance_ : dict
        When, with which version and from which images the model was trained.

    References
    ----------
    HACARUS: Advanced applications of sparse modeling for image processing.
    D. Carrera, G. Boracchi, A. Foi, B. Wohlberg: Scale-invariant anomaly detection with multiscale
    group-sparse models, ICIP 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight import AnomalyDetector
    >>> rng = np.random.default_rng(0)
    >>> stripes = 100 + 40 * np.sin(np.arange(96) / 3) + rng.normal(0, 3, (96, 96))
    >>> good, bad = stripes.astype(np.uint8), stripes.astype(np.uint8)
    >>> bad[40:52, 40:52] = 220
    >>> detector = AnomalyDetector(random_state=0).fit([good])
    >>> found = detector.inspect(bad)
    >>> found.verdict, len(found.defects)
    ('defective', 1)
    """

    def __init__(
        self,
        *,
        method: str = "universal",
        patch_size: int | None = None,
        stride: int | None = None,
        n_components: int | None = None,
        n_nonzero_coefs: int | None = None,
        scales: Sequence[float] | None = None,
        match_noise: bool | None = None,
        unit_norm: bool | None = None,
        false_alarm_rate: float = 0.001,
        threshold: float | None = None,
        min_area: int | None = None,
        n_threads: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.method = method
        self.patch_size = patch_size
        self.stride = stride
        self.n_components = n_components
        self.n_nonzero_coefs = n_nonzero_coefs
        self.scales = scales
        self.match_noise = match_noise
        self.unit_norm = unit_norm
        self.false_alarm_rate = false_alarm_rate
        self.threshold = threshold
        self.min_area = min_area
        self.n_threads = n_threads
        self.random_state = random_state

    def fit(
        self,
        images: Sequence[ImageLike],
        y: Any = None,
        *,
        masks: Sequence[ArrayLike | None] | None = None,
        progress: Progress | None = None,
    ) -> AnomalyDetector:
        """Learn what is normal, and calibrate the threshold.

        Parameters
        ----------
        images : sequence of arrays, images or paths
            Good images; sizes may differ, channels and intensity range may not.
        y : ignored
        masks : sequence of bool arrays or None, optional
            For each image, True where pixels are to be ignored.
        progress : callable, optional
            Called as ``progress(done, total, text)``.

        Raises
        ------
        ImageError
            If an image cannot be used: unreadable, constant, smaller than a patch, of another kind.
        ParameterError
            If a parameter is out of range, or the images hold fewer patches than atoms.
        """
        del y
        started = time.perf_counter()
        scorer = self._new_scorer()
        loaded = load_training_images(images)
        self.intensity_range_ = loaded[0].intensity_range
        self.n_channels_ = loaded[0].n_channels
        self.pixel_sizes_um_ = [image.pixel_size_um for image in loaded]
        if masks is not None and len(masks) != len(loaded):
            raise ParameterError(
                f"{len(masks)} masks were given for {len(loaded)} images; give one for each."
            )
        observed = [
            self._observed(image, None if masks is None else masks[i]) for i, image in enumerate(loaded)
        ]
        random_state = check_random_state(self.random_state)
        report = progress or _silent
        n_steps = 1 if self.threshold is not None else 1 + n_folds(observed)
        report(0, n_steps, "learning from all images")
        self.scorer_ = scorer.fit(observed, random_state)
        if self.threshold is None:
            self.threshold_, self.calibration_ = calibrate_on_folds(
                self.scorer_, observed, self.false_alarm_rate, random_state, report
            )
        else:
            self.threshold_ = float(self.threshold)
            self.calibration_ = Calibration(None, 0, 0, "given")
        report(n_steps, n_steps, "done")
        self.provenance_ = _provenance(loaded, time.perf_counter() - started) | {
            "notes": self.scorer_.notes()
        }
        return self

    def score_map(self, image: ImageLike, mask: ArrayLike | None = None) -> NDArray[np.float32]:
        """Raw score of every pixel, shape (height, width); larger is more anomalous, NaN where masked."""
        check_is_fitted(self)
        return self.scorer_.score(self._observed(as_image(image), mask))

    def inspect(
        self, image: ImageLike, mask: ArrayLike | None = None, *, threshold: float | None = None
    ) -> Inspection:
        """Find and measure the defects of an image.

        Parameters
        ----------
        image : array, Image or path
        mask : bool array of shape (height, width), optional
            True where pixels are to be ignored.
        threshold : float, optional
            Use this threshold instead of the calibrated one.

        Raises
        ------
        ImageError
            If the image cannot be used, or does not fit the images that the model was trained on.
        """
        check_is_fitted(self)
        started = time.perf_counter()
        image = as_image(image)
        scores = self.scorer_.score(self._observed(image, mask))
        threshold = self.threshold_ if threshold is None else float(threshold)
        found, defects = find_defects(
            scores,
            threshold,
            min_area=self._min_area(),
            gap=self.scorer_.resolution // 2,
            blur=self.scorer_.blur,
            pixel_size_um=image.pixel_size_um,
        )
        return Inspection(
            image,
            scores,
            threshold,
            found,
            defects,
            time.perf_counter() - started,
            magnification=self._magnification(image),
            doubt=magnification_doubt(self._magnification(image), getattr(self.scorer_, "scales", (1.0,))),
        )

    def explain(self, inspection: Inspection, mask: ArrayLike | None = None) -> list[Explanation]:
        """Say of each defect what speaks for it, at the place where its score is largest.

        Parameters
        ----------
        inspection : Inspection
            By this detector.
        mask : bool array of shape (height, width), optional
            The one given to `inspect`.

        Returns
        -------
        list of Explanation
            One for each of ``inspection.defects``.

        Raises
        ------
        ParameterError
            If the method has no explanation.
        """
        check_is_fitted(self)
        if not isinstance(self.scorer_, Explaining):
            raise ParameterError(f'The method "{self.method}" does not explain its scores.')
        observed = self._observed(inspection.image, mask)
        places = [
            strongest_place(inspection.score_map, inspection.mask, defect.bounding_box)
            for defect in inspection.defects
        ]
        return [self.scorer_.explain(observed, place) for place in places]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, atomically.

        Raises
        ------
        SparsightError
            If the file cannot be written.
        """
        check_is_fitted(self)
        parameters = self.get_params()
        if not (parameters["random_state"] is None or isinstance(parameters["random_state"], int)):
            parameters["random_state"] = None
        if parameters["scales"] is not None:
            parameters["scales"] = list(parameters["scales"])
        settings = {
            "parameters": parameters,
            "threshold": self.threshold_,
            "calibration": self.calibration_.to_dict(),
            "intensity_range": list(self.intensity_range_),
            "n_channels": self.n_channels_,
            "pixel_sizes_um": self.pixel_sizes_um_,
            "provenance": self.provenance_,
        }
        save_model(path, MODEL_KIND, settings, self.scorer_.arrays())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AnomalyDetector:
        """Read a model that `save` wrote.

        Raises
        ------
        ModelError
            If the file is no such model.
        """
        stored = load_model(path, MODEL_KIND)
        settings = stored.settings
        try:
            detector = cls(**settings["parameters"])
            detector.scorer_ = detector._new_scorer().restore(stored.arrays)
            detector.threshold_ = float(settings["threshold"])
            detector.calibration_ = Calibration(**settings["calibration"])
            low, high = settings["intensity_range"]
            detector.intensity_range_ = (float(low), float(high))
            detector.n_channels_ = int(settings["n_channels"])
            detector.pixel_sizes_um_ = list(settings["pixel_sizes_um"])
            detector.provenance_ = dict(settings["provenance"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path} lacks parts of an anomaly detector; train it again.") from error
        return detector

    def _observed(self, image: Image, mask: ArrayLike | None) -> Observed:
        observed = observe(
            image,
            mask,
            n_channels=self.n_channels_,
            intensity_range=self.intensity_range_,
            patch_size=self._new_scorer().patch_size,
        )
        return replace(observed, magnification=self._magnification(image))

    def _magnification(self, image: Image) -> float | None:
        return relative_magnification(self.pixel_sizes_um_, image.pixel_size_um)

    def _new_scorer(self) -> Scorer:
        check_choice("method", self.method, tuple(METHODS))
        check_number("false_alarm_rate", self.false_alarm_rate, minimum=0, inclusive=False)
        if self.false_alarm_rate >= 1:
            raise ParameterError(f"false_alarm_rate must be below 1, got {self.false_alarm_rate}.")
        if self.min_area is not None:
            check_integer("min_area", self.min_area, minimum=1)
        chosen = {name: getattr(self, name) for name in _PASSED_ON if getattr(self, name) is not None}
        make = METHODS[self.method]
        if self.method == "universal" and self.scales is not None:
            make = AnyScaleScorer
        known = inspect.signature(make).parameters
        for name, value in chosen.items():
            if name not in known:
                raise ParameterError(f'The method "{self.method}" has no parameter {name}; leave it out.')
            if name not in ("scales", "match_noise", "unit_norm"):
                check_integer(name, value, minimum=2 if name == "patch_size" else 1)
        if "patch_size" in chosen and "stride" not in chosen:
            default = make()
            chosen["stride"] = max(1, chosen["patch_size"] * default.stride // default.patch_size)
        return make(n_threads=self.n_threads, **chosen)

    def _min_area(self) -> int:
        if self.min_area is not None:
            return self.min_area
        return max(1, self.scorer_.patch_size**2 // 8)


def _silent(done: int, total: int, text: str) -> None:
    del done, total, text


def _provenance(images: list[Image], seconds: float) -> dict[str, Any]:
    return {
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "sparsight_version": sparsight.__version__,
        "seconds": round(seconds, 3),
        "images": [{"name": image.name, "shape": list(image.pixels.shape)} for image in images],
        "pixel_sizes_um": sorted({i.pixel_size_um for i in images if i.pixel_size_um is not None}),
    }
