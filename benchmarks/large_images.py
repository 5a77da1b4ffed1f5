"""Peak memory and time of inspecting a large image, and its scores against those of other tilings.

    python -m benchmarks.large_images [--megapixels 100] [--recipes universal scales group-coding]

The image is a synthetic mat of nanofibres of one megapixel with defects, repeated. Each inspection runs in a process
of its own, on one thread, whose peak resident memory the system tells: once from Python, where the score map and the
mask are kept, and once as `sparsight inspect`, which writes pictures, scores and the report, too. `scales` is the
universal recipe with a range of magnifications.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sparsight as sp
from sparsight.datasets import nanofibres
from sparsight.images import write_image
from sparsight.inspection import tiles

SIDE = 1_000
INSPECT = "import sys, sparsight as sp; sp.AnomalyDetector.load(sys.argv[1]).inspect(sys.argv[2])"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megapixels", type=int, default=100)
    parser.add_argument("--recipes", nargs="+", default=["universal", "scales", "group-coding"])
    arguments = parser.parse_args()
    mat = nanofibres((SIDE, SIDE), random_state=100).image.pixels
    good = [nanofibres((512, 512), defects=None, random_state=seed).image.pixels for seed in range(3)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = folder / "large.tif"
        write_image(image, tiled(mat, arguments.megapixels))
        for recipe in arguments.recipes:
            settings = {"scales": (1.0, 0.5)} if recipe == "scales" else {"method": recipe}
            detector = sp.AnomalyDetector(**settings, n_threads=1, false_alarm_rate=0.001).fit(good)
            model = folder / f"{recipe}.sparsight"
            detector.save(model)
            compare_tilings(recipe, detector, tiled(mat, 4))
            found = folder / f"found-{recipe}"
            commands = {
                "AnomalyDetector.inspect": ["-c", INSPECT, str(model), str(image)],
                "sparsight inspect": ["-m", "sparsight", "inspect", str(model), str(image), "-o", str(found)],
            }
            for what, command in commands.items():
                report(f"{recipe}, {arguments.megapixels} megapixels, {what}", command)


def tiled(mat: NDArray[np.uint8], megapixels: int) -> NDArray[np.uint8]:
    """An image of about as many megapixels."""
    down = int(np.sqrt(megapixels))
    return np.tile(mat, (down, -(-megapixels // down)))


def compare_tilings(recipe: str, detector: sp.AnomalyDetector, image: NDArray[np.uint8]) -> None:
    """Compare scores of tiles of several sizes with those of the image in one piece."""
    usual, scores = tiles.SIDE, []
    for side in (10**6, 700, 311):
        tiles.SIDE = side
        scores.append(detector.score_map(image))
    tiles.SIDE = usual
    n_different = sum(int(np.sum(part != scores[0])) for part in scores[1:])
    print(
        f"{recipe}: margin {detector.margin_} pixels; {n_different} of {2 * image.size:,} scores differ",
        flush=True,
    )


def report(what: str, command: list[str]) -> None:
    """Run Python in a process of its own and print what it took."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{what} failed")
    seconds = usage.ru_utime + usage.ru_stime
    mebibytes = usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    print(
        f"{what}: {mebibytes:,.0f} MiB at most, {seconds:.0f} s of CPU time "
        f"({time.perf_counter() - started:.0f} s on the clock)",
        flush=True,
    )


if __name__ == "__main__":
    main()
