"""Online learning: a dictionary that improves while patches stream in, and workers that are added.

    python examples/online_dictionary.py [PICTURE]

Half of the patches of a photograph come in ten portions, and one learner follows them. Four workers share the rest:
each codes a quarter over the dictionary reached so far. Their sum is what one worker would have learned from all.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from skimage.data import astronaut, chelsea
from skimage.util import montage

from sparsight import OnlineDictionary
from sparsight.features import remove_mean
from sparsight.patches import PatchGrid


def patches_of(image, stride):
    grey = image.mean(axis=2) / 255
    return remove_mean(PatchGrid(grey.shape, 8, stride).extract(grey).reshape(-1, 64))[0]


def unexplained(learner):
    rest = held_out - learner.inverse_transform(learner.transform(held_out))
    return np.square(rest).sum() / np.square(held_out).sum()


rng = np.random.default_rng(0)
patches = rng.permutation(patches_of(astronaut(), 3))
held_out = patches_of(chelsea(), 7)

settings = dict(n_components=100, transform_n_nonzero_coefs=4, batch_size=128, random_state=0)
learner = OnlineDictionary(**settings)
stream, last = np.array_split(patches, [len(patches) // 2])
seen, errors, first_atoms = [], [], None
for portion in np.array_split(stream, 10):
    learner.partial_fit(portion)
    first_atoms = learner.initial_components_ if first_atoms is None else first_atoms
    seen.append(learner.statistics_.n_patches)
    errors.append(unexplained(learner))

workers = [
    OnlineDictionary(**settings, dictionary_init=learner.components_).accumulate(portion)
    for portion in np.array_split(last, 4)
]
total = sum(workers, start=learner)
print(f"unexplained after the stream {errors[-1]:.2%}, with the workers added {unexplained(total):.2%}")

figure, axes = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained", width_ratios=(1, 1, 1.2))
for ax, atoms, title in zip(
    axes, (first_atoms, total.components_), ("random patches to begin with", "learned"), strict=False
):
    ax.imshow(
        montage(atoms.reshape(-1, 8, 8).copy(), fill=np.nan, padding_width=1, rescale_intensity=True),
        cmap="gray",
    )
    ax.set_title(title)
    ax.axis("off")
axes[2].plot(seen, errors, "o-", label="one learner, portion by portion")
axes[2].plot(total.statistics_.n_patches, unexplained(total), "s", label="with four workers added")
axes[2].set(title="share of another photograph not explained", xlabel="patches learned from")
axes[2].yaxis.set_major_formatter("{x:.1%}")
axes[2].legend()
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "online_dictionary.png", dpi=80)
