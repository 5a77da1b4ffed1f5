import numpy as np
import pytest

from sparsight.errors import ParameterError
from sparsight.images import write_image
from sparsight.inspection import AnomalyDetector
from sparsight.inspection.calibration import Promise, calibrate, image_threshold


def texture(seed):
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((128, 160))
    waves = np.sin(rows / 3 + 0.3 * np.sin(columns / 17 + seed)) * 40
    return np.clip(120 + waves + rng.normal(0, 4, waves.shape), 0, 255).astype(np.uint8)


def promise(rate=0.01, of_images=None):
    return Promise(rate, of_images, lambda scores, threshold: bool((scores > threshold).sum() >= 4), 4)


def names(n_images):
    return [f"{number}.png" for number in range(n_images)]


def good_scores(n_images, seed=0, side=40):
    return list(np.random.default_rng(seed).standard_normal((n_images, side, side)))


@pytest.fixture(scope="module")
def detector():
    return AnomalyDetector(n_components=32, false_alarm_rate=0.01).fit([texture(seed) for seed in range(2)])


@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_pixel_rate_is_kept_on_other_images(rate):
    threshold, calibration = calibrate(good_scores(5), names(5), "held-out images", None, promise(rate))
    realised = np.mean([scores > threshold for scores in good_scores(20, seed=1)])
    assert rate / 1.3 < realised < rate * 1.3
    assert calibration.warning is None


def test_image_rate_is_kept_on_other_images():
    wanted = promise(0.01, of_images=0.1)
    called = []
    for seed in range(80):
        threshold, calibration = calibrate(
            good_scores(19, seed, 24), names(19), "held-out images", None, wanted
        )
        called += [wanted.is_defective(scores, threshold) for scores in good_scores(20, 100 + seed, 24)]
        assert calibration.n_called_defective <= 1
    assert 0.07 < np.mean(called) < 0.13


def test_too_few_images_for_an_image_rate_are_said_to_be():
    threshold, calibration = calibrate(
        good_scores(5), names(5), "held-out images", None, promise(0.01, of_images=0.05)
    )
    assert calibration.n_called_defective == 0
    assert "at least 19" in calibration.warning
    assert "0.17" in calibration.warning
    most = image_threshold([[scores] for scores in good_scores(5)], promise(0.01, of_images=0.05))
    assert (threshold, False) == most


def test_too_small_a_pixel_rate_is_said_to_be():
    _, calibration = calibrate(good_scores(2), names(2), "held-out images", None, promise(0.001))
    assert "200 places" in calibration.warning


def test_calibrating_changes_the_threshold_but_no_score(detector, tmp_path):
    image = texture(9)
    before, threshold = detector.score_map(image), detector.threshold_
    loose = detector.calibrate([texture(seed) for seed in range(30, 34)], false_alarm_rate=0.2)
    np.testing.assert_array_equal(loose.score_map(image), before)
    assert loose.threshold_ < threshold
    assert loose.calibration_.false_alarm_rate == 0.2
    assert loose.calibration_.how == "held-out images"
    assert loose.calibration_.n_images == 4
    loose.save(tmp_path / "m.sparsight")
    assert AnomalyDetector.load(tmp_path / "m.sparsight").calibration_ == loose.calibration_


def test_calibrating_on_training_images_is_warned_of(tmp_path):
    path = tmp_path / "good.png"
    write_image(path, texture(0))
    detector = AnomalyDetector(n_components=16, false_alarm_rate=0.05).fit([path])
    assert "trained on" in detector.calibrate([path]).calibration_.warning


@pytest.mark.parametrize("rate", [0, 1, -0.1, 2])
def test_impossible_rates_are_refused(detector, rate):
    with pytest.raises(ParameterError, match="image_false_alarm_rate"):
        detector.calibrate([texture(3)], image_false_alarm_rate=rate)
    with pytest.raises(ParameterError, match="image_false_alarm_rate"):
        AnomalyDetector(image_false_alarm_rate=rate).fit([texture(3)])
