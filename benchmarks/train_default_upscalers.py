"""Train the models that come with Sparsight: ``python -m benchmarks.train_default_upscalers``.

Only images of scikit-image's wheel that are stated to be CC0 or in the public domain are used.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import sparsight
from sparsight.restoration.default_models import train_default_resolver
from sparsight.restoration.factors import SCALES

FOLDER = Path(sparsight.__file__).parent / "restoration" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder to write to")
    parser.add_argument("--scales", type=int, nargs="+", default=SCALES)
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for scale in arguments.scales:
        path = arguments.output / f"upscaler_x{scale}.sparsight"
        train_default_resolver(scale, n_threads=arguments.threads).save(path)
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
