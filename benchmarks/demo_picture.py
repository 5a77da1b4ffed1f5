"""Draw docs/pictures/demo.png, the picture of the README, from what ``sparsight demo`` made.

    sparsight demo && python -m benchmarks.demo_picture sparsight-demo NAME

NAME is one of the demo's new images, such as fibres_1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import sparsight as sp
from benchmarks._documents import DOCS
from sparsight.report.colours import TOP, heat_colours, scale_position
from sparsight.report.drawing import heat_map


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    arguments = parser.parse_args()
    folder, name = arguments.folder, arguments.name
    found = sp.AnomalyDetector.load(folder / "fibres.sparsight").inspect(folder / "new" / f"{name}.tif")
    drawn = sp.read_image(folder / "found" / f"{name}_overlay.png")

    height, width = found.mask.shape
    figure = Figure(figsize=(12, 6 * height / width + 0.75))
    panels = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.004, right=0.996, top=0.93, bottom=0.11, wspace=0.015)
    titles = (f"{len(found.defects)} defects found", "scores, in multiples of the threshold")
    for axes, picture, title in zip(panels, (drawn.pixels, heat_map(found)), titles, strict=True):
        axes.imshow(picture)
        axes.set_title(title, loc="left", fontsize=12)
        axes.set_axis_off()
    ticks = (0.0, 0.5, 1.0, 2.0, TOP)
    ratios = np.concatenate([np.linspace(0, 1, 128), np.geomspace(1.001, TOP, 128)])
    bar = panels[1].inset_axes((0.0, -0.07, 1.0, 0.045))
    bar.imshow(np.arange(256)[None], cmap=ListedColormap(heat_colours(ratios) / 255), aspect="auto")
    bar.set_yticks([])
    bar.set_xticks(
        [256 * float(scale_position(tick)) for tick in ticks], [f"{tick:g}" for tick in ticks], fontsize=10
    )
    (DOCS / "pictures").mkdir(exist_ok=True)
    figure.savefig(DOCS / "pictures" / "demo.png", dpi=100)


if __name__ == "__main__":
    main()
