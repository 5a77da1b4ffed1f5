"""``sparsight evaluate``: compare what is found with what is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparsight.errors import SparsightError

from ._options import Ignore, Model, Threshold

if TYPE_CHECKING:
    from sparsight.evaluation import Evaluation

PLOT_SUFFIXES = (".png", ".svg", ".pdf")

MAX_ROWS = 40
"""Images listed on the terminal; the JSON file lists all."""


def evaluate(
    model: Model,
    images: Annotated[Path, typer.Option(metavar="FOLDER", help="The images.", show_default=False)],
    masks: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Their masks, white where a pixel is anomalous. The mask of NAME.tif is called NAME, "
            "NAME_gt or NAME_mask, in any image format.",
            show_default=False,
        ),
    ],
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Write the figures, and the ROC curve as a picture of the same name.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the ROC curve to this file (.png, .svg, .pdf).", show_default=False
        ),
    ] = None,
    threshold: Threshold = None,
    ignore: Ignore = None,
) -> None:
    """Measure how well the anomalies of images are found, given masks of where they are.

    [bold]Figures[/bold]
      pixel_auroc         area under the ROC curve, mean over images
      pixel_auroc_pooled  the same of all pixels together
      pixel_ap            average precision of all pixels together
      aupro               area under the per-region-overlap curve up to
                          30 % false positives
      tpr, fpr            share of anomalous and of normal pixels above
                          the threshold, mean over images

    Images without anomalies have no ROC curve of their own; they count in
    everything else. Nothing is fitted to the images that are measured.

    [bold]Examples[/bold]
      sparsight evaluate wood.sparsight --images new/ --masks truth/
      sparsight evaluate wood.sparsight --images new/ --masks gt/ --json f.json
    """
    from sparsight import AnomalyDetector, evaluation
    from sparsight.datasets import pair_masks
    from sparsight.files import check_output_path
    from sparsight.report import counted, model_card, write_json

    from ._console import progress_bar, quoted, say, warn
    from ._masks import ignored_parts

    if plot is None and json_file is not None:
        plot = json_file.with_suffix(".png")
    for file in (json_file, plot):
        if file is not None:
            check_output_path(file)
    if plot is not None and plot.suffix.lower() not in PLOT_SUFFIXES:
        raise SparsightError(f"cannot draw to '{plot}'; name a file {', '.join(PLOT_SUFFIXES)}")
    detector = AnomalyDetector.load(model)
    pairs = pair_masks(images, masks)
    files = [pair.path for pair in pairs]
    with progress_bar("evaluating") as progress:
        result = evaluation.evaluate(
            detector,
            files,
            [pair.mask for pair in pairs],
            ignore=ignored_parts(files, ignore),
            threshold=threshold,
            progress=progress,
        )
    _print(result)
    n_without_mask = sum(pair.is_good for pair in pairs)
    if n_without_mask:
        warn(f"{counted(n_without_mask, 'image')} without a mask, taken to be free of anomalies")
    if result.n_images_without_both:
        n = counted(result.n_images_without_both, "image")
        warn(f"{n} with only one kind of pixel, so with no ROC curve and not in the mean pixel_auroc")
    if json_file is not None:
        card = model_card(detector, model, threshold=threshold)
        write_json(json_file, {**result.to_dict(), "n_images_without_mask": n_without_mask, "model": card})
        say(f"Figures: {quoted(json_file)}")
    if plot is not None:
        from sparsight.report import draw_roc

        draw_roc(plot, result)
        say(f"ROC curve: {quoted(plot)}")
    else:
        say("[dim]Add --plot roc.png to draw the ROC curve.[/dim]")


def _print(result: Evaluation) -> None:
    from rich.markup import escape
    from rich.table import Table

    from ._console import say, show

    if len(result.per_image) <= MAX_ROWS:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("image", overflow="fold")
        for figure in ("pixel_auroc", "tpr", "fpr", "anomalous", "seconds"):
            table.add_column(figure, justify="right")
        for image in result.per_image:
            figures = (image.pixel_auroc, image.tpr, image.fpr, image.anomalous_fraction)
            table.add_row(escape(image.name), *map(_figure, figures), f"{image.seconds:.2f}")
        show(table)
        say()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name in ("pixel_auroc", "pixel_auroc_pooled", "pixel_ap", "aupro", "tpr", "fpr", "threshold"):
        table.add_row(name, _figure(getattr(result, name)))
    table.add_row("n_images", str(result.n_images))
    table.add_row("seconds", f"{result.seconds:.2f}")
    show(table)


def _figure(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.4f}" if value >= 0.001 or value == 0 else f"{value:.1e}"
