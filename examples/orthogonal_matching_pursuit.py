"""Orthogonal matching pursuit: a photograph from few atoms per patch, complete or with holes.

    python examples/orthogonal_matching_pursuit.py [PICTURE]

8×8 patches are coded over 256 cosine atoms. More non-zeros come closer to the photograph; a mask leaves missing
pixels out, and what the codes say of them fills them in.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from skimage.data import camera
from skimage.metrics import peak_signal_noise_ratio

from sparsight import cosine_dictionary
from sparsight.coding import orthogonal_matching_pursuit
from sparsight.patches import PatchGrid

photograph = camera()[60:260, 130:330] / 255
grid = PatchGrid(photograph.shape, 8, stride=4)
patches = grid.extract(photograph).reshape(-1, 64)
atoms = cosine_dictionary(8, 256)


def rebuilt(coding):
    image = grid.assemble((coding.codes @ atoms).reshape(-1, 8, 8))
    return image, peak_signal_noise_ratio(photograph, image, data_range=1)


panels = {"the photograph": photograph}
for n_nonzero_coefs in (1, 2, 5):
    coding = orthogonal_matching_pursuit(patches, atoms, n_nonzero_coefs=n_nonzero_coefs)
    image, decibels = rebuilt(coding)
    panels[f"{n_nonzero_coefs} of 256 atoms for each patch: {decibels:.1f} dB"] = image

missing = np.random.default_rng(0).random(photograph.shape) < 0.6
panels["60 % missing"] = np.where(missing, 0, photograph)
hidden = grid.extract(missing).reshape(-1, 64)
# Atoms are added until the observed pixels are met to a tolerance.
coding = orthogonal_matching_pursuit(patches, atoms, mask=hidden, tolerance=0.02, n_nonzero_coefs=12)
image, decibels = rebuilt(coding)
panels[f"filled in, {coding.n_nonzero.mean():.1f} atoms on average: {decibels:.1f} dB"] = image

figure, axes = plt.subplots(2, 3, figsize=(12, 8.4), layout="constrained")
for ax, (title, panel) in zip(axes.ravel(), panels.items(), strict=True):
    ax.imshow(panel, cmap="gray", vmin=0, vmax=1)
    ax.set_title(title)
    ax.axis("off")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "orthogonal_matching_pursuit.png", dpi=80)
