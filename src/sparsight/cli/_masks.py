"""Which parts of which image are to be ignored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def ignored_parts(images: Sequence[Path], ignore: Path | None) -> list[Path | None]:
    """Find for each image the mask of what is to be ignored in it.

    Parameters
    ----------
    images
        The images.
    ignore
        None, a mask for all images, or a folder with masks for some, paired by name.
    """
    if ignore is None or not ignore.is_dir():
        return [ignore] * len(images)
    from sparsight.datasets import pair_masks

    masks = {pair.path: pair.mask for pair in pair_masks(images, ignore)}
    return [masks.get(image) for image in images]
