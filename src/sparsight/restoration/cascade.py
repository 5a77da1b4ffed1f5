"""Stages of anchored regression, each trained on what the ones before it deliver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsight.models import arrays_under
from sparsight.restoration.anchored import AnchoredRegression
from sparsight.restoration.anchored_training import train_stage
from sparsight.restoration.cells import REACH_CELLS
from sparsight.restoration.degradation import Degradation
from sparsight.restoration.progress import STEPS, Progress, part_of
from sparsight.restoration.training_pairs import training_pairs

N_FOLDS = 4
FIRST_MAX_FEATURES = 40
LATER_MAX_FEATURES = 80
LATER_SHARE = 4


class AnchoredCascade:
    """Anchored regression in stages.

    Parameters
    ----------
    scale : int
    n_stages : int
    n_anchors : int
        Anchors of the first stage. Later stages, which see more of each window, do as well with a quarter.
    """

    def __init__(self, scale: int, *, n_stages: int, n_anchors: int) -> None:
        self.scale = scale
        self.n_stages = n_stages
        self.n_anchors = n_anchors
        self.stages: list[AnchoredRegression] = []

    @property
    def reach(self) -> int:
        """How many low-resolution pixels away an input can influence an output."""
        return REACH_CELLS * len(self.stages)

    def fit(
        self,
        images: Sequence[NDArray[np.float32]],
        degradation: Degradation,
        random_state: np.random.RandomState,
        n_threads: int,
        progress: Progress | None,
    ) -> AnchoredCascade:
        """Learn all stages from high-resolution images with intensities from 0 to 1."""
        n_folds = N_FOLDS
        if len(images) < n_folds:
            images = _quartered(images)
        pairs = training_pairs(images, self.scale, degradation, n_folds, random_state)
        for index in range(self.n_stages):
            part = part_of(progress, index, self.n_stages)

            def report(share: float, text: str, part: Progress | None = part, index: int = index) -> None:
                if part is not None:
                    part(round(share * STEPS), STEPS, f"stage {index + 1}: {text}")

            stage = train_stage(
                pairs,
                self.scale,
                n_anchors=self.n_anchors if index == 0 else max(1, self.n_anchors // LATER_SHARE),
                max_features=FIRST_MAX_FEATURES if index == 0 else LATER_MAX_FEATURES,
                n_folds=n_folds,
                n_threads=n_threads,
                random_state=random_state,
                report=report,
            )
            # Rounded as in a file, so that a model does the same before and after it is stored.
            self.stages.append(AnchoredRegression.from_arrays(self.scale, stage.to_arrays()))
        return self

    def refine(
        self, estimate: NDArray[np.float32], n_stages: int | None, n_threads: int
    ) -> NDArray[np.float32]:
        """Pass an interpolated image through the first `n_stages` stages, or all."""
        for stage in self.stages[:n_stages]:
            estimate = stage.refine(estimate, n_threads)
        return estimate

    def to_model(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Settings and arrays to store."""
        arrays = {
            f"stage{index}.{name}": array
            for index, stage in enumerate(self.stages)
            for name, array in stage.to_arrays().items()
        }
        return {"n_stages": len(self.stages), "n_anchors": self.n_anchors}, arrays

    def from_model(self, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> AnchoredCascade:
        """Restore what `to_model` gave."""
        self.n_stages, self.n_anchors = int(settings["n_stages"]), int(settings["n_anchors"])
        for index in range(self.n_stages):
            own = arrays_under(f"stage{index}.", arrays)
            self.stages.append(AnchoredRegression.from_arrays(self.scale, own))
        return self


def _quartered(images: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Cut each image into four, so that a few images can be left out in turn as many can."""
    quarters = []
    for image in images:
        row, column = image.shape[0] // 2, image.shape[1] // 2
        quarters += [image[:row, :column], image[row:, column:], image[:row, column:], image[row:, :column]]
    return [np.ascontiguousarray(quarter) for quarter in quarters]
