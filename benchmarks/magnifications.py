"""One model and one threshold for a range of magnifications, against detectors trained at each.

    python -m benchmarks.magnifications [--data FOLDER] [--write]
    python -m benchmarks.magnifications --quarter
    python -m benchmarks.magnifications --same-field

Trains the universal detector with `scales=(1, 0.5)` on good images of scale 1 and inspects images of scales 1,
0.85, 0.75, 0.67, 0.6 and 0.5; the oracle of a scale is the universal detector trained at that very scale. Both
promise 5 % of false alarms. Each is trained three times, with other random states; figures are means of the three.
Synthetic nanofibres are rendered at true magnifications and come from other seeds than were looked at during
development (`--development`); NanoTWICE's images are shrunk in software, its validation images only serve
`--development`. False alarms are counted on good mats of yet other seeds, and, of NanoTWICE, which has no more good
images, on test images away from their defects. Intervals are those of 95 % of bootstrap samples of the images
inspected. `--quarter` shows how far down one model can go: `scales=(1, 0.25)`, on development mats, learned from
good images of 768×768 pixels. `--same-field` lets the oracle of the synthetic mats see no more of them than the one
model does, which is learned from their shrunk images: 256×256 pixels at 0.5.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
N_TRAININGS = 3
MARGIN = 40  # pixels around defects to which their scores spread
N_RESAMPLES = 1000
MAT: dict[str, Any] = dict(density="dense", fibre_diameter=9.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of nanotwice/")
    parser.add_argument("--development", action="store_true", help="images that parameters may be chosen on")
    parser.add_argument("--quarter", action="store_true", help="down to a quarter of the magnification")
    parser.add_argument(
        "--same-field", action="store_true", help="oracles that see no more than the one model"
    )
    parser.add_argument("--write", action="store_true", help="write the tables into docs/scale_invariance.md")
    arguments = parser.parse_args()
    if arguments.quarter:
        print(_compare(_synthetic(development=True, training_side=768), QUARTER))
        return
    if arguments.same_field:
        print(_compare(_synthetic(arguments.development, same_field=True)))
        return
    experiments = [_synthetic(arguments.development)]
    if arguments.data is not None:
        experiments.append(_nanotwice(arguments.data / "nanotwice", arguments.development))
    for experiment in experiments:
        text = f"{experiment.description}\n\n{_compare(experiment)}"
        print(text, flush=True)
        if arguments.write:
            write_section(PAGE, experiment.name, text)


@dataclass(frozen=True)
class Experiment:
    """Images of each scale: good ones to train on, damaged ones, and those that false alarms are counted on."""

    name: str
    description: str
    training: Callable[[float], list[NDArray[np.uint8]]]
    damaged: Callable[[float], list[Sample]]
    unseen: Callable[[float], list[Sample]]
    settings: dict[str, Any] = field(default_factory=dict)


def _synthetic(development: bool, training_side: int = 512, same_field: bool = False) -> Experiment:
    first = 500 if development else 0
    n_tests = 6 if development else 12

    def mats(first_seed: int, n_mats: int, scale: float, side: int = 512, **kind: Any) -> list[Sample]:
        shape = (side, side)
        samples = [
            nanofibres(shape, **MAT, magnification=scale, random_state=seed, **kind)
            for seed in range(first_seed, first_seed + n_mats)
        ]
        return [(sample.image.pixels, sample.mask) for sample in samples]

    def training(scale: float) -> list[NDArray[np.uint8]]:
        side = round(training_side * scale) if same_field else training_side
        return [good for good, _ in mats(first, 5, scale, side, defects=None)]

    return Experiment(
        "one model synthetic",
        "### Synthetic nanofibres at true magnifications\n\nDense mats, fibres of 9 pixels at scale 1; five "
        f"good images of {training_side}×{training_side} pixels to train on; at each scale {n_tests} of 512×512 pixels "
        f"with defects, and {n_tests} good ones on which false alarms are counted.",
        training,
        partial(mats, first + 100, n_tests),
        partial(mats, first + 200, n_tests, defects=None),
    )


def _nanotwice(folder: Path, development: bool) -> Experiment:
    images = NanoTwice(folder)
    good = [read_image(path).pixels for path in images.normal]
    chosen = images.validation if development else images.test
    samples = [(read_image(path).pixels, read_mask(images.truth(path))) for path in chosen]

    def damaged(scale: float) -> list[Sample]:
        return [(shrink(image, scale), shrink_mask(mask, scale)) for image, mask in samples]

    return Experiment(
        "one model nanotwice",
        f"### NanoTWICE, shrunk in software\n\nTrained on the {len(good)} good images, with `match_noise=False`; "
        f"tested on {len(samples)} images with defects. False alarms are counted more than {MARGIN} pixels away from "
        "these.",
        lambda scale: [shrink(image, scale) for image in good],
        damaged,
        damaged,
        {"match_noise": False},
    )


def _compare(experiment: Experiment, scales: Sequence[float] = SCALES) -> str:
    any_scale = _trained(experiment.training(1.0), scales=(1.0, scales[-1]), **experiment.settings)
    rows, margins = [], []
    for scale in scales:
        oracle = _trained(experiment.training(scale))
        damaged, unseen = experiment.damaged(scale), experiment.unseen(scale)
        ours, theirs = (_areas(models, damaged) for models in (any_scale, oracle))
        alarms = [_false_alarms(models, unseen) for models in (any_scale, oracle)]
        margins.append(ours - theirs)
        rows.append(
            [
                f"{scale:g}",
                f"{ours.mean():.3f}",
                f"{theirs.mean():.3f}",
                _with_interval(margins[-1]),
                *(_share_with_interval(shares) for shares in alarms),
            ]
        )
        print(rows[-1], flush=True)
    rows.append(["all", "", "", _with_interval(np.mean(margins, axis=0)), "", ""])
    return table(
        ["scale", "AUROC", "oracle's", "difference [95 %]", "false alarms for 5 % [95 %]", "oracle's"], rows
    )


def _trained(images: Sequence[NDArray[np.uint8]], **settings: Any) -> list[AnomalyDetector]:
    """Detectors of the same images, which differ by chance: in the patches that dictionaries begin with, and so on."""
    common: dict[str, Any] = dict(false_alarm_rate=PROMISE, n_threads=1, **settings)
    return [AnomalyDetector(random_state=number, **common).fit(images) for number in range(N_TRAININGS)]


def _areas(detectors: Sequence[AnomalyDetector], samples: Sequence[Sample]) -> NDArray[np.float64]:
    """AUROC of the pixels of each image, mean over the detectors."""
    areas = [
        [RankedPixels.from_map(detector.score_map(image), mask).auroc() for image, mask in samples]
        for detector in detectors
    ]
    return np.asarray(np.mean(areas, axis=0))


def _false_alarms(detectors: Sequence[AnomalyDetector], samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Share of the pixels away from defects that lie above the threshold, of each image, mean over the detectors."""
    shares = []
    for image, mask in samples:
        good = ndimage.distance_transform_edt(~mask) > MARGIN if mask.any() else ~mask
        shares.append(
            np.mean(
                [np.mean(detector.score_map(image)[good] > detector.threshold_) for detector in detectors]
            )
        )
    return np.array(shares)


def _with_interval(differences: NDArray[np.floating]) -> str:
    low, high = _interval(differences)
    return f"{differences.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def _share_with_interval(shares: NDArray[np.floating]) -> str:
    low, high = 100 * _interval(shares)
    return f"{shares.mean():.1%} [{low:.1f}, {high:.1f}]"


def _interval(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Where 95 % of the means of resampled images lie."""
    n = len(values)
    means = values[np.random.default_rng(0).integers(0, n, (N_RESAMPLES, n))].mean(axis=1)
    return np.asarray(np.quantile(means, [0.025, 0.975]))


if __name__ == "__main__":
    main()
