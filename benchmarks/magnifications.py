"""One model and one threshold for a range of magnifications, against detectors trained at each.

    python -m benchmarks.magnifications [--data FOLDER] [--write]
    python -m benchmarks.magnifications --quarter

Trains the universal detector with `scales=(1, 0.5)` on good images of scale 1 and inspects images of scales 1,
0.85, 0.75, 0.67, 0.6 and 0.5; the oracle of a scale is the universal detector trained at that very scale. Both
promise 5 % of false alarms. Synthetic nanofibres are rendered at true magnifications and come from other seeds
than were looked at during development (`--development`); NanoTWICE's images are shrunk in software, its
validation images only serve `--development`. `--quarter` shows how far down one model can go: `scales=(1, 0.25)`,
on development mats, learned from good images of 768×768 pixels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks._documents import table, write_section
from benchmarks._nanotwice import NanoTwice
from benchmarks._scale_sets import SCALES, Sample, shrink, shrink_mask
from sparsight.datasets import nanofibres
from sparsight.evaluation.ranking import RankedPixels
from sparsight.images import read_image, read_mask
from sparsight.inspection import AnomalyDetector

PAGE = "scale_invariance.md"
PROMISE = 0.05
QUARTER = (1.0, 0.75, 0.5, 0.4, 0.33, 0.25)
MARGIN = 16  # pixels around defects whose raised scores are no false alarms
N_RESAMPLES = 1000
MAT: dict[str, Any] = dict(density="dense", fibre_diameter=9.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of nanotwice/")
    parser.add_argument("--development", action="store_true", help="images that parameters may be chosen on")
    parser.add_argument("--quarter", action="store_true", help="down to a quarter of the magnification")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/scale_invariance.md")
    arguments = parser.parse_args()
    if arguments.quarter:
        good = partial(_good_mats, (768, 768), 500)
        print(_compare(good, _synthetic(development=True)[3], {}, QUARTER))
        return
    experiments = [_synthetic(arguments.development)]
    if arguments.data is not None:
        experiments.append(_nanotwice(arguments.data / "nanotwice", arguments.development))
    for name, description, training, tests, settings in experiments:
        text = f"{description}\n\n{_compare(training, tests, settings)}"
        print(text, flush=True)
        if arguments.write:
            write_section(PAGE, name, text)


Training = Callable[[float], list[NDArray[np.uint8]]]
Tests = Callable[[float], list[Sample]]


def _synthetic(development: bool) -> tuple[str, str, Training, Tests, dict[str, Any]]:
    first = 500 if development else 0

    def tests(scale: float) -> list[Sample]:
        samples = [
            nanofibres((512, 512), **MAT, magnification=scale, random_state=first + 100 + seed)
            for seed in range(6 if development else 12)
        ]
        return [(sample.image.pixels, sample.mask) for sample in samples]

    description = (
        "### Synthetic nanofibres at true magnifications\n\nDense mats, fibres of 9 pixels at scale 1; five "
        "good images of 512×512 pixels to train on, twelve with defects at each scale."
    )
    return "one model synthetic", description, partial(_good_mats, (512, 512), first), tests, {}


def _good_mats(shape: tuple[int, int], first_seed: int, scale: float) -> list[NDArray[np.uint8]]:
    return [
        nanofibres(shape, **MAT, magnification=scale, defects=None, random_state=seed).image.pixels
        for seed in range(first_seed, first_seed + 5)
    ]


def _nanotwice(folder: Path, development: bool) -> tuple[str, str, Training, Tests, dict[str, Any]]:
    images = NanoTwice(folder)
    good = [read_image(path).pixels for path in images.normal]
    chosen = images.validation if development else images.test
    samples = [(read_image(path).pixels, read_mask(images.truth(path))) for path in chosen]
    description = (
        f"### NanoTWICE, shrunk in software\n\nTrained on the {len(good)} good images, with "
        f"`match_noise=False`; tested on {len(samples)} images with defects."
    )
    return (
        "one model nanotwice",
        description,
        lambda scale: [shrink(image, scale) for image in good],
        lambda scale: [(shrink(image, scale), shrink_mask(mask, scale)) for image, mask in samples],
        {"match_noise": False},
    )


def _compare(
    training: Training, tests: Tests, settings: dict[str, Any], scales: Sequence[float] = SCALES
) -> str:
    common: dict[str, Any] = dict(false_alarm_rate=PROMISE, random_state=0, n_threads=1)
    any_scale = AnomalyDetector(scales=(1.0, scales[-1]), **settings, **common).fit(training(1.0))
    rows, margins = [], []
    for scale in scales:
        oracle = AnomalyDetector(**common).fit(training(scale))
        samples = tests(scale)
        ours, theirs = (
            np.array([_measure(model, *sample) for sample in samples]) for model in (any_scale, oracle)
        )
        margins.append(ours[:, 0] - theirs[:, 0])
        rows.append(
            [
                f"{scale:g}",
                f"{ours[:, 0].mean():.3f}",
                f"{theirs[:, 0].mean():.3f}",
                _with_interval(margins[-1]),
                f"{ours[:, 1].mean():.1%}",
                f"{theirs[:, 1].mean():.1%}",
            ]
        )
        print(rows[-1], flush=True)
    rows.append(["all", "", "", _with_interval(np.mean(margins, axis=0)), "", ""])
    return table(
        ["scale", "AUROC", "oracle's", "difference [95 %]", "false alarms for 5 %", "oracle's"], rows
    )


def _measure(
    detector: AnomalyDetector, image: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> tuple[float, float]:
    """AUROC of the pixels, and the share of pixels above the threshold away from defects."""
    scores = detector.score_map(image)
    good = ndimage.distance_transform_edt(~mask) > MARGIN
    return RankedPixels.from_map(scores, mask).auroc(), float(np.mean(scores[good] > detector.threshold_))


def _with_interval(differences: NDArray[np.floating]) -> str:
    n = len(differences)
    means = differences[np.random.default_rng(0).integers(0, n, (N_RESAMPLES, n))].mean(axis=1)
    return f"{differences.mean():+.3f} [{np.quantile(means, 0.025):+.3f}, {np.quantile(means, 0.975):+.3f}]"


if __name__ == "__main__":
    main()
