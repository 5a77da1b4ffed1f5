"""The experiment of ICIP 2016: seven methods at magnifications known and unknown to the training.

    python -m benchmarks.scale_invariance [--data DIR] [--quick] [--only NAME]

Synthetic nanofibres, rendered at true magnifications, need no data. DIR holds `nanotwice/` (images and masks
are shrunk in software) and `kth_tips2/` (materials photographed from several distances; discs of the other
material, photographed from the same distance, are the anomalies). Tables, margins, ROC curves and score maps
go into docs/scale_invariance.md. No parameter was chosen on the images reported, but on other synthetic mats,
on the five validation images of NanoTWICE, and on photographs of KTH-TIPS2 from larger distances.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray

from benchmarks._documents import write_section
from benchmarks._scale_pictures import maps_beside
from benchmarks._scale_results import ORDER, Results
from benchmarks._scale_sets import Experiment, kth_tips, nanofibre_mats, nanotwice
from sparsight.inspection.paper_methods import PAPER_METHODS
from sparsight.inspection.scorers import Observed

matplotlib.use("Agg")

PAGE = "scale_invariance.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of nanotwice/ and kth_tips2/")
    parser.add_argument("--quick", action="store_true", help="few, small images: minutes instead of hours")
    parser.add_argument("--only", metavar="NAME", help='e.g. nanotwice, kth, nanofibres, "nanofibres sparse"')
    arguments = parser.parse_args()
    sets = nanofibre_mats(arguments.quick)
    if arguments.data is not None:
        sets += nanotwice(arguments.data / "nanotwice", arguments.quick)
        sets += kth_tips(arguments.data / "kth_tips2", arguments.quick)
    for experiment in sets:
        if arguments.only and not experiment.name.startswith(arguments.only):
            continue
        started = time.process_time()
        results, maps = compare(experiment)
        seconds = time.process_time() - started
        size = ", `--quick`" if arguments.quick else ""
        text = "\n\n".join(
            [
                experiment.description,
                results.text(),
                maps_beside(*experiment.shown, maps, experiment.name),
                f"{seconds:.0f} s of CPU, one thread{size}.",
            ]
        )
        write_section(PAGE, experiment.name, text)


def compare(experiment: Experiment) -> tuple[Results, dict[str, NDArray[np.float32]]]:
    """Train and test every method; and the maps of the image to show of those that know no scale."""
    results = Results(experiment.name)
    maps = {}
    for method, new_scorer in PAPER_METHODS.items():
        scorer = None
        for scale, samples in experiment.tests.items():
            if scorer is None or method.startswith("oracle"):
                images = (
                    experiment.oracle_training(scale) if method.startswith("oracle") else experiment.training
                )
                scorer = new_scorer(n_threads=1, **experiment.settings)
                scorer.fit(observed(images), np.random.RandomState(0))
                results.notice(method, scorer.notes())
            for image, mask in samples:
                score_map = scorer.score(*observed([image]))
                results.add(method, scale, score_map, mask)
                if method in ORDER and image is experiment.shown[0]:
                    maps[method] = score_map
        print(experiment.name, method, results.row(method), flush=True)
    return results, maps


def observed(images: Iterable[NDArray[np.uint8]]) -> list[Observed]:
    """Images as scorers take them."""
    return [Observed(image.astype(np.float32)) for image in images]


if __name__ == "__main__":
    main()
