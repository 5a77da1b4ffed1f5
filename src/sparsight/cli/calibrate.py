"""``sparsight calibrate``: another threshold for a model, from good images that it was not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._options import Ignore, ImageFalseAlarmRate, Model, check_share


def calibrate(
    model: Model,
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="NORMAL_IMAGES",
            help="Good images, or folders of them, that the model was not trained on.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="MODEL",
            help="File to write; by default the model itself.",
            show_default=False,
        ),
    ] = None,
    false_alarm_rate: Annotated[
        float | None,
        typer.Option(
            callback=check_share,
            metavar="SHARE",
            help="Share of a good image's pixels that may lie above the threshold; by default the model's.",
            show_default=False,
        ),
    ] = None,
    image_false_alarm_rate: ImageFalseAlarmRate = None,
    ignore: Ignore = None,
) -> None:
    """Compute a model's threshold anew, from good images that it was not trained on.

    Nothing is learned: scores stay as they are, only the threshold and
    what it promises change. The more images, the surer the promise.

    [bold]Examples[/bold]
      sparsight calibrate wood.sparsight more_good/
      sparsight calibrate wood.sparsight more_good/ --image-false-alarm-rate 0.05
    """
    from sparsight import AnomalyDetector
    from sparsight.files import check_output_path
    from sparsight.images import list_images, read_mask
    from sparsight.report import caution, model_card, promise

    from ._console import progress_bar, quoted, say, warn
    from ._masks import ignored_parts

    target = model if output is None else output
    check_output_path(target)
    detector = AnomalyDetector.load(model)
    before = detector.threshold_
    files = list_images(images)
    masks = [None if part is None else read_mask(part) for part in ignored_parts(files, ignore)]
    with progress_bar("calibrating") as progress:
        detector.calibrate(
            files,
            masks=masks,
            false_alarm_rate=false_alarm_rate,
            image_false_alarm_rate=image_false_alarm_rate,
            progress=progress,
        )
    detector.save(target)

    card = model_card(detector, target)
    say(f"Threshold {card['threshold']:.4g}; it was {before:.4g}. {promise(card)}")
    doubt = caution(card)
    if doubt is not None:
        warn(doubt)
    say(f"Wrote {quoted(target)}.")
