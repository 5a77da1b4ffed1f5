"""How well defects are found: NanoTWICE and the article's boards, into docs/results.md.

    python -m benchmarks.detection --data DIR

DIR holds `nanotwice/` (normal, anomalous, ground_truth) and `wood/`. Images 1108, 1115, 1127, 1131 and 1135
of NanoTWICE serve to choose parameters and are reported apart; none was chosen on the others.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks._documents import table, write_section
from sparsight.evaluation import Evaluation, evaluate
from sparsight.inspection import AnomalyDetector

VALIDATION = {"ITIA1108", "ITIA1115", "ITIA1127", "ITIA1131", "ITIA1135"}
RECIPES: dict[str, dict[str, object]] = {
    "universal (the default)": {},
    "reconstruction (the article's)": {"method": "reconstruction"},
    "single-scale (ICIP 2016, at scale 1)": {"method": "single-scale"},
}
# First row, first column, last row and last column around each defect that is visible on the damaged board, read
# off the photograph.
WOOD_DEFECTS = [
    (60, 120, 150, 175),
    (140, 430, 230, 495),
    (45, 715, 240, 775),
    (310, 80, 440, 145),
    (345, 250, 455, 300),
    (388, 668, 525, 710),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    nanotwice(data / "nanotwice")
    wood(data / "wood")


def nanotwice(folder: Path) -> None:
    """Train on the normal images, evaluate on the anomalous ones."""
    normal = sorted((folder / "normal").glob("*.tif"))
    images = sorted((folder / "anomalous").glob("*.tif"))
    rows = []
    for name, settings in RECIPES.items():
        started = time.process_time()
        detector = AnomalyDetector(**settings, random_state=0, n_threads=1).fit(normal)  # type: ignore[arg-type]
        trained = time.process_time() - started
        for split in ("validation", "test"):
            chosen = [p for p in images if (p.stem in VALIDATION) == (split == "validation")]
            masks = [folder / "ground_truth" / f"{path.stem}_gt.png" for path in chosen]
            result = evaluate(detector, chosen, masks)
            rows.append([name, f"{split} ({len(chosen)})", *_figures(result), f"{trained:.1f}"])
            print(rows[-1])
    header = [
        "recipe",
        "images",
        "mean AUROC [95 %]",
        "pooled",
        "AP",
        "AUPRO",
        "TPR",
        "FPR",
        "training, CPU s",
    ]
    write_section("results.md", "nanotwice", table(header, rows))


def _figures(result: Evaluation) -> list[str]:
    scores = np.array([image.pixel_auroc for image in result.per_image])
    draws = np.random.default_rng(0).choice(scores, (2000, len(scores))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return [
        f"{result.pixel_auroc:.3f} [{low:.3f}, {high:.3f}]",
        *(f"{value:.3f}" for value in (result.pixel_auroc_pooled, result.pixel_ap, result.aupro)),
        *(f"{value:.4f}" for value in (result.tpr, result.fpr)),
    ]


def wood(folder: Path) -> None:
    """Train on the good board alone, inspect both boards."""
    rows = []
    for name, settings in {
        "universal, 0.1 %": {},
        "reconstruction, 0.1 %": {"method": "reconstruction"},
        "reconstruction, the article's threshold": {"method": "reconstruction", "threshold": 10.0},
    }.items():
        detector = AnomalyDetector(**settings, random_state=0).fit([folder / "wood-ok.jpg"])  # type: ignore[arg-type]
        good, bad = (detector.inspect(folder / f"wood-{kind}.jpg") for kind in ("ok", "ng"))
        inside = np.zeros_like(bad.mask)
        for top, left, bottom, right in WOOD_DEFECTS:
            inside[top:bottom, left:right] = True
        found = sum(bad.mask[top:bottom, left:right].any() for top, left, bottom, right in WOOD_DEFECTS)
        surround = ndimage.binary_dilation(inside, iterations=12)
        rows.append(
            [
                name,
                f"{detector.threshold_:.2f}",
                f"{found} of {len(WOOD_DEFECTS)}",
                str(len(bad.defects)),
                f"{100 * bad.mask[~surround].mean():.3f} %",
                f"{100 * good.mask.mean():.3f} %",
            ]
        )
        print(rows[-1])
    header = [
        "recipe, threshold",
        "score",
        "defects found",
        "regions",
        "marked elsewhere",
        "marked on the good board",
    ]
    write_section("results.md", "wood", table(header, rows))


if __name__ == "__main__":
    main()
