"""Draw docs/pictures/demo.png, the picture of the README, from what ``sparsight demo`` made.

    sparsight demo && python -m benchmarks.demo_picture sparsight-demo NAME

NAME is one of the demo's new images, such as fibres_3.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks._documents import DOCS
from sparsight.images import read_image
from sparsight.inspection import AnomalyDetector
from sparsight.report.drawing import heat_map, overlay, view


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    arguments = parser.parse_args()
    detector = AnomalyDetector.load(arguments.folder / "fibres.sparsight")
    found = detector.inspect(read_image(arguments.folder / "new" / f"{arguments.name}.tif"))
    heat = heat_map(found)
    panels = {
        "never seen before": view(found.image),
        f"{len(found.defects)} defects found and measured": overlay(found, heat),
        "heat map: blue is normal, yellow is not": heat,
    }
    height, width = found.score_map.shape
    figure = Figure(figsize=(12, 12 / 3 * height / width + 0.35), layout="constrained")
    for axes, (title, picture) in zip(np.ravel(figure.subplots(1, 3)), panels.items(), strict=True):
        axes.imshow(picture)
        axes.set_title(title, fontsize=11)
        axes.axis("off")
    (DOCS / "pictures").mkdir(exist_ok=True)
    figure.savefig(DOCS / "pictures" / "demo.png", dpi=100)


if __name__ == "__main__":
    main()
