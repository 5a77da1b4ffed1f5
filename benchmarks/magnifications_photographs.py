"""One model on photographs from other distances, where light and focus change, too: into docs/scale_invariance.md.

    python -m benchmarks.magnifications_photographs --data DIR

DIR holds `kth_tips2/`. The universal detector with `scales=(1, 0.5)` learns from the upper halves of four photographs
of linen, or wool, from the shortest distance. Good area is that of upper halves from each distance, inlays of the other
material lie in lower halves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks._documents import table, write_section
from benchmarks._scale_sets import Experiment, kth_tips
from sparsight.evaluation import pixel_auroc
from sparsight.inspection import AnomalyDetector

PROMISE = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data / "kth_tips2"
    rows = [row for experiment in kth_tips(folder, quick=False) for row in _rows(experiment)]
    header = [
        "material",
        "distance says",
        "taken for",
        f"good area marked for {PROMISE:.0%}",
        "AUROC of inlays",
    ]
    write_section("scale_invariance.md", "photographs", table(header, rows))


def _rows(experiment: Experiment) -> list[list[str]]:
    detector = AnomalyDetector(scales=(1.0, 0.5), false_alarm_rate=PROMISE, random_state=0, n_threads=1)
    detector.fit(experiment.training)
    rows = []
    for scale, samples in experiment.tests.items():
        good = experiment.oracle_training(scale)
        told = [detector.survey(image).magnification or np.nan for image in good]
        marked = [np.mean(detector.score_map(image) > detector.threshold_) for image in good]
        area = pixel_auroc([detector.score_map(image) for image, _ in samples], [mask for _, mask in samples])
        rows.append(
            [
                experiment.name.removeprefix("kth "),
                f"{scale:.2f}",
                f"{np.mean(told):.2f}",
                f"{np.mean(marked):.1%}",
                f"{area:.3f}",
            ]
        )
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    main()
