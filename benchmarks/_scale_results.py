"""ROC curves averaged over images, by method and scale, with bootstrap intervals over images."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._documents import DOCS, table
from sparsight.evaluation.ranking import RankedPixels
from sparsight.evaluation.roc import RocCurve

N_RESAMPLES = 1000
ORDER = ("group-coding", "group-indicator", "all-in-one", "outlier-coding")


class Results:
    """Score maps of one experiment, reduced to ranked pixels."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.images: dict[str, dict[float, list[RankedPixels]]] = defaultdict(lambda: defaultdict(list))
        self.notes: list[str] = []
        self._known_areas: dict[tuple[str, float | None], NDArray[np.float64]] = {}

    def add(
        self, method: str, scale: float, score_map: NDArray[np.floating], mask: NDArray[np.bool_]
    ) -> None:
        self.images[method][scale].append(RankedPixels.from_map(score_map, mask))

    def notice(self, method: str, notes: dict[str, Any]) -> None:
        """Keep what a model says of its own suitability."""
        if "group_use" in notes:
            ratio = notes["group_use"]["ratio"]
            self.notes.append(f"Diagnostic of {method}, ξ = {ratio:g} λ: {notes['advice']}")

    def row(self, method: str) -> list[str]:
        """AUC of the averaged ROC at each scale and over all scales, with 95 % intervals."""
        return [self._cell(method, scale) for scale in (*self.images[method], None)]

    def text(self) -> str:
        """Everything for the page."""
        scales = [f"{scale:.2g}" for scale in next(iter(self.images.values()))]
        rows = [[f"`{method}`", *self.row(method)] for method in self.images]
        parts = [table(["method", *scales, "all scales"], rows), self._margins(), *self.notes, self._figure()]
        return "\n\n".join(parts)

    def _ranked(self, method: str, scale: float | None) -> list[RankedPixels]:
        """Images at a scale, or at all of them."""
        by_scale = self.images[method]
        return (
            by_scale[scale] if scale is not None else [one for images in by_scale.values() for one in images]
        )

    def _areas(self, method: str, scale: float | None = None) -> NDArray[np.float64]:
        """Areas of the images at a scale, or at all, and of resampled ones."""
        if (method, scale) not in self._known_areas:
            self._known_areas[method, scale] = _resampled_areas(self._ranked(method, scale))
        return self._known_areas[method, scale]

    def _cell(self, method: str, scale: float | None) -> str:
        areas = self._areas(method, scale)
        return f"{areas[0]:.3f} [{np.quantile(areas, 0.025):.3f}, {np.quantile(areas, 0.975):.3f}]"

    def _margins(self) -> str:
        foreign = list(self.images["single-scale"])[1:]
        rows = [self._margin(*pair) for pair in [*pairwise(ORDER), ("group-coding", "oracle")]]
        rows += [self._margin("group-coding", "single-scale", scale) for scale in foreign]
        return table(["margin, over all scales or at one", "AUC", "95 %", "better?"], rows)

    def _margin(self, better: str, worse: str, scale: float | None = None) -> list[str]:
        """Difference on the same images, with an interval over resampled images."""
        margin = self._areas(better, scale) - self._areas(worse, scale)
        low, high = np.quantile(margin, [0.025, 0.975])
        verdict = "yes" if low > 0 else ("no" if high < 0 else "open")
        where = "" if scale is None else f" at {scale:.2g}"
        return [f"`{better}` − `{worse}`{where}", f"{margin[0]:+.3f}", f"[{low:+.3f}, {high:+.3f}]", verdict]

    def _figure(self) -> str:
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(
            1, 2, figsize=(11, 4.5), layout="constrained", width_ratios=(1, 1.35), dpi=90
        )
        axes[0].plot([0, 1], [0, 1], color="0.8", linewidth=1)
        for number, method in enumerate(self.images):
            images = self._ranked(method, None)
            curve = RocCurve.averaged(images, RankedPixels.pool(images))
            style = dict(color=f"C{number}", linestyle="-" if method in ORDER else "--")
            axes[0].plot(curve.fpr, curve.tpr, label=f"{method} ({curve.area:.3f})", **style)
            areas = np.array([self._areas(method, scale) for scale in self.images[method]])
            low, high = np.quantile(areas, [0.025, 0.975], axis=1)
            # Intervals side by side, not on top of each other.
            at = np.array(list(self.images[method])) + 0.004 * (number - len(self.images) / 2)
            reach = [np.maximum(areas[:, 0] - low, 0), np.maximum(high - areas[:, 0], 0)]
            axes[1].errorbar(at, areas[:, 0], reach, marker="o", markersize=4, elinewidth=0.8, **style)
        axes[0].set(
            xlabel="false positive rate",
            ylabel="true positive rate",
            title="ROC averaged over images",
            aspect=1,
        )
        axes[0].legend(fontsize=8, loc="lower right")
        axes[1].axhline(0.5, color="0.8", linewidth=1)
        axes[1].set(
            xlabel="scale of the test images",
            ylabel="area under the averaged ROC",
            title="By scale, with 95 % intervals",
            xticks=list(self.images["single-scale"]),
        )
        axes[1].xaxis.set_major_formatter("{x:.2g}")
        axes[1].invert_xaxis()
        file = f"scale_{self.name.replace(' ', '_')}.png"
        (DOCS / "pictures").mkdir(exist_ok=True)
        figure.savefig(DOCS / "pictures" / file)
        plt.close(figure)
        return f"![ROC curves and areas by scale: {self.name}](pictures/{file})"


def _resampled_areas(images: list[RankedPixels]) -> NDArray[np.float64]:
    """Area under the averaged ROC of the images as they are, then of resampled ones (the same for all methods)."""
    thresholds = RocCurve.averaged(images, RankedPixels.pool(images), n_thresholds=600).threshold
    rates = np.array([image.rates(thresholds) for image in images])  # (image, tpr or fpr, threshold)
    n = len(images)
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), N_RESAMPLES - 1) / n
    weights = np.vstack([np.full((1, n), 1 / n), draws])
    tpr, fpr = (weights @ rates[:, kind] for kind in (0, 1))
    return np.asarray(np.trapezoid(tpr, fpr, axis=1))
