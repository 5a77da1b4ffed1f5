"""Draw docs/pictures/super_resolution.png: ``python -m benchmarks.super_resolution_picture``.

The pictures are no training images of the default models.
"""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from skimage.data import coins, page

from benchmarks._documents import DOCS
from sparsight import Image, imresize, upscale
from sparsight.restoration import fidelity

SCALE = 3


def main() -> None:
    crops = [
        ("coins", coins()[:300, :384], (slice(30, 150), slice(200, 320))),
        ("page", page()[:189, :384], (slice(45, 165), slice(60, 180))),
    ]
    figure, axes = plt.subplots(len(crops), 4, figsize=(12, 6.4), layout="constrained")
    for row, (name, truth, crop) in zip(axes, crops, strict=True):
        low = imresize(truth, 1 / SCALE)
        results = {
            f"{name}, reduced by {SCALE}": np.kron(low, np.ones((SCALE, SCALE), np.uint8)),
            "bicubic": imresize(low, SCALE),
            "Sparsight": upscale(low, SCALE, quality="best"),
            "truth": truth,
        }
        for axis, (title, pixels) in zip(row, results.items(), strict=True):
            axis.imshow(pixels[crop], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            if title in ("bicubic", "Sparsight"):
                found = fidelity(Image(pixels, (0, 255)), Image(truth, (0, 255)), border=SCALE)
                title += f", {found.psnr:.2f} dB"
            axis.set_title(title)
            axis.axis("off")
    (DOCS / "pictures").mkdir(exist_ok=True)
    figure.savefig(DOCS / "pictures" / "super_resolution.png", dpi=80)


if __name__ == "__main__":
    main()
