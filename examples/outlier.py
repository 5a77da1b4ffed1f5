"""Coding with an outlier term: what a dictionary of good bricks cannot explain is set aside.

    python examples/outlier.py [PICTURE]

Each patch is s = D x + e, with an l1 penalty on x and one on the norm of e. Where e is not zero, the patch is no
combination of few atoms of the good wall. (To inspect in earnest, use `sparsight.AnomalyDetector`.)
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from skimage.data import brick, gravel
from skimage.draw import ellipse, line

from sparsight import OnlineDictionary
from sparsight.coding import outlier
from sparsight.features import cosine_basis, cosine_features
from sparsight.patches import PatchGrid

wall = brick() / 255
good, damaged = wall[256:], wall[:256, 128:384].copy()
defects = np.zeros(damaged.shape, bool)
defects[ellipse(75, 80, 22, 30)] = True
damaged[defects] = gravel()[:256, :256][defects] / 255  # a hole, filled with gravel
rows, columns = line(120, 110, 215, 220)
for shift in (-1, 0, 1):  # and a scratch
    defects[rows + shift, columns] = True
    damaged[rows + shift, columns] += 0.25

basis = cosine_basis((16, 16), 120)


def coded_features(image):
    grid = PatchGrid(image.shape, 16, stride=4)
    return grid, cosine_features(grid.extract(image), len(basis))


normal = np.random.default_rng(0).permutation(coded_features(good)[1])
learned, held_out = np.array_split(normal, 2)
atoms = OnlineDictionary(100, penalty=0.1, max_iter=3, random_state=0).fit(learned).components_

# The penalty on the outlier is the norm from which on a residual is one: all but 1 % of good patches are below.
norms = outlier(held_out, atoms, penalty=0.1, outlier_penalty=1e6, output="reductions").residual_norm
outlier_penalty = np.quantile(norms, 0.99)

grid, features = coded_features(damaged)
coding = outlier(features, atoms, penalty=0.1, outlier_penalty=outlier_penalty)
rest = features - coding.codes @ atoms
shares = coding.outlier_norm / coding.residual_norm  # e is the part of the rest that is beyond the penalty
set_aside = grid.assemble((shares[:, None] * rest @ basis).reshape(-1, 16, 16))
found = grid.vote(coding.outlier_norm)
print(f"{np.mean(coding.outlier_norm > 0):.1%} of the patches have an outlier; its median size is")
print(f"{np.median(found[defects]):.3f} on the defects and {np.median(found[~defects]):.3f} elsewhere")

figure, axes = plt.subplots(1, 3, figsize=(13, 4.5), layout="constrained")
axes[0].imshow(damaged, cmap="gray")
axes[0].set_title("a wall with a hole and a scratch")
axes[1].imshow(set_aside, cmap="gray", vmin=-0.25, vmax=0.25)
axes[1].set_title("what is set aside, e")
shown = axes[2].imshow(found, cmap="magma")
axes[2].contour(defects, levels=[0.5], colors="w", linewidths=0.5)
axes[2].set_title("its size, ‖e‖, by vote of the patches")
figure.colorbar(shown, ax=axes[2], shrink=0.8)
for ax in axes:
    ax.axis("off")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "outlier.png", dpi=80)
