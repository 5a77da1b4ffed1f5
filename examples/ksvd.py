"""K-SVD: atoms learned from one part of a page make the rest of it readable, where cosines do not.

    python examples/ksvd.py [PICTURE]

Both dictionaries have 64 atoms, and every patch of the unseen part is rebuilt from its mean and three of them.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from skimage.data import page
from skimage.metrics import peak_signal_noise_ratio
from skimage.util import montage

from sparsight import KSVD, cosine_dictionary
from sparsight.coding import orthogonal_matching_pursuit
from sparsight.features import remove_mean
from sparsight.patches import PatchGrid

left, right = page()[:, :192] / 255, page()[:, 192:] / 255


def patches_of(image, stride):
    grid = PatchGrid(image.shape, 8, stride)
    return grid, *remove_mean(grid.extract(image).reshape(-1, 64))


learner = KSVD(64, transform_n_nonzero_coefs=3, max_iter=15, random_state=0).fit(patches_of(left, 2)[1])
print(f"objective from {learner.objective_history_[0]:.0f} to {learner.objective_history_[-1]:.0f}")
dictionaries = {"cosines": cosine_dictionary(8, 65)[1:], "learned by K-SVD": learner.components_}

figure, axes = plt.subplots(2, 3, figsize=(11, 7.8), layout="constrained")
axes[0, 0].imshow(left, cmap="gray")
axes[0, 0].set_title("learned from this part of a page")
axes[1, 0].imshow(right, cmap="gray")
axes[1, 0].set_title("the part that was not seen")
grid, patches, means = patches_of(right, 8)
for (name, atoms), (above, below) in zip(dictionaries.items(), axes[:, 1:].T, strict=True):
    tiles = montage(atoms.reshape(-1, 8, 8).copy(), fill=np.nan, padding_width=1, rescale_intensity=True)
    above.imshow(tiles, cmap="gray")
    above.set_title(f"64 {name}")
    codes = orthogonal_matching_pursuit(patches, atoms, n_nonzero_coefs=3).codes
    rebuilt = grid.assemble((codes @ atoms + means).reshape(-1, 8, 8))
    decibels = peak_signal_noise_ratio(right, rebuilt, data_range=1)
    below.imshow(rebuilt, cmap="gray")
    below.set_title(f"from three of them a patch: {decibels:.1f} dB")
    print(f"{name}: {decibels:.1f} dB")
for ax in axes.ravel():
    ax.axis("off")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "ksvd.png", dpi=80)
