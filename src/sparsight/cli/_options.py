"""Options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer


def _finite(number: float | None) -> float | None:
    if number is not None and not math.isfinite(number):
        raise typer.BadParameter("it must be a finite number")
    return number


def check_share(number: float | None) -> float | None:
    """Refuse a share that is not between 0 and 1."""
    if number is not None and not 0 < number < 1:
        raise typer.BadParameter("it must lie between 0 and 1, both excluded")
    return number


Ignore = Annotated[
    Path | None,
    typer.Option(
        "--ignore",
        metavar="MASK_OR_FOLDER",
        help="A mask, white where pixels are to be ignored (the caption of a micrograph): one for all "
        "images, or a folder of masks named like the images.",
        show_default=False,
    ),
]

Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="SCORE",
        callback=_finite,
        help="Use this threshold instead of the model's. It then promises no false-alarm rate.",
        show_default=False,
    ),
]

ThresholdByHand = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        metavar="SCORE",
        callback=_finite,
        help="Set the threshold by hand instead, in units of the score (grey levels for reconstruction).",
        show_default=False,
    ),
]

FalseAlarmRate = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        callback=check_share,
        help="Share of a good image's pixels that may lie above the threshold.",
    ),
]

ImageFalseAlarmRate = Annotated[
    float | None,
    typer.Option(
        "--image-false-alarm-rate",
        metavar="SHARE",
        callback=check_share,
        help="Share of good images in which a defect may be found: raises the threshold until that is kept. "
        "0.05 takes at least 19 good images.",
        show_default=False,
    ),
]

Open = Annotated[bool, typer.Option("--open", help="Open the report in the browser.")]

Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A file that `sparsight train` made.", show_default=False)
]
