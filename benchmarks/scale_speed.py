"""How long group coding takes at each stride, how well it then detects, and against the paper's own solver.

    OMP_NUM_THREADS=1 python -m benchmarks.scale_speed

One image of 1024×696 pixels of a sparse synthetic mat, 450 atoms over three scales, one thread; CPU times are
those of the whole score map, the best of three. The AUC is that of the ROC averaged over eight images of 512×512
pixels at scale 0.6, of other seeds than anything was chosen on. The paper's alternating directions are our
array-API reference in single precision, stopped where it reaches the relative duality gap that the compiled
solver certifies.
"""

from __future__ import annotations

from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from benchmarks._documents import DOCS, table, write_section
from benchmarks._timing import cpu_seconds, in_turn
from sparsight.coding import sparse_group
from sparsight.coding.reference import admm
from sparsight.datasets import nanofibres
from sparsight.evaluation.ranking import RankedPixels
from sparsight.evaluation.roc import RocCurve
from sparsight.inspection import AnomalyDetector
from sparsight.inspection.indicators import IndicatorScorer
from sparsight.patches import PatchGrid

STRIDES = (4, 8, 12, 16)
TICKS = (0.1, 0.2, 0.5, 1, 2, 5)
GAP = 1e-3
MAT: dict[str, Any] = dict(density="sparse", fibre_diameter=12.0)


def main() -> None:
    training = [
        nanofibres((512, 512), **MAT, defects=None, random_state=seed).image.pixels for seed in range(6)
    ]
    large = nanofibres((696, 1024), **MAT, magnification=0.6, random_state=900).image.pixels
    tests = [nanofibres((512, 512), **MAT, magnification=0.6, random_state=1000 + seed) for seed in range(8)]
    detector = AnomalyDetector(
        method="group-coding", n_components=150, threshold=1.0, n_threads=1, random_state=0
    ).fit(training)
    scorer = detector.scorer_
    assert isinstance(scorer, IndicatorScorer)
    seconds, areas = [], []
    for stride in STRIDES:
        scorer.stride = stride
        detector.score_map(large[:64, :64])
        seconds.append(min(cpu_seconds(lambda: detector.score_map(large)) for _ in range(3)))
        ranked = [RankedPixels.from_map(detector.score_map(test.image.pixels), test.mask) for test in tests]
        areas.append(RocCurve.averaged(ranked, RankedPixels.pool(ranked)).area)
    rows = [[f"{s}", f"{t:.2f} s", f"{a:.3f}"] for s, t, a in zip(STRIDES, seconds, areas, strict=True)]
    figure = _plot(seconds, areas)
    text = "\n\n".join(
        [
            table(["stride, pixels", "CPU time, 1024×696", "AUC"], rows),
            figure,
            _against_reference(scorer, large),
        ]
    )
    print(text)
    write_section("scale_invariance.md", "speed", text)


def _plot(seconds: list[float], areas: list[float]) -> str:
    figure, axes = plt.subplots(figsize=(5, 3.6), layout="constrained")
    axes.loglog(STRIDES, seconds, "o-", color="tab:blue")
    axes.axhline(1, color="0.8", linewidth=1)
    axes.set(xlabel="stride, pixels", xticks=STRIDES, xticklabels=STRIDES)
    axes.set(ylabel="CPU time, s", yticks=TICKS, yticklabels=TICKS)
    axes.minorticks_off()
    axes.yaxis.label.set_color("tab:blue")
    right = axes.twinx()
    right.plot(STRIDES, areas, "s--", color="tab:orange")
    right.set_ylabel("AUC", color="tab:orange")
    figure.savefig(DOCS / "pictures" / "scale_speed.png", dpi=90)
    return "![Time and area under the ROC curve against stride](pictures/scale_speed.png)"


def _against_reference(scorer: IndicatorScorer, image: Any) -> str:
    """The same problem by the compiled solver and by the reference, in turn."""
    grid = PatchGrid(image.shape, scorer.patch_size, 8)
    features = scorer.features(grid.extract(image.astype(np.float32)))
    n, part = len(features), features[:400]
    problem: dict[str, Any] = dict(
        penalty=scorer.penalty,
        group_penalty=scorer.group_penalty,
        groups=np.repeat(np.arange(len(scorer.scales)), scorer.n_components),
        tolerance=GAP,
    )
    timings = in_turn(
        {
            "ours": (
                lambda: sparse_group(
                    features, scorer.dictionary, output="reductions", n_threads=1, **problem
                ),
                1.0,
            ),
            "reference": (lambda: admm(part, scorer.dictionary, **problem), len(part) / n),
        },
        rounds=3,
    )
    ours, reference = timings["ours"], timings["reference"]
    gap = float(np.max(reference.result.duality_gap / np.maximum(reference.result.objective, 1e-30)))
    return (
        f"Coding its {n:,} patches takes {ours.median:.2f} s; the paper's alternating directions take "
        f"{reference.median:.1f} s (extrapolated from {len(part)} patches), {reference.ratio_to(ours)} as long. "
        f"Largest relative duality gap: {ours.result.optimality.max():.0e} and {gap:.0e}."
    )


if __name__ == "__main__":
    main()
