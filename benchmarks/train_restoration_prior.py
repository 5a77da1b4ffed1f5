"""Train the prior that ships with the package: ``python -m benchmarks.train_restoration_prior``.

Only photographs that come inside the scikit-image wheel and that its README states to be CC0 or in the public
domain serve; nothing is downloaded, and no image on which figures are reported is among them.
"""

from __future__ import annotations

from pathlib import Path

import skimage

import sparsight.restoration
from sparsight.restoration import GaussianMixturePrior

PHOTOGRAPHS = (
    "astronaut.png",  # NASA, public domain
    "brick.png",  # CC0
    "camera.png",  # CC0
    "chelsea.png",  # CC0
    "coffee.png",  # CC0
    "grass.png",  # CC0
    "gravel.png",  # CC0
    "rocket.jpg",  # SpaceX, CC0
)


def main() -> None:
    folder = Path(skimage.__file__).parent / "data"
    prior = GaussianMixturePrior.fit([folder / name for name in PHOTOGRAPHS], random_state=0)
    target = Path(sparsight.restoration.__file__).parent / "data" / "photographs.safetensors"
    prior.save(target)
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
