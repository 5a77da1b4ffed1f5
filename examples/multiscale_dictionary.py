"""A multiscale dictionary: atoms of fibres as they look at three magnifications, learned at one.

python examples/multiscale_dictionary.py [PICTURE]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from skimage.util import montage

from sparsight import BPDNDictionary, MultiscaleDictionary
from sparsight.datasets import nanofibres
from sparsight.features import cosine_basis
from sparsight.patches import PatchGrid

SCALES = (1, 0.75, 0.5)
images = [nanofibres((320, 320), defects=None, random_state=seed).image.pixels for seed in (1, 2)]
multiscale = MultiscaleDictionary(
    SCALES,
    patch_size=20,
    n_coefs=150,
    learner=BPDNDictionary(64, max_iter=8),
    max_patches=3000,
    random_state=0,
).fit(images)

# How well the atoms of each scale alone explain fibres that are seen at other magnifications.
magnifications = np.linspace(0.4, 1, 7)
unexplained = np.empty((len(SCALES), len(magnifications)))
for column, magnification in enumerate(magnifications):
    seen = nanofibres((400, 400), magnification=magnification, defects=None, random_state=5).image.pixels
    features = multiscale.features(PatchGrid(seen.shape, 20, 20).extract(seen))
    for row, learner in enumerate(multiscale.learners_):
        rest = features - learner.inverse_transform(learner.transform(features))
        unexplained[row, column] = np.square(rest).sum() / np.square(features).sum()

figure, axes = plt.subplots(1, 4, figsize=(16, 4.2), layout="constrained", width_ratios=(1, 1, 1, 1.3))
basis = cosine_basis((20, 20), 150)
for number, ax in enumerate(axes[:3]):
    atoms = multiscale.components_[multiscale.groups_ == number] @ basis
    tiles = montage(atoms.reshape(-1, 20, 20).copy(), fill=np.nan, padding_width=2, rescale_intensity=True)
    ax.imshow(tiles, cmap="gray")
    ax.set_title(f"atoms of scale {SCALES[number]}")
    ax.axis("off")
    excess = unexplained[number] / unexplained.min(axis=0) - 1
    axes[3].plot(magnifications, excess, "o-", label=f"atoms of scale {SCALES[number]}")
axes[3].set(title="error on other fibres, above that of the best scale", xlabel="their magnification")
axes[3].yaxis.set_major_formatter("{x:.0%}")
axes[3].legend()
best = [SCALES[row] for row in unexplained.argmin(axis=0)]
print("best scale by magnification:", dict(zip(magnifications.round(1).tolist(), best, strict=True)))
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "multiscale_dictionary.png", dpi=80)
