"""What a detector does with images once it has learned."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from sparsight.images import Image, as_image
from sparsight.inspection.calibration import Calibration, Promise, check_rates
from sparsight.inspection.defects import Defect, Inspection, find_defects
from sparsight.inspection.doubts import share_doubt
from sparsight.inspection.explanations import Explanation
from sparsight.inspection.intake import ImageLike, check_fits
from sparsight.inspection.magnification import magnification_doubt, relative_magnification
from sparsight.inspection.scorers import Observed, Scorer
from sparsight.inspection.survey import Survey
from sparsight.inspection.tiles import score_in_tiles


class TrainedDetector:
    """Score, inspect and explain images with what `AnomalyDetector.fit` learned."""

    min_area: int | None
    scorer_: Scorer
    threshold_: float
    calibration_: Calibration
    intensity_range_: tuple[float, float]
    n_channels_: int
    pixel_sizes_um_: list[float | None]

    def score_map(
        self, image: ImageLike, mask: ArrayLike | None = None, *, survey: Survey | None = None
    ) -> NDArray[np.float32]:
        """Raw score of every pixel, shape (height, width); larger is more anomalous, NaN where masked.

        Of a part of an image, give the `survey` of the whole.
        """
        check_is_fitted(self)
        image = as_image(image)
        whole = self._unconverted(image, mask)
        if survey is not None:
            whole = replace(whole, magnification=survey.magnification, typical_score=survey.typical_score)
        return score_in_tiles(self.scorer_, whole)

    def survey(self, image: ImageLike, mask: ArrayLike | None = None) -> Survey:
        """Find out what the scores of parts of an image depend on the whole of it for; see `margin_`."""
        check_is_fitted(self)
        surveyed = self.scorer_.surveyed(self._unconverted(as_image(image), mask))
        return Survey(surveyed.magnification, surveyed.typical_score)

    @property
    def margin_(self) -> int:
        """How far, in pixels, the score of a pixel can see.

        A part of an image that begins at multiples of it has, this far from where it was cut off, the scores of the
        whole image, bit for bit, when it is scored with the `survey` of that.
        """
        check_is_fitted(self)
        return self.scorer_.margin

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
        scores = self.score_map(image, mask)
        magnification = self._magnification(image)
        threshold = self.threshold_ if threshold is None else float(threshold)
        found, defects = self._found(scores, threshold, image.pixel_size_um)
        inspection = Inspection(
            image,
            scores,
            threshold,
            found,
            defects,
            time.perf_counter() - started,
            magnification=magnification,
        )
        doubts = (
            magnification_doubt(magnification, getattr(self.scorer_, "scales", (1.0,))),
            share_doubt(inspection.area_fraction),
        )
        return replace(inspection, doubt=" ".join(filter(None, doubts)) or None)

    def explain(
        self, inspection: Inspection, mask: ArrayLike | None = None, *, at_most: int | None = None
    ) -> list[Explanation]:
        """Say of each defect what speaks for it, at the place where its score is largest.

        Parameters
        ----------
        inspection : Inspection
            By this detector.
        mask : bool array of shape (height, width), optional
            The one given to `inspect`.
        at_most : int, optional
            Explain only so many, the strongest.

        Returns
        -------
        list of Explanation
            One for each of ``inspection.defects``, or of the first `at_most` of these.
        """
        check_is_fitted(self)
        defects = inspection.defects[:at_most]
        if not defects:
            return []
        image = inspection.image
        observed = self._unconverted(image, mask)
        return [self.scorer_.explain(observed, defect.peak) for defect in defects]

    def _checked(
        self, image: Image, mask: ArrayLike | None, patch_size: int | None = None
    ) -> NDArray[np.bool_] | None:
        return check_fits(
            image,
            mask,
            n_channels=self.n_channels_,
            intensity_range=self.intensity_range_,
            patch_size=patch_size or self.scorer_.patch_size,
        )

    def _observed(self, image: Image, mask: ArrayLike | None, patch_size: int | None = None) -> Observed:
        return self._unconverted(image, mask, patch_size).part(slice(None), slice(None))

    def _unconverted(self, image: Image, mask: ArrayLike | None, patch_size: int | None = None) -> Observed:
        """The image with pixels of its own type, which take less memory than those to be scored."""
        hidden = self._checked(image, mask, patch_size)
        return Observed(image.pixels, hidden, self._magnification(image))

    def _magnification(self, image: Image) -> float | None:
        return relative_magnification(self.pixel_sizes_um_, image.pixel_size_um)

    def _promise(self, false_alarm_rate: float, image_false_alarm_rate: float | None) -> Promise:
        check_rates(false_alarm_rate, image_false_alarm_rate)
        return Promise(
            false_alarm_rate,
            image_false_alarm_rate,
            lambda scores, threshold: bool(self._found(scores, threshold)[1]),
            self.scorer_.resolution,
        )

    def _found(
        self, scores: NDArray[np.floating], threshold: float, pixel_size_um: float | None = None
    ) -> tuple[NDArray[np.bool_], list[Defect]]:
        return find_defects(
            scores,
            threshold,
            min_area=self.min_area or max(1, self.scorer_.patch_size**2 // 8),
            gap=self.scorer_.resolution // 2,
            blur=self.scorer_.blur,
            pixel_size_um=pixel_size_um,
        )
