"""Inpainting and denoising beside their peers: ``python -m benchmarks.restoration --data FOLDER``.

FOLDER holds `recipe/recipe.jpg` and `set12/01.png` ... `12.png`. Every method runs on one thread; times are CPU
seconds of this process, methods in turn in one run. Errors are PSNR on values rounded to 8 bits. Masks and noise
come from fixed seeds. The priors and settings were chosen on other images: photographs of the scikit-image wheel.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from threadpoolctl import threadpool_limits

import sparsight as sp
from benchmarks._documents import table, write_section
from sparsight._kernels import instruction_set
from sparsight.patches import PatchGrid

Array: TypeAlias = NDArray[Any]
Filler: TypeAlias = Callable[[Array, NDArray[np.bool_]], Array]


def psnr(result: Array, truth: Array) -> float:
    error = np.clip(np.rint(result), 0, 255) - truth
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def ssim(result: Array, truth: Array) -> float:
    from skimage.metrics import structural_similarity

    rounded = np.clip(np.rint(result), 0, 255)
    return float(structural_similarity(rounded, truth.astype(float), data_range=255))


def recipe(data: Path) -> Array:
    image = (
        Image.open(data / "recipe" / "recipe.jpg").convert("L").resize((240, 160), Image.Resampling.BICUBIC)
    )
    return np.asarray(image)


def set12(data: Path, number: int) -> Array:
    return np.asarray(Image.open(next((data / "set12").glob(f"{number:02d}*"))).convert("L"))


def random_mask(shape: tuple[int, ...], share: float, seed: int) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.random.RandomState(seed).rand(*shape) < share
    return mask


def text_mask(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    picture = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(picture)
    for line in range(0, shape[0], 16):
        draw.text((2 + line % 7, line), "The quick brown fox jumps over the lazy dog, again", fill=255)
    return np.asarray(picture) > 127


def scratch_mask(shape: tuple[int, ...], seed: int) -> NDArray[np.bool_]:
    rng = np.random.RandomState(seed)
    picture = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        ends = [(int(rng.randint(shape[1])), int(rng.randint(shape[0]))) for _ in range(2)]
        draw.line(ends, fill=255, width=int(rng.randint(2, 4)))
    return np.asarray(picture) > 127


def ours(method: str, quality: str) -> Filler:
    return lambda image, mask: sp.inpaint(image, mask, method=method, quality=quality, n_threads=1)  # type: ignore[arg-type]


def biharmonic(image: Array, mask: NDArray[np.bool_]) -> Array:
    from skimage.restoration import inpaint_biharmonic

    return np.asarray(inpaint_biharmonic(np.where(mask, 0, image) / 255.0, mask)) * 255


def opencv(flag: str, image: Array, mask: NDArray[np.bool_]) -> Array:
    import cv2

    cv2.setNumThreads(1)
    method = {"Telea": cv2.INPAINT_TELEA, "Navier-Stokes": cv2.INPAINT_NS}[flag]
    return np.asarray(
        cv2.inpaint(np.where(mask, 0, image).astype(np.uint8), mask.astype(np.uint8), 3, method), float
    )


def article(image: Array, mask: NDArray[np.bool_]) -> Array:
    """The article's listing: K-SVD on the raw patches, 64 atoms, 5 non-zeros, 15 iterations."""
    grid = PatchGrid(image.shape, 8, 1)
    absent = grid.extract(mask).reshape(-1, 64)
    patches = grid.extract(np.where(mask, 0, image).astype(float)).reshape(-1, 64)
    learner = sp.KSVD(64, transform_n_nonzero_coefs=5, max_iter=15, n_threads=1, random_state=0)
    codes = learner.fit(patches, mask=absent).transform(patches, mask=absent)
    return np.asarray(grid.assemble((codes @ learner.components_).reshape(-1, 8, 8)))


PEERS: dict[str, Filler] = {
    "biharmonic": biharmonic,
    "Telea": partial(opencv, "Telea"),
    "Navier-Stokes": partial(opencv, "Navier-Stokes"),
}
OWN = {f"nonlocal, {quality}": ours("nonlocal", quality) for quality in ("fast", "balanced", "best")}


