"""``sparsight denoise``: remove noise."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ._restoring import Compare, Output, Preview, Threads


class Method(StrEnum):
    """Methods of :func:`sparsight.denoise`."""

    auto = "auto"
    nonlocal_ = "nonlocal"
    structured = "structured"
    ksvd = "ksvd"


def denoise(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The noisy image.", show_default=False)],
    output: Output,
    sigma: Annotated[
        float | None,
        typer.Option(
            metavar="SIGMA",
            help="Standard deviation of the noise, in units of the pixels; estimated if not given.",
            show_default=False,
        ),
    ] = None,
    gain: Annotated[
        float | None,
        typer.Option(
            metavar="GAIN",
            help="Photon noise: the variance of a pixel is GAIN times its brightness, plus SIGMA squared.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[Method, typer.Option(help="How to denoise.")] = Method.auto,
    compare: Compare = None,
    preview: Preview = None,
    threads: Threads = None,
) -> None:
    """Remove noise from an image.

    [bold]Examples[/bold]
      sparsight denoise night.png -o clear.png
      sparsight denoise night.png --sigma 25 -o clear.png --preview both.png
      sparsight denoise counts.tif --gain 2.1 --sigma 4 -o clear.tif
    """
    from sparsight.images import read_image, write_image
    from sparsight.restoration import denoise as clean

    from ._console import progress_bar, quoted, say
    from ._restoring import check_outputs, compared, like_source, write_preview

    source = read_image(image)
    truth = check_outputs(source, output, preview, compare)
    with progress_bar("denoising") as progress:
        restored = clean(source, sigma, gain=gain, method=method.value, n_threads=threads, progress=progress)
    result = like_source(restored, source)
    write_image(output, result, pixel_size_um=source.pixel_size_um)
    if preview is not None:
        write_preview(preview, source, result)
    say(f"{quoted(output)} written")
    if truth is not None:
        say(compared(result, truth, source))
