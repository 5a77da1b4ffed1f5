"""``sparsight train``: learn what is normal."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ._options import FalseAlarmRate, Ignore, ImageFalseAlarmRate, ThresholdByHand


class Recipe(StrEnum):
    """Ways of modelling what is normal, as :class:`~sparsight.AnomalyDetector` knows them."""

    UNIVERSAL = "universal"
    RECONSTRUCTION = "reconstruction"
    SINGLE_SCALE = "single-scale"
    GROUP_CODING = "group-coding"
    GROUP_INDICATOR = "group-indicator"
    ALL_IN_ONE = "all-in-one"
    OUTLIER_CODING = "outlier-coding"
    ORACLE = "oracle"
    ORACLE_OUTLIER = "oracle-outlier"


class Numbers(tuple[float, ...]):
    """Numbers, as they are typed on the command line."""

    __slots__ = ()

    @classmethod
    def parsed(cls, text: str) -> Numbers:
        """Take numbers with commas between them."""
        try:
            return cls(float(part) for part in text.split(","))
        except ValueError:
            raise typer.BadParameter("give numbers with commas between them, such as 1,0.5") from None


def train(
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGES", help="Good images, or folders of them.", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="MODEL", help="File to write.", show_default=False),
    ],
    recipe: Annotated[
        Recipe,
        typer.Option(
            metavar="RECIPE",
            help="[bold]universal[/bold]: what looks less like a good image than like any odd thing is a "
            "defect; for all textures. [bold]reconstruction[/bold]: what a few patterns cannot rebuild is a "
            "defect; sharp outlines, plain scores in grey levels. [bold]single-scale[/bold]: what is "
            "unusually hard or odd to describe is a defect; the published method. "
            "[bold]group-coding[/bold]: the same for images of unknown magnification, up to that of the good "
            "images. The others are what ICIP 2016 compares these with.",
        ),
    ] = Recipe.UNIVERSAL,
    patch_size: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="PIXELS",
            help="Edge of a patch in pixels, about the size of the texture's pattern. By default 8, 16 "
            "for reconstruction, or 32 for the recipes of ICIP 2016.",
            show_default=False,
        ),
    ] = None,
    scales: Annotated[
        Numbers | None,
        typer.Option(
            metavar="NUMBERS",
            parser=Numbers.parsed,
            help="Magnifications to be ready for, relative to the good images, such as 1,0.5: universal is ready "
            "for all in between, the recipes of ICIP 2016 for those named.",
            show_default=False,
        ),
    ] = None,
    shrunk_in_software: Annotated[
        bool,
        typer.Option(
            "--shrunk-in-software",
            help="With --scales: images to inspect were made smaller by a program, which takes noise and blur from "
            "them. By default they were taken at their magnification, and have those of any image.",
        ),
    ] = False,
    defects: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS",
            help="What is known of the defects, for universal: bright, dark, rough, smooth, or two of these with "
            "a comma between them. They are then found more surely, and others less.",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Images whose defects are marked in --example-masks, two at least, to learn from what to look "
            "for. Refused when that does not help to find the defects of an example left out.",
            show_default=False,
        ),
    ] = None,
    example_masks: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Masks of the examples, white where defects are.", show_default=False
        ),
    ] = None,
    false_alarm_rate: FalseAlarmRate = 0.001,
    image_false_alarm_rate: ImageFalseAlarmRate = None,
    threshold: ThresholdByHand = None,
    ignore: Ignore = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The same seed gives the same model.")] = 0,
) -> None:
    """Learn what is normal from good images, a handful or even one.

    The threshold is computed from good images that the model did not see
    (each left out in turn), so that it keeps the false-alarm rate that you
    choose. The more images, the surer it is.

    [bold]Examples[/bold]
      sparsight train good/ -o wood.sparsight
      sparsight train good/ -o fibres.sparsight --scales 1,0.5
      sparsight train good/ -o fibres.sparsight --defects bright
      sparsight train 1.tif 2.tif -o fibres.sparsight --ignore caption.png
    """
    from sparsight import AnomalyDetector
    from sparsight.files import check_output_path
    from sparsight.images import list_images, read_mask
    from sparsight.report import caution, counted, model_card, promise

    from ._console import progress_bar, quoted, say, warn
    from ._masks import ignored_parts

    check_output_path(output)
    if shrunk_in_software and scales is None:
        raise typer.BadParameter("--shrunk-in-software goes with --scales; give both")
    files = list_images(images)
    masks = [None if part is None else read_mask(part) for part in ignored_parts(files, ignore)]
    marked = _marked(examples, example_masks)
    detector = AnomalyDetector(
        method=recipe.value,
        patch_size=patch_size,
        scales=scales,
        match_noise=False if shrunk_in_software else None,
        defects=None if defects is None else defects.split(","),
        false_alarm_rate=false_alarm_rate,
        image_false_alarm_rate=image_false_alarm_rate,
        threshold=threshold,
        random_state=seed,
    )
    with progress_bar("learning") as progress:
        detector.fit(files, masks=masks, progress=progress, **marked)
    detector.save(output)

    card = model_card(detector, output)
    seconds = card["provenance"]["seconds"]
    say(f"Learned what is normal from {counted(len(files), 'image')} in {seconds:.1f} s.")
    notes = card["provenance"]["notes"]
    if "advice" in notes:
        say(notes["advice"])
    taught = notes.get("marked_defects")
    if taught is not None:
        say(
            f"The {taught['n_marked']} marked examples help: when each in turn was left out, its pixel AUROC rose "
            f"from {taught['auroc_without']:.3f} to {taught['auroc_with']:.3f} on average."
        )
    say(f"Threshold {card['threshold']:.4g}. {promise(card)}")
    doubt = caution(card)
    if doubt is not None:
        warn(doubt)
    say(f"Wrote {quoted(output)}, {output.stat().st_size / 1000:,.0f} kB.")
    say(f"[dim]Next:[/dim] sparsight inspect {quoted(output)} NEW_IMAGES -o FOLDER")


def _marked(examples: Path | None, masks: Path | None) -> dict[str, Any]:
    """Images with marked defects, and their masks, as `AnomalyDetector.fit` wants them."""
    from sparsight.datasets import pair_masks
    from sparsight.images import read_mask

    if (examples is None) != (masks is None):
        raise typer.BadParameter("--examples and --example-masks go together; give both")
    if examples is None or masks is None:
        return {}
    pairs = [pair for pair in pair_masks([examples], masks) if pair.mask is not None]
    return {
        "defects": [pair.path for pair in pairs],
        "defect_masks": [read_mask(pair.mask) for pair in pairs if pair.mask is not None],
    }
