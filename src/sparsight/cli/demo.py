"""``sparsight demo``: the main job from beginning to end, on sample images made here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ._options import Open
from .evaluate import evaluate
from .inspect import inspect
from .train import train

SHAPE = (512, 768)
MAGNIFICATION = 1.4
FALSE_ALARM_RATE = 0.0001  # so that good images stay free of alarms
N_GOOD = 3
DEFECTS: tuple[tuple[str, ...], ...] = (
    ("hole", "film"),
    ("hole",),
    ("hole", "clot"),
    ("hole", "film"),
    (),
)
"""Of each image to inspect; the last has none and should stay free of alarms."""


def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the demo's files go.")] = Path(
        "sparsight-demo"
    ),
    open_report: Open = False,
) -> None:
    """Make sample micrographs of nanofibres, train, inspect, and evaluate against the known defects.

    Nothing is downloaded. Each step is shown as the command that you would
    type for your own images.

    [bold]Examples[/bold]
      sparsight demo
      sparsight demo try/ --open
    """
    from ._console import quoted, say, show_in_browser

    good, new, truth = folder / "good", folder / "new", folder / "truth"
    model, found = folder / "fibres.sparsight", folder / "found"
    _make_samples(good, new, truth)
    say(f"Made {N_GOOD} good micrographs of nanofibres in {quoted(good)}, {len(DEFECTS)} new ones in")
    say(f"{quoted(new)}, and masks of their known defects in {quoted(truth)}.")

    _show_command("train", good, "-o", model, "--false-alarm-rate", FALSE_ALARM_RATE)
    train(images=[good], output=model, false_alarm_rate=FALSE_ALARM_RATE)

    _show_command("inspect", model, new, "-o", found)
    inspect(model=model, images=[new], output=found)

    figures = folder / "figures.json"
    _show_command("evaluate", model, "--images", new, "--masks", truth, "--json", figures)
    evaluate(model=model, images=new, masks=truth, json_file=figures)

    report = found / "report.html"
    say()
    say(f"Now open the report: {quoted(report.resolve().as_uri())}")
    if open_report:
        show_in_browser(report)


def _make_samples(good: Path, new: Path, truth: Path) -> None:
    from sparsight.datasets import nanofibres
    from sparsight.images import write_image

    from ._console import progress_bar

    for folder in (good, new, truth):
        folder.mkdir(parents=True, exist_ok=True)
    total = N_GOOD + len(DEFECTS)
    with progress_bar("making sample images") as progress:
        for number in range(N_GOOD):
            progress(number, total, "good")
            sample = nanofibres(SHAPE, magnification=MAGNIFICATION, defects=None, random_state=number)
            write_image(good / f"good_{number + 1}.tif", sample.image)
        for number, kinds in enumerate(DEFECTS):
            progress(N_GOOD + number, total, "new")
            seed = N_GOOD + number
            sample = nanofibres(
                SHAPE, magnification=MAGNIFICATION, defects=kinds, n_defects=3, random_state=seed
            )
            write_image(new / f"fibres_{number + 1}.tif", sample.image)
            write_image(truth / f"fibres_{number + 1}_mask.png", sample.mask)


def _show_command(*words: Any) -> None:
    from rich.markup import escape

    from ._console import say

    say()
    say(f"[bold cyan]$ sparsight {escape(' '.join(str(word) for word in words))}[/]")
