"""Inpainting and denoising beside their peers: ``python -m benchmarks.restoration --data FOLDER``.

FOLDER holds `recipe/recipe.jpg` and `set12/01.png` ... `12.png`. Every method runs on one thread; times are CPU
seconds of this process, methods in turn in one run. Errors are PSNR on values rounded to 8 bits. Masks and noise
come from fixed seeds. The tasks may be run one by one (`--tasks`): each has a section of its own in the page that
`--write` writes, so what was interrupted is taken up again with the tasks that are left.
"""

from __future__ import annotations

import argparse
import json
import sys
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

NAMES = (
    *(
        "cameraman",
        "house",
        "peppers",
        "starfish",
        "monarch",
        "airplane",
        "parrot",
        "lena",
        "barbara",
        "boat",
    ),
    *("man", "couple"),
)

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


def text_mask(shape: tuple[int, ...], seed: int) -> NDArray[np.bool_]:
    picture = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(picture)
    for line in range(0, shape[0], 16):
        draw.text(
            (2 + (line + 3 * seed) % 7, line + seed),
            "The quick brown fox jumps over the lazy dog",
            fill=255,
        )
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
ARTICLE: dict[str, Filler] = {"the article's listing": article}


class Figures:
    """Figures by method and seed, over images; one more line of progress after each."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, list[tuple[float, float, float]]]] = defaultdict(dict)

    def run(self, name: str, method: Callable[[], Array], truth: Array, seed: int) -> float:
        start = time.process_time()
        result = method()
        seconds = time.process_time() - start
        values = (psnr(result, truth), ssim(result, truth), seconds)
        self.rows[name].setdefault(seed, []).append(values)
        print(f"{name}, seed {seed}: {values[0]:.2f} dB, {seconds:.2f} s", file=sys.stderr, flush=True)
        return values[0]

    def fill(
        self, image: Array, mask: NDArray[np.bool_], methods: dict[str, Filler], seed: int
    ) -> list[float]:
        return [self.run(name, partial(method, image, mask), image, seed) for name, method in methods.items()]

    def table(self) -> str:
        """Means over the images; the spread is that of the seeds."""
        rows = []
        for name, by_seed in self.rows.items():
            quality, structure, seconds = np.mean(list(by_seed.values()), axis=1).T
            spread = f" ± {quality.std(ddof=1):.2f}" if len(quality) > 1 else ""
            rows.append(
                [name, f"{quality.mean():.2f}{spread}", f"{structure.mean():.4f}", f"{seconds.mean():.2f}"]
            )
        return table(["method", "PSNR (dB)", "SSIM", "CPU seconds"], rows)


def recipe_half(data: Path, seeds: int) -> str:
    """recipe.jpg, 240×160, half the pixels missing"""
    figures, image = Figures(), recipe(data)
    methods = PEERS | ARTICLE | OWN
    methods |= {
        f"{name}, {q}": ours(name, q)
        for name in ("ksvd", "cosine", "structured")
        for q in ("fast", "balanced")
    }
    for seed in range(seeds):
        figures.fill(image, random_mask(image.shape, 0.5, seed), methods, seed)
    return figures.table()


def overlays(data: Path, seeds: int) -> str:
    """recipe.jpg, 240×160, under text and scratches"""
    image, parts = recipe(data), []
    for name, of_seed in (("Text", text_mask), ("Scratches", scratch_mask)):
        figures, shares = Figures(), []
        for seed in range(seeds):
            mask = of_seed(image.shape, seed)
            shares.append(mask.mean())
            figures.fill(image, mask, PEERS | ARTICLE | OWN, seed)
        parts.append(f"{name}, {np.mean(shares):.0%} of the pixels:\n\n{figures.table()}")
    return "\n\n".join(parts)


def random_loss(
    numbers: tuple[int, ...],
    methods: dict[str, Filler],
    data: Path,
    seeds: int,
    shares: tuple[float, ...] = (0.5, 0.8),
) -> str:
    """Methods on several images; the first is the one that the last of ours has to beat on each of them."""
    parts = []
    for share in shares:
        figures, margins = Figures(), defaultdict(list)
        for seed in range(seeds):
            for number in numbers:
                image = set12(data, number)
                scores = figures.fill(image, random_mask(image.shape, share, seed), methods, seed)
                margins[number].append(scores[-1] - scores[0])
        worst = min(margins, key=lambda number: min(margins[number]))
        parts.append(
            f"{share:.0%} missing; {list(methods)[-1]} less {next(iter(methods))}, worst image and seed: "
            f"{min(margins[worst]):+.2f} dB ({NAMES[worst - 1]}).\n\n{figures.table()}"
        )
    return "\n\n".join(parts)


def three(data: Path, seeds: int) -> str:
    """house, monarch, cameraman, 256×256: their mean"""
    return random_loss((2, 5, 1), PEERS | OWN, data, seeds)


def twelve_half(data: Path, seeds: int) -> str:
    """All twelve images of Set12, half the pixels missing: their mean"""
    return _twelve(data, seeds, 0.5)


def twelve_sparse(data: Path, seeds: int) -> str:
    """All twelve images of Set12, 80 % of the pixels missing: their mean"""
    return _twelve(data, seeds, 0.8)


def _twelve(data: Path, seeds: int, share: float) -> str:
    methods = {"biharmonic": biharmonic, "nonlocal, balanced": OWN["nonlocal, balanced"]}
    return random_loss(tuple(range(1, 13)), methods, data, seeds, (share,))


def barbara(data: Path, seeds: int) -> str:
    """Barbara, 512×512"""
    own = {name: OWN[name] for name in ("nonlocal, fast", "nonlocal, balanced")}
    return random_loss((9,), PEERS | own, data, seeds)


def denoising(data: Path, seeds: int) -> str:
    """The seven 256×256 images of Set12 in white noise: their mean"""
    import bm3d

    parts = []
    for sigma in (15.0, 25.0, 50.0):
        figures = Figures()
        for seed in range(seeds):
            for number in range(1, 8):
                image = set12(data, number)
                noisy = image + sigma * np.random.RandomState(seed).randn(*image.shape)
                figures.run("BM3D", partial(bm3d.bm3d, noisy, sigma), image, seed)
                for method in ("structured", "nonlocal"):
                    figures.run(method, partial(_denoise, noisy, sigma, method), image, seed)
        parts.append(f"σ = {sigma:.0f}:\n\n{figures.table()}")
    return "\n\n".join(parts)


def _denoise(noisy: Array, sigma: float, method: str) -> Array:
    return sp.denoise(noisy, sigma, method=method, intensity_range=(0, 255), n_threads=1)  # type: ignore[arg-type]


def approximation(data: Path, seeds: int) -> str:
    """Sparse approximation: recipe.jpg, 1024×768, patches of 8×8 side by side, 50 atoms, 5 non-zeros"""
    image = np.asarray(Image.open(data / "recipe" / "recipe.jpg").convert("L")).astype(float)
    figures = Figures()
    for seed in range(seeds):
        for name, with_constant in (
            ("50 atoms from random patches, as in the article", False),
            ("49 atoms and the constant one, which every patch uses", True),
        ):
            figures.run(name, partial(_approximate, image, with_constant, seed), image, seed)
    return figures.table()


def _approximate(image: Array, with_constant: bool, seed: int) -> Array:
    grid = PatchGrid(image.shape, 8, 8)
    patches = grid.extract(image).reshape(-1, 64)
    # The constant atom's coefficient is the mean of the patch; the other four are sought for what it leaves.
    means = patches.mean(axis=1, keepdims=True) if with_constant else np.zeros((len(patches), 1))
    n_atoms, n_nonzero_coefs = (49, 4) if with_constant else (50, 5)
    learner = sp.KSVD(
        n_atoms, transform_n_nonzero_coefs=n_nonzero_coefs, max_iter=30, n_threads=1, random_state=seed
    )
    codes = learner.fit(patches - means).transform(patches - means)
    return np.asarray(grid.assemble((codes @ learner.components_ + means).reshape(-1, 8, 8)))


def speed(data: Path, seeds: int) -> str:
    """Against the prototypes in NumPy and Numba that came before the package"""
    contenders = {
        "recipe, 50 %, fast": (recipe(data), 0.5, ours("nonlocal", "fast"), (37.0, 1.0)),
        "recipe, 50 %, balanced": (recipe(data), 0.5, ours("nonlocal", "balanced"), (37.67, 15)),
        "recipe, 50 %, ksvd, balanced": (recipe(data), 0.5, ours("ksvd", "balanced"), (33.70, 4.1)),
        "Barbara, 50 %, balanced": (set12(data, 9), 0.5, ours("nonlocal", "balanced"), (38.48, 87)),
        "Barbara, 80 %, balanced": (set12(data, 9), 0.8, ours("nonlocal", "balanced"), (32.12, 63)),
    }
    rows = []
    for name, (image, share, method, (prototype, prototype_seconds)) in contenders.items():
        figures = Figures()
        mask = random_mask(image.shape, share, 0)
        runs = seeds if image.size < 2**16 else 1
        for run in range(runs):
            figures.fill(image, mask, {name: method}, run)
        quality, _, seconds = np.median([values[0] for values in figures.rows[name].values()], axis=0)
        ratio = prototype_seconds / seconds
        rows.append(
            [
                name,
                f"{prototype:.2f} in {prototype_seconds:g} s",
                f"{quality:.2f} in {seconds:.2f} s",
                f"{ratio:.0f}×",
            ]
        )
    return table(["task", "prototype (dB, CPU)", "package (dB, CPU)", "speed-up"], rows)


TASKS = {
    "speed": speed,
    "recipe": recipe_half,
    "overlays": overlays,
    "three": three,
    "barbara": barbara,
    "denoising": denoising,
    "approximation": approximation,
    "set12-half": twelve_half,
    "set12-sparse": twelve_sparse,
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
            counted = f"{arguments.seeds} seed{'s' if arguments.seeds > 1 else ''}"
            text = f"**{task.__doc__}** ({counted})\n\n{task(arguments.data, arguments.seeds)}"
        print(f"\n{text}", flush=True)
        if arguments.write:
            write_section("restoration.md", f"restoration-{name}", text)


if __name__ == "__main__":
    main()
