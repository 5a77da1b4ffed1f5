"""``sparsight inpaint``: fill what is missing."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._restoring import Compare, Output, Preview, Threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sparsight.images import Image


class Method(StrEnum):
    """Methods of :func:`sparsight.inpaint`."""

    auto = "auto"
    nonlocal_ = "nonlocal"
    structured = "structured"
    ksvd = "ksvd"
    cosine = "cosine"


class Quality(StrEnum):
    """How much time to spend."""

    fast = "fast"
    balanced = "balanced"
    best = "best"


def inpaint(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The damaged image.", show_default=False)],
    output: Output,
    mask: Annotated[
        Path | None,
        typer.Option(metavar="MASK", help="An image, white where pixels are missing.", show_default=False),
    ] = None,
    mask_color: Annotated[
        str | None,
        typer.Option(
            metavar="RRGGBB",
            help="Pixels of exactly this colour are missing, e.g. ff00ff.",
            show_default=False,
        ),
    ] = None,
    missing_value: Annotated[
        float | None,
        typer.Option(
            metavar="VALUE",
            help="Pixels of exactly this value are missing; nan in a TIFF works.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[Method, typer.Option(help="How to fill.")] = Method.auto,
    quality: Annotated[
        Quality, typer.Option(help="How much time to spend, about 1 : 4 : 9 to 1 : 5 : 30.")
    ] = Quality.balanced,
    compare: Compare = None,
    preview: Preview = None,
    threads: Threads = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes all random choices.")] = 0,
) -> None:
    """Fill missing pixels: holes, text, scratches, dead pixels.

    Say what is missing in one or more of three ways: a mask, a colour, a value. Known pixels stay as they are.

    [bold]Examples[/bold]
      sparsight inpaint old.png --mask scratches.png -o mended.png
      sparsight inpaint marked.png --mask-color ff00ff -o clean.png --preview both.png
      sparsight inpaint height.tif --missing-value nan -o complete.tif --quality best
    """
    import warnings

    from sparsight.images import write_image
    from sparsight.restoration import RestorationWarning
    from sparsight.restoration import inpaint as fill

    from ._console import progress_bar, quoted, say, warn
    from ._restoring import check_outputs, compared, like_source, write_preview

    source, missing = _read(image, mask, mask_color, missing_value)
    truth = check_outputs(source, output, preview, compare)
    with warnings.catch_warnings(record=True) as caught, progress_bar("inpainting") as progress:
        warnings.simplefilter("always", RestorationWarning)
        filled = fill(
            source,
            missing,
            method=method.value,
            quality=quality.value,
            n_threads=threads,
            random_state=seed,
            progress=progress,
        )
    for message in caught:
        warn(str(message.message))
    result = like_source(filled, source)
    write_image(output, result, pixel_size_um=source.pixel_size_um)
    if preview is not None:
        write_preview(preview, source, result, missing)
    say(f"{quoted(output)}: {missing.mean():.1%} of the pixels filled")
    if truth is not None:
        say(compared(result, truth, source))


def _read(
    path: Path, mask: Path | None, colour: str | None, value: float | None
) -> tuple[Image, NDArray[np.bool_]]:
    """The image, with some finite value where NaN is missing, and what of it is missing."""
    import numpy as np

    from sparsight.images import read_mask

    if mask is None and colour is None and value is None:
        raise typer.BadParameter("say what is missing by --mask, --mask-color or --missing-value")
    source, missing = _with_value(path, value)
    pixels = source.pixels
    if mask is not None:
        marked = read_mask(mask, pixels.shape[:2])
        missing = np.logical_or(missing, marked)
    if colour is not None:
        painted = (pixels == _colour(colour, pixels)).reshape(*pixels.shape[:2], -1).all(axis=2)
        missing = np.logical_or(missing, painted)
    return source, missing


def _with_value(path: Path, value: float | None) -> tuple[Image, NDArray[np.bool_]]:
    import numpy as np

    from sparsight.errors import ImageError
    from sparsight.images import as_image, read_image

    missing: NDArray[np.bool_]
    if value is None or not np.isnan(value):
        source = read_image(path)
        missing = np.zeros(source.pixels.shape, bool)
        if value is not None:
            missing = np.asarray(source.pixels == value)
        return source, _of_whole_pixels(missing)
    import tifffile

    try:
        pixels: NDArray[Any] = np.asarray(tifffile.imread(path))
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise ImageError(
            f"Cannot read {path} as a TIFF file, the one format that holds NaN: {error}."
        ) from error
    missing = np.asarray(np.isnan(pixels))
    filled = np.where(missing, np.float32(0), pixels)
    return as_image(filled, name=str(path)), _of_whole_pixels(missing)


def _of_whole_pixels(missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A pixel is missing where all of its channels are."""
    import numpy as np

    return missing if missing.ndim == 2 else np.asarray(missing.all(axis=2))


def _colour(text: str, pixels: NDArray[Any]) -> NDArray[Any]:
    """The pixel value that a hexadecimal colour of 8 bits a channel stands for."""
    import numpy as np

    digits = text.removeprefix("#")
    try:
        channels = list(bytes.fromhex(digits))
    except ValueError:
        channels = []
    wanted = 1 if pixels.ndim == 2 else pixels.shape[2]
    if len(channels) == 3 and wanted == 1 and len(set(channels)) == 1:
        channels = channels[:1]
    if len(channels) != wanted or pixels.dtype.kind not in "u":
        raise typer.BadParameter(
            f"{text} is no colour of this image, which has {wanted} channel{'s' if wanted > 1 else ''} of "
            f"{pixels.dtype}: give two hexadecimal digits for each, e.g. {'ff00ff'[: 2 * wanted]}",
            param_hint="--mask-color",
        )
    return np.array(channels) * (int(np.iinfo(pixels.dtype).max) // 255)
