"""The figures of ``sparsight upscale --compare``."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsight.images import Image


def say_fidelity(image: Image, result: Image, truth: Image, scale: float) -> None:
    """Print PSNR and SSIM of the result and of bicubic interpolation, with the channel and border."""
    from rich.table import Table

    from sparsight.restoration import fidelity, imresize

    from ._console import say, show

    border = math.ceil(scale)
    height, width = result.pixels.shape[:2]
    # What does not fill a pixel of the reduced image is usually cut off before reducing.
    if all(0 <= n - m < border for n, m in zip(truth.pixels.shape, (height, width), strict=False)):
        truth = replace(truth, pixels=truth.pixels[:height, :width])
    bicubic = replace(result, pixels=imresize(image.pixels, shape=(height, width)))
    table = Table("", "PSNR (dB)", "SSIM")
    for name, upscaled in (("Sparsight", result), ("bicubic", bicubic)):
        found = fidelity(upscaled, truth, border=border)
        table.add_row(name, f"{found.psnr:.2f}", f"{found.ssim:.4f}")
    show(table)
    say(f"Compared on {found.channel}, without {border} pixels at each edge.")
