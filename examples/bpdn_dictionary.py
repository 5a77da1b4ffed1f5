"""Dictionary learning with an l1 penalty: how the penalty shapes the atoms.

python examples/bpdn_dictionary.py [PICTURE]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from skimage.data import gravel
from skimage.util import montage

from sparsight import BPDNDictionary
from sparsight.features import remove_mean
from sparsight.patches import PatchGrid

image = gravel()[:200, :200] / 255
patches = remove_mean(PatchGrid(image.shape, 10, stride=4).extract(image).reshape(-1, 100))[0]

figure, axes = plt.subplots(1, 4, figsize=(15, 4), layout="constrained")
axes[0].imshow(image, cmap="gray")
axes[0].set_title("gravel")
for ax, factor in zip(axes[1:], (0.3, 1, 3), strict=False):
    penalty = factor * 1.2 * patches.std()
    learner = BPDNDictionary(81, penalty=penalty, max_iter=15, random_state=0).fit(patches)
    codes = learner.transform(patches)
    n_nonzero = np.count_nonzero(codes, axis=1).mean()
    left = np.square(patches - learner.inverse_transform(codes)).sum() / np.square(patches).sum()
    tiles = montage(
        learner.components_.reshape(-1, 10, 10), fill=np.nan, padding_width=1, rescale_intensity=True
    )
    ax.imshow(tiles, cmap="gray")
    ax.set_title(f"penalty {factor:g} × the default:\n{n_nonzero:.1f} non-zeros, {left:.0%} unexplained")
    history = learner.objective_history_
    print(
        f"penalty {penalty:.3f}: objective from {history[0]:.0f} to {history[-1]:.0f} in {learner.n_iter_} iterations"
    )
for ax in axes:
    ax.axis("off")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "bpdn_dictionary.png", dpi=80)
