"""How well and how fast images are upscaled, into docs/super_resolution.md.

    python -m benchmarks.super_resolution --training T91_FOLDER --test SET5_FOLDER

Follows the protocol of the literature: luminance Y (BT.601, 16 to 235) of the truth, cut to a multiple of the
scale, reduced by imresize and upscaled; as many pixels as the scale are cut off at each edge; PSNR and SSIM of
the images rounded to 256 levels. Nothing is chosen on the test images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._documents import table, write_section
from benchmarks._timing import cpu_seconds
from sparsight import CoupledDictionaries, Image, SuperResolver, imresize, list_images, read_image
from sparsight.restoration import fidelity
from sparsight.restoration.default_models import default_resolver

Upscale = Callable[[NDArray[np.float32]], NDArray[Any]]
PAGE = "super_resolution.md"
N_REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--training", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--coupled-scales", type=int, nargs="*", default=[3])
    arguments = parser.parse_args()
    training = [_luminance(path) for path in list_images([arguments.training])]
    test = [_luminance(path) for path in list_images([arguments.test])]
    cells: dict[str, dict[int, str]] = {}
    seconds: list[list[str]] = []
    fast: dict[int, SuperResolver] = {}
    for scale in arguments.scales:
        methods = dict(interpolations(scale))
        for name, resolver in trained(training, scale, scale in arguments.coupled_scales, seconds):
            if name == "anchored":
                fast[scale] = resolver
                methods |= _qualities("anchored, T91", resolver)
            else:
                methods[name] = resolver.upscale
        methods |= _qualities("anchored, default model", default_resolver(scale))
        for name, upscale in methods.items():
            cells.setdefault(name, {})[scale] = measured(test, scale, upscale)
            print(scale, name, cells[name][scale], flush=True)
    header = ["PSNR (dB) / SSIM", *(f"×{scale}" for scale in arguments.scales)]
    rows = [[name, *(found.get(scale, "") for scale in arguments.scales)] for name, found in cells.items()]
    write_section(PAGE, "quality", table(header, rows))
    write_section(PAGE, "training", table(["training, one thread", "scale", "CPU seconds"], seconds))
    header = ["one thread, one stage", "ours (s)", "balanced (s)", "OpenCV cubic (s)", "OpenCV Lanczos (s)"]
    rows = [speed(fast[s], s, n) for s, n in ((2, 256), (3, 512), (4, 256)) if s in fast]
    write_section(PAGE, "speed", table(header, rows))


def interpolations(scale: int) -> Iterable[tuple[str, Upscale]]:
    import cv2

    def opencv(kind: int) -> Upscale:
        return lambda low: np.asarray(cv2.resize(low, None, fx=scale, fy=scale, interpolation=kind))

    yield "bicubic (imresize)", lambda low: imresize(low, scale)
    yield "OpenCV cubic", opencv(cv2.INTER_CUBIC)
    yield "OpenCV Lanczos", opencv(cv2.INTER_LANCZOS4)


def trained(
    training: list[NDArray[np.float32]], scale: int, with_coupled: bool, seconds: list[list[str]]
) -> Iterable[tuple[str, SuperResolver]]:
    """Train each method in turn, and note the time."""
    methods: dict[str, dict[str, Any]] = {}
    if with_coupled:
        joint = CoupledDictionaries(learning="joint")
        methods["coupled, raw pixels, joint (the article)"] = {"dictionaries": joint, "features": "pixels"}
        methods["coupled, gradients, joint (Yang et al.)"] = {"dictionaries": joint}
        methods["coupled, least squares (Zeyde et al.)"] = {"dictionaries": CoupledDictionaries()}
    methods["anchored"] = {}
    for name, settings in methods.items():
        method = "coupled" if "dictionaries" in settings else "anchored"
        started = time.process_time()
        resolver = SuperResolver(scale, method=method, n_threads=1, **settings).fit(training)
        spent = time.process_time() - started
        seconds.append([name, f"×{scale}", f"{spent:.0f}"])
        print(scale, name, f"trained in {spent:.0f} s", flush=True)
        yield name, resolver


def measured(test: list[NDArray[np.float32]], scale: int, upscale: Upscale) -> str:
    """Mean PSNR and SSIM over the test images."""
    found = []
    for image in test:
        truth = image[: image.shape[0] // scale * scale, : image.shape[1] // scale * scale]
        result = np.clip(upscale(imresize(truth, 1 / scale)), 0, 1)
        found.append(fidelity(Image(result, (0, 1)), Image(truth, (0, 1)), border=scale))
    return f"{np.mean([f.psnr for f in found]):.2f} / {np.mean([f.ssim for f in found]):.4f}"


def speed(resolver: SuperResolver, scale: int, edge: int) -> list[str]:
    """CPU seconds for a square image, the peers taken in turn, the best of several rounds."""
    import cv2
    from skimage.data import astronaut

    cv2.setNumThreads(1)
    low = imresize(astronaut()[:, :, 1], edge / 512).astype(np.float32) / 255
    peers: list[Callable[[], object]] = [
        lambda: resolver.upscale(low, quality="fast"),
        lambda: resolver.upscale(low, quality="balanced"),
        lambda: cv2.resize(low, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC),
        lambda: cv2.resize(low, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4),
    ]
    rounds = [[cpu_seconds(peer) for peer in peers] for _ in range(N_REPEATS)]
    best = np.min(rounds, axis=0)
    return [f"{edge}² → {edge * scale}²", *(f"{value:.3f}" for value in best)]


def _qualities(name: str, resolver: SuperResolver) -> dict[str, Upscale]:
    resolver.n_threads = 1
    return {
        f"{name}, 1 stage": lambda low: resolver.upscale(low, quality="fast"),
        f"{name}, all stages": lambda low: resolver.upscale(low),
        f"{name}, all stages + ensemble": lambda low: resolver.upscale(low, quality="best"),
    }


def _luminance(path: Path) -> NDArray[np.float32]:
    """Y of BT.601 with 16 levels of footroom, as a fraction of 255."""
    image = read_image(path)
    if image.n_channels == 1:
        return (image.pixels / 255).astype(np.float32)
    weights = np.array([65.481, 128.553, 24.966]) / 255
    return ((image.pixels @ weights + 16) / 255).astype(np.float32)


if __name__ == "__main__":
    main()
