"""How well defects are found: NanoTWICE, magnetic tiles and the article's boards, into docs/detection.md.

    python -m benchmarks.detection --data DIR [--only nanotwice | tiles | wood]

DIR holds `nanotwice/` (normal, anomalous, ground_truth), `magnetic_tile/` (MT_Free, MT_Blowhole, …) and
`wood/`. Images 1108, 1115, 1127, 1131 and 1135 of NanoTWICE and the first four of each class of tiles serve
to choose parameters; none was chosen on the others.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from benchmarks._documents import table, write_section
from benchmarks._nanotwice import NanoTwice
from benchmarks._timing import cpu_seconds
from sparsight.evaluation import Evaluation, evaluate, pixel_auroc
from sparsight.images import read_mask
from sparsight.inspection import AnomalyDetector

RECIPES: dict[str, dict[str, object]] = {
    "universal (the default)": {},
    "single-scale ([11])": {"method": "single-scale"},
    "outlier coding ([12], at scale 1)": {"method": "oracle-outlier"},
    "group coding (ICIP 2016)": {"method": "group-coding"},
    "residual only (the article's)": {"method": "reconstruction"},
}
RATES = (0.001, 0.01, 0.05)
SURROUND = 20  # pixels around a defect to which its scores spread
TILE_CLASSES = ("Blowhole", "Crack", "Break", "Fray")
TILES_TO_CHOOSE_ON = 4  # of each class, the first
TILES_TO_TRAIN_ON = 40
SHARE_OF_IMAGE = 0.02  # whose mean score is that of a tile
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
    parser.add_argument("--only", choices=["nanotwice", "tiles", "wood"])
    arguments = parser.parse_args()
    parts = {"nanotwice": nanotwice, "tiles": tiles, "wood": wood}
    folders = {"nanotwice": "nanotwice", "tiles": "magnetic_tile", "wood": "wood"}
    for name, part in parts.items():
        if arguments.only in (None, name):
            part(arguments.data / folders[name])


def nanotwice(folder: Path) -> None:
    """Train on the normal images, evaluate on the anomalous ones."""
    images = NanoTwice(folder)
    normal, splits = images.normal, {"validation": images.validation, "test": images.test}
    masks = {path: images.truth(path) for path in images.validation + images.test}
    rows, rates = [], []
    for name, settings in RECIPES.items():
        detector = AnomalyDetector(**settings, random_state=0, n_threads=1)  # type: ignore[arg-type]
        trained = cpu_seconds(partial(detector.fit, normal))
        rows += [_row(name, split, trained, detector, chosen, masks) for split, chosen in splits.items()]
        if not settings:
            rates = _false_alarm_rates(images)
            marked = splits["validation"]
            taught = AnomalyDetector(random_state=0, n_threads=1)
            truth = [read_mask(masks[path]) for path in marked]
            trained = cpu_seconds(partial(taught.fit, normal, defects=marked, defect_masks=truth))
            rows.append(
                _row(
                    "universal, taught by the marked validation images",
                    "test",
                    trained,
                    taught,
                    splits["test"],
                    masks,
                )
            )
    header = ["recipe", "images", "mean AUROC [95 %]", "pooled", "AP", "AUPRO", "TPR", "FPR"]
    write_section("detection.md", "nanotwice", table([*header, "training, CPU s", "CPU s per image"], rows))
    header = [
        "promised",
        "good images, each left out",
        "test images, mean",
        "smallest",
        "largest",
        "of these, marked",
        "20 pixels away from defects",
    ]
    write_section("detection.md", "false alarms", table(header, rates))


def _row(
    name: str,
    split: str,
    trained: float,
    detector: AnomalyDetector,
    images: list[Path],
    masks: dict[Path, Path],
) -> list[str]:
    started = time.process_time()
    result = evaluate(detector, images, [masks[path] for path in images])
    spent = (time.process_time() - started) / len(images)
    row = [name, f"{split} ({len(images)})", *_figures(result), f"{trained:.1f}", f"{spent:.2f}"]
    print(row, flush=True)
    return row


def _false_alarm_rates(images: NanoTwice) -> list[list[str]]:
    """Share of normal pixels of unseen images above thresholds from the normal images alone."""
    masks = [read_mask(images.truth(path)) for path in images.test]
    rows = []
    for rate in RATES:
        promised = AnomalyDetector(false_alarm_rate=rate, n_threads=1)
        on_good = []
        for unseen in images.normal:
            promised.fit([path for path in images.normal if path != unseen])
            on_good.append(float((promised.score_map(unseen) > promised.threshold_).mean()))
        promised.fit(images.normal)
        found = [promised.inspect(path) for path in images.test]
        above = [
            float((one.score_map[~mask] > one.threshold).mean())
            for one, mask in zip(found, masks, strict=True)
        ]
        marked = [float(one.mask[~mask].mean()) for one, mask in zip(found, masks, strict=True)]
        away = [
            float((one.score_map[~ndimage.binary_dilation(mask, iterations=SURROUND)] > one.threshold).mean())
            for one, mask in zip(found, masks, strict=True)
        ]
        cells = [np.mean(on_good), np.mean(above), min(above), max(above), np.mean(marked), np.mean(away)]
        rows.append([f"{rate:g}", *(f"{cell:.4f}" for cell in cells)])
        print(rows[-1], flush=True)
    return rows


def tiles(folder: Path) -> None:
    """Train on defect-free tiles; where are the defects of others, and which tiles have any."""
    free = sorted((folder / "MT_Free").glob("*.jpg"))
    rows = []
    for name, settings in RECIPES.items():
        if name.startswith("group"):
            continue  # tiles are too small to be shrunk by half
        detector = AnomalyDetector(**settings, threshold=0.0, random_state=0, n_threads=1)  # type: ignore[arg-type]
        detector.fit(free[:TILES_TO_TRAIN_ON])
        good = [_of_tile(detector.score_map(path)) for path in free[TILES_TO_TRAIN_ON:]]
        bad: list[float] = []
        cells = []
        for kind in TILE_CLASSES:
            files = sorted((folder / f"MT_{kind}").glob("*.jpg"))[TILES_TO_CHOOSE_ON:]
            maps = [detector.score_map(path) for path in files]
            masks = [read_mask(path.with_suffix(".png")) for path in files]
            areas = np.array(
                [pixel_auroc([m], [mask]) for m, mask in zip(maps, masks, strict=True) if mask.any()]
            )
            cells.append(f"{areas.mean():.3f} {_interval(areas)}")
            bad += [_of_tile(part) for part in maps]
        cells.append(f"{roc_auc_score([0] * len(good) + [1] * len(bad), good + bad):.3f}")
        rows.append([name, *cells])
        print(rows[-1], flush=True)
    header = ["recipe", *(kind.lower() for kind in TILE_CLASSES), "image AUROC"]
    write_section("detection.md", "tiles", table(header, rows))


def _of_tile(scores: NDArray[np.floating]) -> float:
    """Mean of the largest scores."""
    n_largest = max(1, round(SHARE_OF_IMAGE * scores.size))
    return float(np.sort(scores, axis=None)[-n_largest:].mean())


def _interval(scores: NDArray[np.floating]) -> str:
    """95 % bootstrap interval, over images, of the mean."""
    draws = np.random.default_rng(0).choice(scores, (2000, len(scores))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"[{low:.3f}, {high:.3f}]"


def _figures(result: Evaluation) -> list[str]:
    scores = np.array([image.pixel_auroc for image in result.per_image])
    return [
        f"{result.pixel_auroc:.3f} {_interval(scores)}",
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
    write_section("detection.md", "wood", table(header, rows))


if __name__ == "__main__":
    main()
