import numpy as np
import pytest

from sparsight.inspection import AnomalyDetector, conformal_threshold
from sparsight.inspection.unlike_images import unlike_the_others


def scores(n_images):
    return [[part] for part in np.random.default_rng(0).standard_normal((n_images, 50, 50))]


def test_the_image_that_raises_the_threshold_is_found():
    of_images = scores(5)
    of_images[3][0] *= 4
    threshold = conformal_threshold([part for parts in of_images for part in parts], 0.01)
    number, without = unlike_the_others(of_images, threshold, 0.01)
    assert number == 3
    assert without == conformal_threshold([parts[0] for i, parts in enumerate(of_images) if i != 3], 0.01)


@pytest.mark.parametrize("n_images", [2, 5])
def test_images_alike_or_too_few_to_tell_are_left_alone(n_images):
    of_images = scores(n_images)
    if n_images == 2:
        of_images[0][0] *= 4
    threshold = conformal_threshold([part for parts in of_images for part in parts], 0.01)
    assert unlike_the_others(of_images, threshold, 0.01) is None


def test_nothing_is_compared_with_images_that_are_not_observed():
    nothing = [np.full((5, 5), np.nan)]
    assert unlike_the_others([[np.ones((5, 5))], nothing, nothing], 1.0, 0.01) is None


def test_a_defective_training_image_is_named():
    rng = np.random.default_rng(0)
    images = [np.clip(120 + rng.normal(0, 10, (128, 128)), 0, 255).astype(np.uint8) for _ in range(7)]
    images[4][30:90, 30:90] = 120 + 3 * (images[4][30:90, 30:90].astype(int) - 120).clip(-40, 45)
    detector = AnomalyDetector(n_components=16, false_alarm_rate=0.02, n_threads=1).fit(images)
    assert "number 5 looks unlike the others" in detector.calibration_.warning
