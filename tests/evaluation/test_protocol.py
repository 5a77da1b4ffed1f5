import json

import numpy as np
import pytest
from PIL import Image as PillowImage

from sparsight.errors import ImageError
from sparsight.evaluation import evaluate, metrics


class Brightness:
    """A detector to which bright is anomalous."""

    threshold_ = 100.0

    def score_map(self, image, mask=None):
        scores = image.pixels.astype(np.float32)
        return scores if mask is None else np.where(mask, np.nan, scores)


@pytest.fixture
def pairs():
    random = np.random.default_rng(0)
    masks = [random.random((20, 30)) < share for share in (0.1, 0.3)]
    images = [
        np.clip(60 + 60 * mask + 20 * random.standard_normal(mask.shape), 0, 255).astype(np.uint8)
        for mask in masks
    ]
    return images, masks


def test_figures_are_those_of_the_metrics(pairs):
    images, masks = pairs
    result = evaluate(Brightness(), images, masks)

    assert result.pixel_auroc == metrics.pixel_auroc(images_as_float(images), masks)
    assert result.pixel_auroc_pooled == metrics.pixel_auroc_pooled(images_as_float(images), masks)
    assert result.pixel_ap == metrics.pixel_average_precision(images_as_float(images), masks)
    assert result.aupro == metrics.aupro(images_as_float(images), masks)
    assert (result.tpr, result.fpr) == metrics.rates_at_threshold(images_as_float(images), masks, 100.0)
    assert result.n_images == len(result.per_image) == 2
    assert result.seconds == pytest.approx(sum(image.seconds for image in result.per_image))


def images_as_float(images):
    return [image.astype(np.float32) for image in images]


def test_files_and_arrays_give_the_same(pairs, tmp_path):
    images, masks = pairs
    for k, (image, mask) in enumerate(zip(images, masks, strict=True)):
        PillowImage.fromarray(image).save(tmp_path / f"{k}.png")
        PillowImage.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / f"{k}_gt.png")
    from_files = evaluate(
        Brightness(),
        [tmp_path / "0.png", tmp_path / "1.png"],
        [str(tmp_path / "0_gt.png"), tmp_path / "1_gt.png"],
    )
    assert from_files.pixel_auroc == evaluate(Brightness(), images, masks).pixel_auroc
    assert [image.name for image in from_files.per_image] == ["0", "1"]


def test_images_of_one_kind_are_counted_and_said(pairs):
    images, masks = pairs
    result = evaluate(Brightness(), [*images, images[0]], [*masks, np.zeros_like(masks[0])])

    assert result.n_images_without_both == 1
    assert np.isnan(result.per_image[2].pixel_auroc)
    assert np.isnan(result.per_image[2].tpr)
    assert result.pixel_auroc == evaluate(Brightness(), images, masks).pixel_auroc


def test_ignored_pixels_count_for_nothing(pairs):
    images, masks = pairs
    left = np.zeros(masks[0].shape, dtype=bool)
    left[:, :10] = True

    partly = evaluate(Brightness(), images[:1], masks[:1], ignore=[left])
    cropped = evaluate(Brightness(), [images[0][:, 10:]], [masks[0][:, 10:]])
    assert partly.pixel_auroc == cropped.pixel_auroc
    assert (partly.tpr, partly.fpr) == (cropped.tpr, cropped.fpr)


def test_the_threshold_can_be_another(pairs):
    images, masks = pairs
    assert evaluate(Brightness(), images, masks, threshold=-1.0).fpr == 1.0


def test_progress_is_told_for_each_image(pairs):
    told = []
    evaluate(Brightness(), *pairs, progress=lambda *args: told.append(args), names=["a", "b"])
    assert told == [(1, 2, "a"), (2, 2, "b")]


def test_figures_are_strict_json(pairs):
    images, masks = pairs
    result = evaluate(Brightness(), images[:1], [np.zeros_like(masks[0])])
    figures = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert figures["pixel_auroc"] is None
    assert figures["per_image"][0]["tpr"] is None
    assert figures["fpr"] == result.fpr


def test_a_mask_of_another_size_is_refused(pairs):
    images, masks = pairs
    with pytest.raises(ImageError, match="size"):
        evaluate(Brightness(), images[:1], [masks[0][:10]])


@pytest.mark.parametrize(("n_images", "n_masks"), [(0, 0), (2, 1)])
def test_images_and_masks_must_pair(pairs, n_images, n_masks):
    images, masks = pairs
    with pytest.raises(ImageError, match="one mask for each image"):
        evaluate(Brightness(), images[:n_images], masks[:n_masks])
