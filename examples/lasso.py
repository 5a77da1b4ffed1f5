"""The lasso: how the penalty trades closeness for sparsity, shown on a noisy photograph.

    python examples/lasso.py [PICTURE]

Patches are coded over 256 cosine atoms. Towards a penalty of zero the noise is coded too; too large a penalty leaves
details out. (To denoise in earnest, use `sparsight.denoise`.)
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from skimage.data import chelsea
from skimage.metrics import peak_signal_noise_ratio

from sparsight import cosine_dictionary
from sparsight.coding import lasso
from sparsight.features import remove_mean
from sparsight.patches import PatchGrid

photograph = chelsea()[20:220, 100:300].mean(axis=2) / 255
sigma = 0.1
noisy = photograph + sigma * np.random.default_rng(0).standard_normal(photograph.shape)
grid = PatchGrid(noisy.shape, 8, stride=2)
patches, means = remove_mean(grid.extract(noisy).reshape(-1, 64))
atoms = cosine_dictionary(8, 257)[1:]  # without the constant atom


def denoised(penalty):
    coding = lasso(patches, atoms, penalty=penalty)
    image = grid.assemble((coding.codes @ atoms + means).reshape(-1, 8, 8))
    return image, coding.n_nonzero.mean()


penalties = sigma * np.geomspace(0.3, 10, 10)
decibels, sparsity, images = [], [], []
for penalty in penalties:
    image, n_nonzero = denoised(penalty)
    images.append(image)
    sparsity.append(n_nonzero)
    decibels.append(peak_signal_noise_ratio(photograph, image, data_range=1))
best = int(np.argmax(decibels))
before = peak_signal_noise_ratio(photograph, noisy, data_range=1)
print(f"noisy {before:.1f} dB; penalty {penalties[best] / sigma:.1f} sigma gives {decibels[best]:.1f} dB")

figure, axes = plt.subplots(1, 4, figsize=(16, 4.2), layout="constrained", width_ratios=(1, 1, 1, 1.2))
panels = {
    f"noisy: {before:.1f} dB": noisy,
    f"penalty {penalties[best] / sigma:.1f} σ: {decibels[best]:.1f} dB": images[best],
    f"penalty {penalties[-1] / sigma:.0f} σ: {decibels[-1]:.1f} dB": images[-1],
}
for ax, (title, panel) in zip(axes, panels.items(), strict=False):
    ax.imshow(panel, cmap="gray", vmin=0, vmax=1)
    ax.set_title(title)
    ax.axis("off")
axes[3].semilogx(penalties / sigma, sparsity, "o-", color="tab:orange")
axes[3].set(xlabel="penalty / σ", ylim=(0, None))
axes[3].set_ylabel("non-zeros of a patch", color="tab:orange")
other = axes[3].twinx()
other.semilogx(penalties / sigma, decibels, "o-")
other.set_ylabel("PSNR in dB", color="tab:blue")
axes[3].set_title("along the path")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "lasso.png", dpi=80)
