"""The listings of the HACARUS article, in our own words: only the imports had to change.

    python examples/article_listing.py [PICTURE]

1. Half of the pixels of a photograph are lost; a dictionary learned from what is left fills them in.
2. A board is inspected after learning from one good board; both are drawn here, the article's are photographs.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio
from sklearn.feature_extraction.image import extract_patches_2d, reconstruct_from_patches_2d
from sklearn.preprocessing import StandardScaler

# The article imports these from spmimage.
from sparsight import KSVD
from sparsight.patches import extract_simple_patches_2d, reconstruct_from_simple_patches_2d

rng = np.random.default_rng(0)

# --- 1. Missing pixels: black means missing, as in the article -----------------------------------------------
img = np.maximum(astronaut()[20:180, 130:310].mean(axis=2), 1)
deficit_img = img * (rng.random(img.shape) > 0.5)

patch_size = (8, 8)
patches = extract_patches_2d(deficit_img, patch_size).reshape(-1, 64)
model = KSVD(n_components=64, transform_n_nonzero_coefs=5, max_iter=15, missing_value=0)
X = model.fit_transform(patches)
D = model.components_
filled_img = reconstruct_from_patches_2d((X @ D).reshape(-1, *patch_size), img.shape)
print(f"half of the pixels missing: {peak_signal_noise_ratio(img, deficit_img, data_range=255):.2f} dB,")
print(f"filled in:                 {peak_signal_noise_ratio(img, filled_img, data_range=255):.2f} dB")


# --- 2. Two boards: one good, one with six scratches and holes -------------------------------------------------
def board(n_defects):
    grain = gaussian_filter(rng.standard_normal((320, 480)), (1.5, 60))
    image = 120 + 25 * grain / grain.std() + rng.normal(0, 2, grain.shape)
    rows, columns = np.indices(image.shape)
    for row, column in zip(rng.integers(40, 280, n_defects), np.linspace(50, 430, n_defects), strict=True):
        along = np.abs(rows - row) < rng.integers(8, 30)
        across = np.abs(columns - column - 0.2 * (rows - row)) < rng.uniform(2, 6)
        image[along & across] += rng.choice([-60, 60]) + rng.normal(0, 15, np.count_nonzero(along & across))
    return image


ok_img, ng_img = board(0), board(6)
patch_size = (16, 16)
scl = StandardScaler()
Y = scl.fit_transform(extract_simple_patches_2d(ok_img, patch_size).reshape(-1, 256))
# Ten atoms and three non-zeros: enough for the grain of the wood, not for anything else.
ksvd = KSVD(n_components=10, transform_n_nonzero_coefs=3, max_iter=15, random_state=0).fit(Y)


def reconstruct(image):
    coded = ksvd.transform(scl.transform(extract_simple_patches_2d(image, patch_size).reshape(-1, 256)))
    rebuilt = scl.inverse_transform(coded @ ksvd.components_).reshape(-1, *patch_size)
    return reconstruct_from_simple_patches_2d(rebuilt, image.shape)


error = np.abs(ng_img - reconstruct(ng_img))
threshold = np.quantile(np.abs(ok_img - reconstruct(ok_img)), 0.9999)
share = 100 * np.mean(error > threshold)
print(f"error above {threshold:.0f} grey levels: {share:.2f} % of the damaged board, 0.01 % of the good one")

# --- The picture -----------------------------------------------------------------------------------------------
figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
panels = {
    "half of the pixels missing": deficit_img,
    "filled in": filled_img,
    "the original": img,
    "a damaged board": ng_img,
    "its sparse reconstruction": reconstruct(ng_img),
    "error above the threshold": error > threshold,
}
for ax, (title, panel) in zip(axes.ravel(), panels.items(), strict=True):
    ax.imshow(panel, cmap="gray", vmin=0, vmax=1 if panel.dtype == bool else 255)
    ax.set_title(title)
    ax.axis("off")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "article_listing.png", dpi=80)
