"""What the methods of `benchmarks.scale_invariance` see in one image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks._documents import DOCS


def maps_beside(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], maps: dict[str, NDArray[np.float32]], name: str
) -> str:
    """An image with its defects outlined, and the score maps of several methods, as a picture for the page.

    Maps show the share of the image's normal pixels that have lower scores, so that they can be compared.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 1 + len(maps), figsize=(13, 3), layout="constrained")
    axes[0].imshow(image, cmap="gray", vmin=0, vmax=255)
    axes[0].set_title("image", fontsize=9)
    for axis, (method, scores) in zip(axes[1:], maps.items(), strict=True):
        normal = np.sort(scores[~mask])
        shares = np.searchsorted(normal, scores) / len(normal)
        shown = axis.imshow(shares, cmap="magma", vmin=0, vmax=1)
        axis.set_title(method, fontsize=9)
    for axis in axes:
        axis.contour(mask, [0.5], colors="cyan", linewidths=0.7)
        axis.set(xticks=[], yticks=[])
    figure.colorbar(shown, ax=axes[-1], label="normal pixels below")
    file = f"scale_{name.replace(' ', '_')}_maps.png"
    figure.savefig(DOCS / "pictures" / file, dpi=80)
    plt.close(figure)
    return f"![An image with defects, and the score maps of four methods: {name}](pictures/{file})"
