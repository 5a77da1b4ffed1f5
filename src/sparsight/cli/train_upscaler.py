"""``sparsight train-upscaler``: learn to upscale images of a kind."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Method(StrEnum):
    """Ways of upscaling, as :class:`~sparsight.SuperResolver` knows them."""

    ANCHORED = "anchored"
    COUPLED = "coupled"


class Reduction(StrEnum):
    """Ways of reducing, as :class:`~sparsight.restoration.Degradation` knows them."""

    CUBIC = "cubic"
    MEAN = "mean"


def train_upscaler(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGES", help="High-resolution images, or folders of them.", show_default=False
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="MODEL", help="File to write.", show_default=False)
    ],
    scale: Annotated[int, typer.Option(metavar="SCALE", help="2, 3 or 4.")] = 2,
    method: Annotated[
        Method,
        typer.Option(
            metavar="METHOD",
            help="[bold]anchored[/bold], or [bold]coupled[/bold]: the older method, slower and less accurate.",
        ),
    ] = Method.ANCHORED,
    stages: Annotated[
        int, typer.Option(min=1, max=8, metavar="N", help="Each corrects what the ones before leave wrong.")
    ] = 2,
    anchors: Annotated[
        int, typer.Option(min=1, metavar="N", help="Kinds of patches to tell apart; fewer for few images.")
    ] = 1024,
    blur: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="PIXELS",
            help="Blur of your low-resolution images: the standard deviation of a Gaussian, in pixels of the "
            "high-resolution image. It is learned to be removed.",
        ),
    ] = 0,
    noise: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="LEVEL",
            help="Noise of your low-resolution images: its standard deviation in 8-bit grey levels (0 to 255).",
        ),
    ] = 0,
    reduction: Annotated[
        Reduction,
        typer.Option(
            metavar="KIND",
            help="How low-resolution pixels come about: [bold]cubic[/bold] as from image software, "
            "[bold]mean[/bold] as from a detector that bins its pixels.",
        ),
    ] = Reduction.CUBIC,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The same seed gives the same model.")] = 0,
) -> None:
    """Learn to upscale images of a kind from high-resolution images of it.

    Give sharp images of what you want to upscale: the same class of specimen,
    the same instrument. Their low-resolution versions are computed, with the
    blur and noise that you state.

    [bold]Examples[/bold]
      sparsight train-upscaler photographs/ --scale 3 -o photographs-x3.sparsight
      sparsight train-upscaler sem/ --scale 2 --blur 1.2 --noise 5 -o sem-x2.sparsight
    """
    import time

    from sparsight.files import check_output_path
    from sparsight.images import list_images
    from sparsight.restoration import Degradation, SuperResolver

    from ._console import progress_bar, quoted, say

    check_output_path(output)
    files = list_images(images)
    resolver = SuperResolver(
        scale,
        method=method.value,
        n_stages=stages,
        n_anchors=anchors,
        degradation=Degradation(blur=blur or None, noise=noise / 255, reduction=reduction.value),
        random_state=seed,
    )
    began = time.perf_counter()
    with progress_bar("learning") as progress:
        resolver.fit(files, progress=progress)
    resolver.save(output)
    seconds, counted = time.perf_counter() - began, f"{len(files)} image{'s' if len(files) > 1 else ''}"
    say(f"Learned to upscale by {scale} from {counted} in {seconds:.1f} s.")
    say(f"Wrote {quoted(output)}, {output.stat().st_size / 1e6:.1f} MB.")
    say(f"[dim]Next:[/dim] sparsight upscale IMAGE --scale {scale} --model {quoted(output)} -o OUT")
