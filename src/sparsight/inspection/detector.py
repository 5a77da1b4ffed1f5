"""The detector: learn from good images, find and measure what is not normal."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sparsight._checks import check_integer
from sparsight.errors import ModelError
from sparsight.images import Image
from sparsight.inspection.calibration import (
    Calibration,
    calibrate,
    check_rates,
    n_folds,
    scores_left_out,
)
from sparsight.inspection.intake import ImageLike, checked_masks, load_training_images
from sparsight.inspection.methods import new_scorer
from sparsight.inspection.provenance import doubt_about, names_of, provenance
from sparsight.inspection.scorers import Observed, Progress, Scorer, silent
from sparsight.inspection.stored import restore_settings, settings_of
from sparsight.inspection.teaching import teach
from sparsight.inspection.trained import TrainedDetector
from sparsight.models import load_model, save_model

MODEL_KIND = "anomaly-detector"
_PASSED_ON = (
    "patch_size",
    "stride",
    "n_components",
    "n_nonzero_coefs",
    "scales",
    "match_noise",
    "unit_norm",
    "empty_is_normal",
    "defects",
)


class AnomalyDetector(TrainedDetector, BaseEstimator):
    """Find anomalies in textures, after learning from a handful of good images.

    Parameters
    ----------
    method : str
        "universal" asks whether brightness, roughness and sparse codes around a pixel are more likely on a
        good image or on any odd thing, at two sizes or three; scores are seldom above 1 on good images, so that 3 is
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
        image at the scale that its pixel size tells, or else at the scale that it looks like; by default it
        is ready for 1 only. Of the methods of ICIP 2016, the four for
        several magnifications have 1, 0.75 and 0.5 by default, the three for one have 1.
    match_noise : bool, optional
        With "universal" and `scales`: whether images to inspect were taken at their magnification and so
        have the noise and the blur of any image (by default), or were shrunk in software, which removes both.
    unit_norm : bool, optional
        Whether the methods of ICIP 2016 scale patches to unit norm before coding them (so by default), or
        code them as they are (as that article does).
    empty_is_normal : bool, optional
        Whether the methods of ICIP 2016 take patches of empty ground for normal where good images have such (so by
        default), or judge the noise in them like any other patch (as that article does).
    defects : str or sequence of {"bright", "dark", "rough", "smooth"}, optional
        What is known of the defects, for "universal": it then looks for these first, and for all else less.
        See `fit` for how to show it some instead.
    false_alarm_rate : float
        Share of the pixels of an unseen good image that may lie above the threshold, on average over images.
        The threshold is computed from good images that the model was not trained on: each in turn is left
        out (of more than five, a fifth at a time), or, with only one, every strip of it.
    image_false_alarm_rate : float, optional
        Probability that a defect is found in an unseen good image: raises the threshold until it is kept. A
        rate of α takes at least 1 / α − 1 good images. By default, none is promised.
    threshold : float, optional
        Use this threshold, in units of the score, instead of a calibrated one. With `scales`, scores of different
        magnifications are then not made alike, which takes images left out.
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
        empty_is_normal: bool | None = None,
        defects: str | Sequence[str] | None = None,
        false_alarm_rate: float = 0.001,
        image_false_alarm_rate: float | None = None,
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
        self.empty_is_normal = empty_is_normal
        self.defects = defects
        self.false_alarm_rate = false_alarm_rate
        self.image_false_alarm_rate = image_false_alarm_rate
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
        defects: Sequence[ImageLike] | None = None,
        defect_masks: Sequence[ArrayLike] | None = None,
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
        defects : sequence of arrays, images or paths, optional
            Two or more images with defects, for "universal" to learn what to look for first.
        defect_masks : sequence of bool arrays, optional
            For each of these, True where its defects are.
        progress : callable, optional
            Called as ``progress(done, total, text)``.

        Raises
        ------
        ImageError
            If an image cannot be used: unreadable, constant, smaller than a patch, of another kind.
        ParameterError
            If a parameter is out of range, the images hold fewer patches than atoms, or the marked defects do
            not help to find those of marked images that were left out.
        """
        del y
        started = time.perf_counter()
        scorer = self._new_scorer()
        loaded = load_training_images(images)
        self.intensity_range_ = loaded[0].intensity_range
        self.n_channels_ = loaded[0].n_channels
        self.pixel_sizes_um_ = [image.pixel_size_um for image in loaded]
        observed = self._all_observed(loaded, masks, scorer.patch_size)
        random_state = check_random_state(self.random_state)
        report = progress or silent
        n_steps = 1 if self.threshold is not None else 1 + n_folds(observed)
        report(0, n_steps, "learning from all images")
        self.scorer_ = scorer.fit(observed, random_state)
        taught: dict[str, Any] = {}
        if defects is not None:
            marked = self._all_observed(load_training_images(defects), None)
            taught = teach(self.scorer_, observed, marked, defect_masks, random_state)
        if self.threshold is None:
            scores, how, warning = scores_left_out(self.scorer_, observed, random_state, report)
            promise = self._promise(self.false_alarm_rate, self.image_false_alarm_rate)
            self.threshold_, self.calibration_ = calibrate(scores, names_of(loaded), how, warning, promise)
        else:
            self.threshold_ = float(self.threshold)
            self.calibration_ = Calibration(None, 0, 0, "given")
        report(n_steps, n_steps, "done")
        notes = self.scorer_.notes() | taught
        self.provenance_ = provenance(loaded, time.perf_counter() - started) | {"notes": notes}
        return self

    def calibrate(
        self,
        images: Sequence[ImageLike],
        *,
        masks: Sequence[ArrayLike | None] | None = None,
        false_alarm_rate: float | None = None,
        image_false_alarm_rate: float | None = None,
        progress: Progress | None = None,
    ) -> AnomalyDetector:
        """Compute the threshold anew, from good images that were not trained on; scores stay as they are.

        Parameters
        ----------
        images : sequence of arrays, images or paths
            Good images, other than those of `fit`.
        masks : sequence of bool arrays or None, optional
            For each image, True where pixels are to be ignored.
        false_alarm_rate, image_false_alarm_rate : float, optional
            Rates to promise; by default those of the detector.
        progress : callable, optional
            Called as ``progress(done, total, text)``.

        Raises
        ------
        ImageError
            If an image cannot be used, or does not fit the images that the model was trained on.
        ParameterError
            If a rate is not between 0 and 1.
        """
        check_is_fitted(self)
        promise = self._promise(
            self.false_alarm_rate if false_alarm_rate is None else false_alarm_rate,
            self.image_false_alarm_rate if image_false_alarm_rate is None else image_false_alarm_rate,
        )
        loaded = load_training_images(images)
        observed = self._all_observed(loaded, masks)
        report = progress or silent
        scores = []
        for done, image in enumerate(observed):
            report(done, len(observed), f"scoring {loaded[done].name or 'images'}")
            scores.append(self.scorer_.score(image))
        self.threshold_, self.calibration_ = calibrate(
            scores, names_of(loaded), "held-out images", doubt_about(loaded, self.provenance_), promise
        )
        report(len(observed), len(observed), "done")
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, atomically.

        Raises
        ------
        SparsightError
            If the file cannot be written.
        """
        check_is_fitted(self)
        save_model(path, MODEL_KIND, settings_of(self), self.scorer_.arrays())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AnomalyDetector:
        """Read a model that `save` wrote.

        Raises
        ------
        ModelError
            If the file is no such model.
        """
        stored = load_model(path, MODEL_KIND)
        try:
            detector = cls(**stored.settings["parameters"])
            detector.scorer_ = detector._new_scorer().restore(stored.arrays)
            restore_settings(detector, stored.settings)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path} lacks parts of an anomaly detector; train it again.") from error
        return detector

    def _all_observed(
        self,
        images: list[Image],
        masks: Sequence[ArrayLike | None] | None,
        patch_size: int | None = None,
    ) -> list[Observed]:
        pairs = zip(images, checked_masks(masks, len(images)), strict=True)
        return [self._observed(image, mask, patch_size) for image, mask in pairs]

    def _new_scorer(self) -> Scorer:
        check_rates(self.false_alarm_rate, self.image_false_alarm_rate)
        if self.min_area is not None:
            check_integer("min_area", self.min_area, minimum=1)
        return new_scorer(self.method, {name: getattr(self, name) for name in _PASSED_ON}, self.n_threads)
