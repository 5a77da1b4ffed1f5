"""``sparsight upscale``: more pixels, and what they most likely showed."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Quality(StrEnum):
    """How much time an image may take, as :class:`~sparsight.SuperResolver` knows it."""

    FAST = "fast"
    BALANCED = "balanced"
    BEST = "best"


def upscale(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="Image to upscale.", show_default=False)],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Image to write.", show_default=False)
    ],
    scale: Annotated[
        float | None,
        typer.Option(
            metavar="FACTOR",
            help="By how much, above 1 and up to 16; 2.5 works too. By default 2, or what MODEL was made for.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="A file that `sparsight train-upscaler` made from images like yours. By default the models "
            "that come with Sparsight.",
            show_default=False,
        ),
    ] = None,
    quality: Annotated[
        Quality,
        typer.Option(
            metavar="QUALITY",
            help="[bold]fast[/bold], [bold]balanced[/bold] (better, twice the time) or [bold]best[/bold] "
            "(slightly better still, sixteen times the time).",
        ),
    ] = Quality.BALANCED,
    back_projection: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Make the result agree with IMAGE when reduced again, in N steps."
        ),
    ] = 0,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="TRUTH",
            help="The true high-resolution image: print PSNR and SSIM, of bicubic interpolation too.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Upscale an image with what was learned from other images.

    Edges and textures are rebuilt from a learned dictionary instead of being
    smoothed over. Of colour images the luminance is rebuilt and the chroma
    interpolated. The output keeps the depth (8 or 16 bits) of the image.

    [bold]Examples[/bold]
      sparsight upscale small.png --scale 3 -o large.png
      sparsight upscale small.png --scale 2 -o large.png --compare truth.png
      sparsight upscale sem.tif --scale 2 -o large.tif --model fibres-x2.sparsight
    """
    from dataclasses import replace

    from sparsight.files import check_output_path
    from sparsight.images import read_image, write_image
    from sparsight.restoration import SuperResolver
    from sparsight.restoration import upscale as upscale_image
    from sparsight.restoration.factors import SCALES

    from ._comparison import say_fidelity
    from ._console import progress_bar, quoted, say

    check_output_path(output)
    given = read_image(image)
    truth = None if compare is None else read_image(compare)
    with progress_bar("upscaling") as progress:
        settings: dict[str, Any] = {
            "quality": quality.value,
            "back_projection": back_projection,
            "progress": progress,
        }
        if model is None:
            factor = 2 if scale is None else scale
            pixels = upscale_image(given, factor, **settings)
        else:
            # A scale that has models of its own asks for one; others are reached with the one at hand.
            resolver = SuperResolver.load(model, scale=int(scale) if scale in SCALES else None)
            factor = resolver.scale if scale is None else scale
            pixels = resolver.upscale(given, factor=factor, **settings)
    finer = None if given.pixel_size_um is None else given.pixel_size_um / factor
    result = replace(given, pixels=pixels, pixel_size_um=finer, path=None)
    write_image(output, result)
    height, width = pixels.shape[:2]
    say(f"Wrote {quoted(output)}, {width} × {height} pixels.")
    if truth is not None:
        say_fidelity(given, result, truth, factor)
