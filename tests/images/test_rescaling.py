import numpy as np

from sparsight.images.rescaling import rescale


def test_rescaling_leaves_out_what_is_missing():
    image = np.full((40, 40), 7.0, np.float32)
    missing = np.zeros((40, 40), bool)
    missing[10:20, 10:20] = True
    spoilt = np.where(missing, 1000, image).astype(np.float32)
    pixels, hidden = rescale(spoilt, missing, 0.5)
    assert pixels.shape == hidden.shape == (20, 20)
    assert hidden[5:10, 5:10].all()
    assert 25 <= hidden.sum() <= 81
    assert np.allclose(pixels[~hidden], 7, atol=1e-4)


def test_rescaling_suppresses_what_the_smaller_image_cannot_show():
    stripes = np.tile([0.0, 1.0], (64, 32)).astype(np.float32)
    assert np.ptp(rescale(stripes, None, 0.5)[0][4:-4, 4:-4]) < 0.3


def test_all_missing_stays_missing_and_scale_1_changes_nothing():
    image = np.full((20, 30), 3.0, np.float32)
    copy, missing = image.copy(), np.ones(image.shape, bool)
    pixels, hidden = rescale(image, missing, 0.5)
    assert pixels.shape == (10, 15)
    assert hidden.all()
    assert rescale(image, missing, 1) == (image, missing)
    assert np.array_equal(image, copy)


def test_colour_images_are_rescaled_channel_by_channel():
    image = np.random.default_rng(0).random((24, 16, 3)).astype(np.float32)
    colour = rescale(image, None, 0.5)[0]
    channels = [rescale(image[..., channel], None, 0.5)[0] for channel in range(3)]
    assert np.allclose(colour, np.stack(channels, axis=-1), atol=1e-6)
