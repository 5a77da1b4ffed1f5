"""``sparsight inspect``: find what is not normal, and report it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._options import Ignore, Model, Open, Threshold

if TYPE_CHECKING:
    from sparsight import AnomalyDetector
    from sparsight.report import InspectionRun

DEFECT_FOUND = 3
"""Exit code of --fail-on-defect."""

MAX_ROWS = 40
"""Images listed on the terminal; the report lists all."""


def inspect(
    model: Model,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGES", help="Images to inspect, or folders of them.", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="Where the results go; made if need be.",
            show_default=False,
        ),
    ],
    threshold: Threshold = None,
    ignore: Ignore = None,
    fail_on_defect: Annotated[
        bool,
        typer.Option("--fail-on-defect", help="Exit with 3 when a defect was found: for use on a line."),
    ] = False,
    open_report: Open = False,
) -> None:
    """Find, measure and report what is not normal.

    [bold]In the folder, for every image NAME[/bold]
      NAME_overlay.png   the image with its defects outlined
      NAME_mask.png      white where anomalous
      NAME_score.tif     raw scores

    [bold]and for the run[/bold]
      report.html        one page that holds all it shows, with what speaks
                         for the strongest defects, to hand on
      results.csv        a row for each image
      defects.csv        a row for each defect
      results.json       all of it, for programs

    An image that cannot be read is reported and does not stop the others;
    the exit code is then 1, whatever was found in the others.

    [bold]Examples[/bold]
      sparsight inspect wood.sparsight new/ -o found/ --open
      sparsight inspect wood.sparsight part.png -o found/ --fail-on-defect
    """
    from sparsight import AnomalyDetector
    from sparsight.images import list_images
    from sparsight.report import InspectionRun, model_card

    from ._console import show_in_browser, warn
    from ._masks import ignored_parts

    detector = AnomalyDetector.load(model)
    files = list_images(images)
    _keep_apart(files, output)
    run = InspectionRun(output, model_card(detector, model, threshold=threshold), len(files))
    _inspect_all(detector, files, ignored_parts(files, ignore), threshold, run)
    report = run.finish()
    _print(run, report)
    if open_report:
        show_in_browser(report)
    failed = [record for record in run.records if record.error is not None]
    for record in failed:
        warn(f"not inspected: {record.error}")
    for record in run.records:
        if record.doubt is not None:
            warn(f"{record.name}: {record.doubt}")
    if failed:
        raise typer.Exit(1)
    if fail_on_defect and run.summary()["n_defective"]:
        raise typer.Exit(DEFECT_FOUND)


def _inspect_all(
    detector: AnomalyDetector,
    files: list[Path],
    ignored: list[Path | None],
    threshold: float | None,
    run: InspectionRun,
) -> None:
    from sparsight.errors import SparsightError
    from sparsight.images import read_image, read_mask

    from ._console import progress_bar
    from ._names import unique_names

    with progress_bar("inspecting") as progress:
        for done, (name, file, part) in enumerate(zip(unique_names(files), files, ignored, strict=True)):
            progress(done, len(files), file.name)
            try:
                image = read_image(file)
                height, width = image.pixels.shape[:2]
                mask = None if part is None else read_mask(part, (height, width))
                inspection = detector.inspect(image, mask, threshold=threshold)
                explanations = detector.explain(inspection, mask, at_most=run.n_explained)
            except SparsightError as error:
                run.add_failure(name, file, str(error))
            else:
                run.add(name, file, inspection, explanations)


def _keep_apart(files: list[Path], output: Path) -> None:
    """Refuse to write among the images: a NAME_mask.png there may be the user's own."""
    from sparsight.errors import SparsightError

    folder = output.resolve()
    if output.exists() and not output.is_dir():
        raise SparsightError(f"'{output}' is a file; name a folder for the results")
    if any(file.resolve().parent == folder for file in files):
        raise SparsightError(
            f"the results would lie among the images in '{output}'; name another folder, such as "
            f"'{output / 'found'}'"
        )


def _print(run: InspectionRun, report: Path) -> None:
    from rich.markup import escape
    from rich.table import Table

    from sparsight.report import counted, percent

    from ._console import quoted, say, show

    summary = run.summary()
    done = sorted(
        (record for record in run.records if record.error is None),
        key=lambda record: record.severity,
        reverse=True,
    )
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("image", overflow="fold")
    table.add_column("verdict")
    sized = any(record.area_um2 is not None for record in done)
    for figure in ("defects", "area", *(["area, µm²"] if sized else []), "peak / threshold"):
        table.add_column(figure, justify="right")
    table.add_column("strongest defect", overflow="fold")
    for record in done[:MAX_ROWS]:
        table.add_row(
            escape(record.name),
            "[bold red]defective[/]" if record.is_defective else "[green]normal[/]",
            str(len(record.defects)),
            percent(record.area_fraction or 0.0),
            *([f"{record.area_um2:.4g}" if record.area_um2 is not None else "–"] if sized else []),
            f"{record.peak_over_threshold:.2f}",
            record.defects[0]["explanation"]["reason"].removesuffix(" than normal") if record.defects else "",
        )
    if done:
        show(table)
    if len(done) > MAX_ROWS:
        say(f"[dim]… and {counted(len(done) - MAX_ROWS, 'image')} more in the report[/]")
    say(
        f"{summary['n_defective']} of {counted(len(done), 'image')} defective, "
        f"{counted(summary['n_defects'], 'defect')}, in {summary['seconds']:.1f} s."
    )
    say(f"Report: {quoted(report)}")
