"""The experiment of ICIP 2016: seven methods at magnifications known and unknown to the training.

    python -m benchmarks.scale_invariance [--data DIR] [--quick] [--only NAME]

Synthetic nanofibres, rendered at true magnifications, need no data. DIR holds `nanotwice/` (images and masks
are shrunk in software) and `kth_tips2/` (materials photographed from several distances; discs of the other
material, photographed from the same distance, are the anomalies). Tables, margins and ROC curves go into
docs/scale_invariance.md. No parameter was chosen on the images reported: patch size, number of atoms, λ and
the choice of ξ are those of the defaults, which were set on other synthetic mats and on the validation images.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks._documents import write_section
from benchmarks._scale_results import Results
from benchmarks._scale_sets import kth_tips, nanofibre_mats, nanotwice
from sparsight.inspection import AnomalyDetector
from sparsight.inspection.paper_methods import PAPER_METHODS

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
        results = Results(experiment.name)
        for method in PAPER_METHODS:
            detector = None
            for scale, samples in experiment.tests.items():
                if detector is None or method.startswith("oracle"):
                    images = (
                        experiment.oracle_training(scale)
                        if method.startswith("oracle")
                        else experiment.training
                    )
                    detector = AnomalyDetector(
                        method=method, threshold=1.0, random_state=0, n_threads=1, **experiment.settings
                    ).fit(images)
                    results.notice(method, detector.provenance_["notes"])
                for image, mask in samples:
                    results.add(method, scale, detector.score_map(image), mask)
            print(experiment.name, method, results.row(method), flush=True)
        seconds = time.process_time() - started
        size = ", `--quick`" if arguments.quick else ""
        text = f"{experiment.description}\n\n{results.text()}\n\n{seconds:.0f} s of CPU, one thread{size}."
        write_section(PAGE, experiment.name, text)


if __name__ == "__main__":
    main()
