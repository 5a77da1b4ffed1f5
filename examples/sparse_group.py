"""Sparse-group coding: a patch is explained by the atoms of one scale, not by a mixture.

    python examples/sparse_group.py [PICTURE]

A dictionary of fibres at two scales codes an image whose halves were taken at two magnifications. The penalty on groups
keeps each code at the scale that fits; the lasso mixes atoms of both.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from sparsight import MultiscaleDictionary, OnlineDictionary
from sparsight.coding import sparse_group
from sparsight.datasets import nanofibres
from sparsight.patches import PatchGrid

SCALES, SIZE = (1, 0.4), 16
images = [nanofibres((320, 320), defects=None, random_state=seed).image.pixels for seed in (1, 2, 3)]
multiscale = MultiscaleDictionary(
    SCALES,
    patch_size=SIZE,
    n_coefs=100,
    learner=OnlineDictionary(100, transform_n_nonzero_coefs=4, max_iter=4),
    max_patches=10000,
    random_state=0,
).fit(images)

halves = [
    nanofibres((240, 120), magnification=scale, defects=None, random_state=7).image.pixels for scale in SCALES
]
seen = np.hstack(halves)
grid = PatchGrid(seen.shape, SIZE, stride=4)
features = multiscale.features(grid.extract(seen))
norm = np.linalg.norm(features, axis=1).mean()
# Two sets of penalties that leave about as much unexplained.
penalties = {
    "lasso": dict(penalty=0.08 * norm, group_penalty=0),
    "sparse-group": dict(penalty=0.02 * norm, group_penalty=0.25 * norm),
}

figure, axes = plt.subplots(1, 4, figsize=(15.5, 4.4), layout="constrained")
axes[0].imshow(seen, cmap="gray")
axes[0].set_title("magnifications 1 and 0.4")
for number, (name, chosen) in enumerate(penalties.items()):
    coding = sparse_group(
        features, multiscale.components_, groups=multiscale.groups_, output="reductions", **chosen
    )
    norms = coding.group_norms
    shares = norms[:, 1] / np.maximum(norms.sum(axis=1), 1e-12)
    tiles = np.broadcast_to(shares[:, None, None], (len(grid), SIZE, SIZE))
    shown = axes[number + 1].imshow(grid.assemble(tiles), cmap="coolwarm", vmin=0, vmax=1)
    axes[number + 1].set_title(f"{name}: share of scale 0.4")
    n_scales = np.count_nonzero(norms, axis=1)
    used = np.bincount(n_scales, minlength=3) / len(n_scales)
    axes[3].bar(np.arange(3) + 0.4 * number - 0.2, used, 0.38, label=name)
    unexplained = np.square(coding.residual_norm).sum() / np.square(features).sum()
    print(f"{name:12}: {n_scales.mean():.2f} scales for a patch, {unexplained:.1%} unexplained")
figure.colorbar(shown, ax=axes[1:3], shrink=0.8)
axes[3].set(xticks=range(3), xlabel="scales used for a patch", title="share of the patches", box_aspect=1)
axes[3].yaxis.set_major_formatter("{x:.0%}")
axes[3].legend()
for ax in axes[:3]:
    ax.axis("off")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "sparse_group.png", dpi=80)
