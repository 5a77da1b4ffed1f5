"""Coupled dictionaries: from blurred patches to sharp ones, by codes that both have in common.

    python examples/coupled_dictionaries.py [PICTURE]

Pairs of patches come from one part of a page, blurred and sharp. The rest, of which only a blurred image is known, is
sharpened: its patches are coded over the blurred atoms, and the codes rebuilt with the sharp ones. (To enlarge images
in earnest, use `sparsight.SuperResolver`.)
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.data import page
from skimage.metrics import peak_signal_noise_ratio
from skimage.util import montage

from sparsight import CoupledDictionaries
from sparsight.features import remove_mean
from sparsight.patches import PatchGrid

left, right = page()[:, :192] / 255, page()[:, 192:] / 255
blurred_left, blurred_right = gaussian_filter(left, 1.0), gaussian_filter(right, 1.0)


def patches_of(image, stride):
    grid = PatchGrid(image.shape, 8, stride)
    return grid, grid.extract(image).reshape(-1, 64)


blurred = patches_of(blurred_left, 1)[1]
lost = patches_of(left - blurred_left, 1)[1]  # what blurring took from each patch
coupled = CoupledDictionaries(512, n_nonzero_coefs=4, random_state=0).fit(remove_mean(blurred)[0], lost)

grid, blurred = patches_of(blurred_right, 1)
given_back = coupled.predict(remove_mean(blurred)[0]).reshape(-1, 8, 8)
sharpened = blurred_right + grid.assemble(given_back)

before, after = (peak_signal_noise_ratio(right, image, data_range=1) for image in (blurred_right, sharpened))
print(f"blurred {before:.1f} dB, sharpened {after:.1f} dB")

figure, axes = plt.subplots(1, 4, figsize=(16, 4.4), layout="constrained")
pairs = np.stack([coupled.low_dictionary_ @ coupled.components_.T, coupled.high_dictionary_], axis=1)[:24]
tiles = montage(
    pairs.reshape(-1, 8, 8), grid_shape=(8, 6), fill=np.nan, padding_width=1, rescale_intensity=True
)
panels = {
    "pairs of atoms: blurred, and what to add": tiles,
    f"blurred: {before:.1f} dB": blurred_right,
    f"sharpened: {after:.1f} dB": np.clip(sharpened, 0, 1),
    "the page": right,
}
for ax, (title, panel) in zip(axes, panels.items(), strict=True):
    ax.imshow(panel, cmap="gray")
    ax.set_title(title)
    ax.axis("off")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "coupled_dictionaries.png", dpi=80)
