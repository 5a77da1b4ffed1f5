"""Draw the pictures of docs/restoration.md: ``python -m benchmarks.restoration_pictures``.

From photographs in the scikit-image wheel. Some of them trained the shipped prior: the pictures show what the
functions do; figures come from `benchmarks.restoration`, on other images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage import data

import sparsight as sp
from benchmarks._documents import DOCS

GAP = 6


def beside(*pictures: NDArray[Any]) -> NDArray[np.uint8]:
    parts = []
    for picture in pictures:
        colour = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
        parts += [
            np.clip(np.rint(colour), 0, 255).astype(np.uint8),
            np.full((len(colour), GAP, 3), 255, np.uint8),
        ]
    return np.hstack(parts[:-1])


def magenta(picture: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    colour = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    return np.where(mask[:, :, None], (255, 0, 255), colour)


def main() -> None:
    folder = DOCS / "pictures"
    folder.mkdir(exist_ok=True)
    photograph = data.coffee()[60:300, 180:420]
    mask = np.random.default_rng(0).random(photograph.shape[:2]) < 0.8
    sp.write_image(
        folder / "inpainting_random.png",
        beside(np.where(mask[:, :, None], 0, photograph), sp.inpaint(photograph, mask), photograph),
    )
    cat = data.chelsea()[20:260, 80:320]
    note = Image.new("L", (240, 240))
    draw = ImageDraw.Draw(note)
    for line in range(4, 240, 26):
        draw.text((4, line), "sparse codes fill what is missing", fill=255)
    draw.line([(10, 200), (230, 30)], fill=255, width=3)
    mask = np.asarray(note) > 127
    sp.write_image(folder / "inpainting_text.png", beside(magenta(cat, mask), sp.inpaint(cat, mask), cat))
    truth = data.astronaut()[20:260, 120:360]
    noisy = truth + 25 * np.random.default_rng(0).standard_normal(truth.shape)
    clean = sp.denoise(noisy, 25, intensity_range=(0, 255))
    sp.write_image(folder / "denoising.png", beside(noisy, clean, truth))


if __name__ == "__main__":
    main()
