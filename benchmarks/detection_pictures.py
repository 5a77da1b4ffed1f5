"""The test images of NanoTWICE on which the universal score does best, middling and worst.

python -m benchmarks.detection_pictures --data DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from benchmarks._nanotwice import NanoTwice
from sparsight.evaluation import pixel_auroc
from sparsight.images import read_image, read_mask
from sparsight.inspection import AnomalyDetector

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "detection_nanotwice.png"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    images = NanoTwice(parser.parse_args().data / "nanotwice")
    detector = AnomalyDetector(random_state=0, n_threads=1).fit(images.normal)
    found = []
    for path in images.test:
        truth = read_mask(images.truth(path))
        scores = detector.score_map(path)
        found.append((pixel_auroc([scores], [truth]), path, scores, truth))
    found.sort(key=lambda entry: -entry[0])
    chosen = [found[0], found[len(found) // 2], found[-2], found[-1]]
    figure, axes = plt.subplots(2, len(chosen), figsize=(3.6 * len(chosen), 5.2), layout="constrained")
    for column, (area, path, scores, truth) in enumerate(chosen):
        for axis in axes[:, column]:
            axis.axis("off")
        axes[0, column].imshow(read_image(path).pixels, cmap="gray")
        axes[0, column].contour(truth, [0.5], colors="tab:green", linewidths=0.7)
        axes[0, column].set_title(f"{path.stem[4:]}: AUROC {area:.3f}", fontsize=10)
        axes[1, column].imshow(scores / detector.threshold_, cmap="inferno", vmin=0, vmax=2)
        axes[1, column].contour(
            np.nan_to_num(scores) > detector.threshold_, [0.5], colors="w", linewidths=0.7
        )
    figure.savefig(PICTURE, dpi=70)


if __name__ == "__main__":
    main()
