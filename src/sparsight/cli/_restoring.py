"""What ``sparsight inpaint`` and ``sparsight denoise`` share: pixels out, comparison, before-and-after picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sparsight.images import Image

Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help="Where the result goes.", show_default=False)
]
Compare = Annotated[
    Path | None,
    typer.Option(metavar="TRUTH", help="The undamaged image: print PSNR and SSIM.", show_default=False),
]
Preview = Annotated[
    Path | None,
    typer.Option(metavar="PNG", help="Also draw before and after, side by side.", show_default=False),
]
Threads = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Threads; by default all cores.", show_default=False)
]


def like_source(result: NDArray[np.floating[Any]], source: Image) -> NDArray[Any]:
    """Return the result in the type of the image it came from; single precision if that is real."""
    import numpy as np

    dtype = source.pixels.dtype
    if dtype.kind == "f":
        return result.astype(np.float32)
    if dtype.kind == "b":
        return result > 0.5
    limits = np.iinfo(dtype)
    rounded: NDArray[Any] = np.clip(np.rint(result), limits.min, limits.max).astype(dtype)
    return rounded


def check_outputs(source: Image, output: Path, preview: Path | None, truth: Path | None) -> Image | None:
    """Before the work begins: can its results be written? Return the image to compare with, if there is one."""
    import numpy as np

    from sparsight.errors import ImageError
    from sparsight.files import check_output_path
    from sparsight.images import read_image
    from sparsight.images.writing import check_format

    check_format(output, like_source(np.zeros_like(source.pixels, np.float32), source))
    for path in (output, preview):
        if path is not None:
            check_output_path(path)
    if truth is None:
        return None
    wanted = read_image(truth)
    if wanted.pixels.shape != source.pixels.shape:
        raise ImageError(
            f"{truth} has the shape {wanted.pixels.shape}, the image {source.pixels.shape}; give its own truth."
        )
    return wanted


def compared(result: NDArray[Any], truth: Image, source: Image) -> str:
    """Return PSNR and SSIM of the result in words."""
    import numpy as np
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    low, high = source.intensity_range
    pair = [np.asarray(pixels, np.float64) for pixels in (truth.pixels, result)]
    axis = 2 if result.ndim == 3 else None
    psnr = peak_signal_noise_ratio(*pair, data_range=high - low) if (pair[0] != pair[1]).any() else np.inf
    if min(result.shape[:2]) < 7:
        return f"PSNR {psnr:.2f} dB"
    ssim = structural_similarity(*pair, data_range=high - low, channel_axis=axis)
    return f"PSNR {psnr:.2f} dB, SSIM {ssim:.4f}"


def write_preview(
    path: Path, source: Image, result: NDArray[Any], missing: NDArray[np.bool_] | None = None
) -> None:
    """Write before and after side by side; missing pixels are magenta."""
    import numpy as np

    from sparsight.images import write_image

    low, high = source.intensity_range
    sides = []
    for pixels in (source.pixels, result):
        unit = (np.asarray(pixels, np.float64) - low) / (high - low)
        grey = unit if unit.ndim == 2 else unit[:, :, :3] if unit.shape[2] >= 3 else unit[:, :, 0]
        colour = grey if grey.ndim == 3 else np.repeat(grey[:, :, None], 3, axis=2)
        sides.append(np.clip(np.rint(255 * colour), 0, 255).astype(np.uint8))
    if missing is not None:
        sides[0][missing if missing.ndim == 2 else missing.any(axis=2)] = (255, 0, 255)
    gap = np.full((len(sides[0]), 8, 3), 255, np.uint8)
    write_image(path, np.hstack([sides[0], gap, sides[1]]))
