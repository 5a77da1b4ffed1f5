"""Folders of images and of the masks that mark their defects."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sparsight.errors import ImageError
from sparsight.images import list_images

_MASK_ENDINGS = ("", "_gt", "_mask")
_LOSSY_SUFFIXES = frozenset({".jpg", ".jpeg"})
_GOOD = "good"

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class LabelledImage:
    """An image and what is known of its defects.

    Parameters
    ----------
    path : Path
        The image file.
    mask : Path or None
        The file that marks the defects; None for an image without any.
    kind : str
        The kind of defect, in layouts that name it: "good" for none.
    """

    path: Path
    mask: Path | None
    kind: str

    @property
    def is_good(self) -> bool:
        """Whether the image has no defect."""
        return self.mask is None


@dataclass(frozen=True)
class ImageCollection:
    """Images to learn from, and images to be judged by what is known of them.

    Parameters
    ----------
    train : list of Path
        Images without defects.
    test : list of LabelledImage
        Further images, good and defective.
    """

    train: list[Path]
    test: list[LabelledImage]


def read_collection(folder: PathLike) -> ImageCollection:
    """List the images of a folder in the layout of the MVTec AD data set.

    ::

        folder/train/good/001.png
        folder/test/good/002.png
        folder/test/scratch/003.png
        folder/ground_truth/scratch/003_mask.png

    Masks may also be called ``003.png`` or ``003_gt.png``, and have any image suffix.

    Parameters
    ----------
    folder : path-like
        The folder that holds ``train``; ``test`` and ``ground_truth`` may be missing.

    Returns
    -------
    ImageCollection

    Raises
    ------
    ImageError
        ``train/good`` is missing or empty, or an image of a defect has no mask.
    """
    folder = Path(folder)
    if not (folder / "train" / _GOOD).is_dir():
        raise ImageError(
            f"The folder {folder} has no train{os.sep}{_GOOD}; give a folder in the layout of "
            "MVTec AD, or name the folders of images and masks themselves."
        )
    test: list[LabelledImage] = []
    kinds = sorted(kind for kind in (folder / "test").glob("*") if kind.is_dir())
    for kind in kinds:
        if kind.name == _GOOD:
            test += [LabelledImage(path, None, _GOOD) for path in list_images(kind)]
        else:
            test += _defects_of_kind(kind, folder / "ground_truth" / kind.name)
    return ImageCollection(list_images(folder / "train" / _GOOD), test)


def pair_masks(
    images: PathLike | Iterable[PathLike], masks: PathLike | Iterable[PathLike]
) -> list[LabelledImage]:
    """Find the mask of every image by its name.

    The mask of ``NAME.png`` is called ``NAME``, ``NAME_gt`` or ``NAME_mask``, with any image
    suffix. Images without a mask are taken for good ones. Images and masks may lie in the same
    folder: there, files that are masks of others are no images, and of two files ``NAME`` the JPEG
    is the image.

    Parameters
    ----------
    images, masks : path-like or iterable of path-like
        Files and folders, as :func:`sparsight.images.list_images` takes them.

    Returns
    -------
    list of LabelledImage
        In the order of the images; ``kind`` is "defective" or "good".

    Raises
    ------
    ImageError
        No mask belongs to any image; several masks belong to one image; or some images have no
        mask while some masks have no image, which looks like a slip in the names.
    """
    image_paths, mask_paths = list_images(images), list_images(masks)
    masks_by_stem: dict[str, list[Path]] = {}
    for mask in mask_paths:
        masks_by_stem.setdefault(mask.stem, []).append(mask)

    pairs = {image: _mask_of(image, masks_by_stem) for image in image_paths}
    used = {mask.resolve() for mask in pairs.values() if mask is not None}
    # In a folder that holds both, masks were listed as images too, and images as masks.
    pairs = {image: mask for image, mask in pairs.items() if image.resolve() not in used}
    known = used | {image.resolve() for image in pairs}
    unused = [mask for mask in mask_paths if mask.resolve() not in known]
    without = [image for image, mask in pairs.items() if mask is None]
    if not used:
        raise ImageError(
            f"None of the {len(mask_paths)} masks belongs to any of the {len(image_paths)} images, "
            f"{image_paths[0]} for one; name the mask of NAME.png NAME.png, NAME_gt.png or "
            "NAME_mask.png."
        )
    if unused and without:
        raise ImageError(
            f"The mask {unused[0]} belongs to no image while the image {without[0]} has no mask; "
            "give them the same name, or take away the one that is not meant."
        )
    return [
        LabelledImage(image, mask, _GOOD if mask is None else "defective") for image, mask in pairs.items()
    ]


def _defects_of_kind(images: Path, masks: Path) -> list[LabelledImage]:
    if not masks.is_dir():
        raise ImageError(f"There is no folder {masks} with the masks of the images in {images}; add it.")
    labelled = [LabelledImage(pair.path, pair.mask, images.name) for pair in pair_masks(images, masks)]
    for image in labelled:
        if image.mask is None:
            raise ImageError(
                f"The image {image.path} has no mask in {masks}; "
                f"add {image.path.stem}_mask.png, or move the image to {_GOOD}."
            )
    return labelled


def _mask_of(image: Path, masks_by_stem: dict[str, list[Path]]) -> Path | None:
    found = [
        mask
        for ending in _MASK_ENDINGS
        for mask in masks_by_stem.get(image.stem + ending, ())
        if _may_be_mask_of(mask, image)
    ]
    if len(found) > 1:
        raise ImageError(f"The image {image} has several masks, {found[0]} and {found[1]}; keep one of them.")
    return found[0] if found else None


def _may_be_mask_of(mask: Path, image: Path) -> bool:
    """Tell an image from its mask where both lie in one folder under one name."""
    mask, image = mask.resolve(), image.resolve()
    if mask == image:
        return False
    one_name_in_one_folder = mask.parent == image.parent and mask.stem == image.stem
    return not one_name_in_one_folder or (
        image.suffix.lower() in _LOSSY_SUFFIXES and mask.suffix.lower() not in _LOSSY_SUFFIXES
    )
