"""What `benchmarks.scale_invariance` trains and tests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from benchmarks._nanotwice import NanoTwice
from sparsight.datasets import nanofibres
from sparsight.datasets._nanofibres.sample import DENSITIES
from sparsight.images import read_image, read_mask

SCALES = (1.0, 0.85, 0.75, 0.67, 0.6, 0.5)
Sample = tuple[NDArray[np.uint8], NDArray[np.bool_]]


@dataclass(frozen=True)
class Experiment:
    """Normal images to train on, images with anomalies by scale, and what the oracle is trained on."""

    name: str
    description: str
    training: list[NDArray[np.uint8]]
    tests: dict[float, list[Sample]]
    oracle_training: Callable[[float], list[NDArray[np.uint8]]]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> Sample:
        """The first image at the lowest scale but one: what its score maps look like is shown."""
        return self.tests[sorted(self.tests)[1]][0]


@dataclass(frozen=True)
class _Mat:
    """A kind of mat, and how its patches are treated."""

    name: str
    density: str | float
    diameter: float
    treatment: str
    settings: dict[str, Any] = field(default_factory=dict)


_UNIT = "Patches of unit norm; those that show nothing but ground count as normal."
_MATS = (
    _Mat(
        "nanofibres thin",
        0.15,
        12.0,
        "Every patch is scaled to unit norm, learned from and judged, also those of empty ground, which are noise.",
        {"empty_is_normal": False},
    ),
    _Mat("nanofibres thin spared", 0.15, 12.0, _UNIT),
    _Mat("nanofibres sparse", "sparse", 12.0, _UNIT),
    _Mat("nanofibres sparse raw", "sparse", 12.0, "Patches as they are.", {"unit_norm": False}),
    _Mat("nanofibres middle", "middle", 12.0, _UNIT),
    _Mat("nanofibres dense", "dense", 9.0, _UNIT),
)


def nanofibre_mats(quick: bool) -> list[Experiment]:
    """Synthetic micrographs at true magnifications: thin, sparse, middle and dense mats."""
    size, n_training, n_tests = (320, 4, 2) if quick else (512, 6, 8)
    scales = (1.0, 0.75, 0.6, 0.5) if quick else SCALES
    experiments = []
    for mat in _MATS:
        looks: dict[str, Any] = dict(shape=(size, size), density=mat.density, fibre_diameter=mat.diameter)

        def normal(scale: float, looks: dict[str, Any] = looks) -> list[NDArray[np.uint8]]:
            return [
                nanofibres(**looks, magnification=scale, defects=None, random_state=seed).image.pixels
                for seed in range(n_training)
            ]

        def damaged(scale: float, looks: dict[str, Any] = looks) -> list[Sample]:
            samples = [
                nanofibres(**looks, magnification=scale, random_state=1000 + seed) for seed in range(n_tests)
            ]
            return [(sample.image.pixels, sample.mask) for sample in samples]

        density = DENSITIES.get(str(mat.density), mat.density)
        experiments.append(
            Experiment(
                mat.name,
                f"## Synthetic {mat.name}\n\n{mat.treatment} {density:g} fibres of {mat.diameter:g} pixels at scale 1 "
                f"above a point of the ground, rendered at true magnifications; {n_training} normal images of "
                f"{size}×{size} pixels at scale 1, {n_tests} images with defects at each scale. The oracles are "
                f"trained on {n_training} images rendered at the scale of the test.",
                normal(1.0),
                {scale: damaged(scale) for scale in scales},
                normal,
                mat.settings,
            )
        )
    return experiments


_NANOTWICE: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    (
        "nanotwice",
        "NanoTWICE, patches of 32 pixels",
        "Patches as they are, both as in the article.",
        {"unit_norm": False},
    ),
    (
        "nanotwice small",
        "NanoTWICE, patches of 8 pixels",
        "Patches of 8 pixels every 4, of unit norm, λ = 0.05, as chosen on the validation images.",
        {"patch_size": 8, "stride": 4, "relative_penalty": 0.05},
    ),
)


def nanotwice(folder: Path, quick: bool) -> list[Experiment]:
    """Micrographs shrunk in software, with their masks."""
    images = NanoTwice(folder)
    normal = [read_image(path).pixels for path in images.normal]
    chosen = images.test[: 3 if quick else None]
    scales = (1.0, 0.75, 0.6, 0.5) if quick else SCALES
    samples = [(read_image(path).pixels, read_mask(images.truth(path))) for path in chosen]
    tests = {
        scale: [(shrink(image, scale), shrink_mask(mask, scale)) for image, mask in samples]
        for scale in scales
    }
    trained = (
        f"Trained on the {len(normal)} normal images; {len(samples)} anomalous images and their masks (without "
        "the validation images 1108, 1115, 1127, 1131, 1135), shrunk in software."
    )
    return [
        Experiment(
            name,
            f"## {title}\n\n{treatment} {trained}",
            normal,
            tests,
            lambda scale: [shrink(image, scale) for image in normal],
            settings,
        )
        for name, title, treatment, settings in _NANOTWICE
    ]


def kth_tips(folder: Path, quick: bool) -> list[Experiment]:
    """Wool and linen from several distances, with discs of each other at the same distance."""
    levels = {2 ** ((2 - s) / 4): f"s{s:02d}" for s in ((2, 4, 6) if quick else range(2, 7))}
    lights = ("i01", "i02", "i03", "i04")

    def photograph(material: str, scale: float, light: str) -> NDArray[np.uint8]:
        pixels = read_image(folder / f"{material}_{levels[scale]}_{light}.jpg").pixels
        return pixels if pixels.ndim == 2 else np.rint(pixels.mean(axis=2)).astype(np.uint8)

    def upper_halves(material: str) -> Callable[[float], list[NDArray[np.uint8]]]:
        return lambda scale: [_upper(photograph(material, scale, light)) for light in lights]

    experiments = []
    for material, foreign in (("wool", "linen"), ("linen", "wool")):
        tests = {
            scale: [
                _with_discs(
                    _lower(photograph(material, scale, light)), _lower(photograph(foreign, scale, light)), i
                )
                for i, light in enumerate(lights)
            ]
            for scale in levels
        }
        experiments.append(
            Experiment(
                f"kth {material}",
                f"## KTH-TIPS2: {foreign} in {material}\n\nTrained on the upper half of {len(lights)} photographs "
                f"of {material} from the shortest distance; tested on the lower half of those from each distance, "
                f"with discs of {foreign} from the same distance, of the same mean and contrast. Scales are "
                "nominal. Patches of 16 pixels.",
                upper_halves(material)(1.0),
                tests,
                upper_halves(material),
                {"patch_size": 16, "stride": 4},
            )
        )
    return experiments


def shrink(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Shrink an image in software, antialiased."""
    if scale == 1:
        return image
    shape = tuple(round(length * scale) for length in image.shape)
    small = resize(image, shape, order=3, anti_aliasing=True, preserve_range=True)
    return np.asarray(np.clip(np.rint(small), 0, 255), dtype=np.uint8)


def shrink_mask(mask: NDArray[np.bool_], scale: float) -> NDArray[np.bool_]:
    """Shrink a mask: True where at least half of a pixel was."""
    if scale == 1:
        return mask
    shape = tuple(round(length * scale) for length in mask.shape)
    return np.asarray(resize(mask.astype(np.float32), shape, order=1, anti_aliasing=True) >= 0.5)


def _upper(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image[: len(image) // 2]


def _lower(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image[len(image) // 2 :]


def _with_discs(image: NDArray[np.uint8], foreign: NDArray[np.uint8], seed: int) -> Sample:
    """Three discs of foreign material, matched in mean and standard deviation."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(image.shape)
    height, width = image.shape
    mask = np.zeros(image.shape, bool)
    for third in range(3):
        radius = rng.uniform(18, 30)
        row = rng.uniform(radius, height - radius)
        column = (third + rng.uniform(0.35, 0.65)) * width / 3
        mask |= np.hypot(rows - row, columns - column) <= radius
    matched = (foreign - foreign.mean()) / foreign.std() * image.std() + image.mean()
    return np.where(mask, np.clip(np.rint(matched), 0, 255), image).astype(np.uint8), mask