class Figures:
    """Figures by method, over images and seeds."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)

    def run(self, name: str, method: Callable[[], Array], truth: Array) -> float:
        start = time.process_time()
        result = method()
        seconds = time.process_time() - start
        self.rows[name].append((psnr(result, truth), ssim(result, truth), seconds))
        return self.rows[name][-1][0]

    def table(self) -> str:
        rows = []
        for name, values in self.rows.items():
            quality, structure, seconds = np.array(values).T
            spread = f" ± {quality.std(ddof=1):.2f}" if len(quality) > 1 else ""
            rows.append(
                [name, f"{quality.mean():.2f}{spread}", f"{structure.mean():.4f}", f"{seconds.mean():.2f}"]
            )
        return table(["method", "PSNR (dB)", "SSIM", "CPU seconds"], rows)


def fill(figures: Figures, image: Array, mask: NDArray[np.bool_], methods: dict[str, Filler]) -> None:
    for name, method in methods.items():
        figures.run(name, lambda method=method: method(image, mask), image)  # type: ignore[misc]


def recipe_half(data: Path, seeds: int) -> str:
    """recipe.jpg, 240×160, half the pixels missing"""
    figures, image = Figures(), recipe(data)
    methods = {**PEERS, "the article's listing": article, **OWN}
    methods |= {
        f"{name}, {q}": ours(name, q)
        for name in ("ksvd", "cosine", "structured")
        for q in ("fast", "balanced")
    }
    for seed in range(seeds):
        fill(figures, image, random_mask(image.shape, 0.5, seed), methods)
    return figures.table()


def overlays(data: Path, seeds: int) -> str:
    """recipe.jpg under text and scratches"""
    image, text, scratch = recipe(data), Figures(), Figures()
    fill(text, image, text_mask(image.shape), PEERS | OWN)
    for seed in range(seeds):
        fill(scratch, image, scratch_mask(image.shape, seed), PEERS | OWN)
    return f"Text:\n\n{text.table()}\n\nScratches:\n\n{scratch.table()}"


def random_loss(numbers: tuple[int, ...], qualities: tuple[str, ...], data: Path, seeds: int) -> str:
    parts = []
    for share in (0.5, 0.8):
        figures = Figures()
        margins = []
        for number in numbers:
            image = set12(data, number)
            for seed in range(seeds):
                mask = random_mask(image.shape, share, seed)
                peer = figures.run("biharmonic", lambda: biharmonic(image, mask), image)  # noqa: B023
                for quality in qualities:
                    own = figures.run(
                        f"nonlocal, {quality}",
                        lambda quality=quality: ours("nonlocal", quality)(image, mask),  # type: ignore[misc]  # noqa: B023
                        image,
                    )
                margins.append((own - peer, number))
        worst, where = min(margins)
        parts.append(
            f"{share:.0%} missing; least margin over biharmonic {worst:+.2f} dB (image {where}):\n\n{figures.table()}"
        )
    return "\n\n".join(parts)


def three(data: Path, seeds: int) -> str:
    """house, monarch, cameraman"""
    return random_loss((2, 5, 1), ("fast", "balanced", "best"), data, seeds)


def all_twelve(data: Path, seeds: int) -> str:
    """all twelve images of Set12"""
    return random_loss(tuple(range(1, 13)), ("balanced",), data, min(seeds, 1))


def barbara(data: Path, seeds: int) -> str:
    """Barbara, 512×512"""
    return random_loss((9,), ("balanced", "best"), data, min(seeds, 1))


def denoising(data: Path, seeds: int) -> str:
    """The seven 256×256 images of Set12 in white noise"""
    import bm3d

    parts = []
    for sigma in (15.0, 25.0, 50.0):
        figures = Figures()
        for number in range(1, 8):
            image = set12(data, number)
            for seed in range(min(seeds, 1)):
                noisy = image + sigma * np.random.RandomState(seed).randn(*image.shape)
                figures.run("BM3D", lambda: np.asarray(bm3d.bm3d(noisy, sigma)), image)  # noqa: B023
                for method in ("structured", "nonlocal"):
                    figures.run(method, partial(_denoise, noisy, sigma, method), image)
        parts.append(f"σ = {sigma:.0f}:\n\n{figures.table()}")
    return "\n\n".join(parts)


def _denoise(noisy: Array, sigma: float, method: str) -> Array:
    return sp.denoise(noisy, sigma, method=method, intensity_range=(0, 255), n_threads=1)  # type: ignore[arg-type]


def approximation(data: Path, seeds: int) -> str:
    """Sparse approximation: recipe.jpg, 1024×768, patches of 8×8 side by side, 50 atoms, 5 non-zeros"""
    del seeds
    image = np.asarray(Image.open(data / "recipe" / "recipe.jpg").convert("L")).astype(float)
    figures = Figures()
    figures.run("50 atoms from random patches, as in the article", partial(_approximate, image, False), image)
    figures.run(
        "49 atoms and the constant one, which every patch uses", partial(_approximate, image, True), image
    )
    return figures.table()


def _approximate(image: Array, with_constant: bool) -> Array:
    grid = PatchGrid(image.shape, 8, 8)
    patches = grid.extract(image).reshape(-1, 64)
    # The constant atom's coefficient is the mean of the patch; the other four are sought for what it leaves.
    means = patches.mean(axis=1, keepdims=True) if with_constant else np.zeros((len(patches), 1))
    n_atoms, n_nonzero_coefs = (49, 4) if with_constant else (50, 5)
    learner = sp.KSVD(
        n_atoms, transform_n_nonzero_coefs=n_nonzero_coefs, max_iter=30, n_threads=1, random_state=0
    )
    codes = learner.fit(patches - means).transform(patches - means)
    return np.asarray(grid.assemble((codes @ learner.components_ + means).reshape(-1, 8, 8)))


TASKS = {
    "recipe": recipe_half,
    "overlays": overlays,
    "three": three,
    "barbara": barbara,
    "denoising": denoising,
    "approximation": approximation,
    "set12": all_twelve,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with recipe/ and set12/")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/restoration.md")
    arguments = parser.parse_args()
    print(json.dumps({"instruction_set": instruction_set(), "seeds": arguments.seeds}))
    for name in arguments.tasks:
        task = TASKS[name]
        with threadpool_limits(1):
            text = f"**{task.__doc__}**\n\n{task(arguments.data, arguments.seeds)}"
        print(f"\n{text}", flush=True)
        if arguments.write:
            write_section("restoration.md", f"restoration-{name}", text)


if __name__ == "__main__":
    main()
