import pytest

from sparsight import AnomalyDetector


@pytest.fixture
def model(sparsight, data, tmp_path):
    path = tmp_path / "model.sparsight"
    assert sparsight("train", data / "good", "-o", path, "--patch-size", 8).code == 0
    return path


def test_a_model_is_calibrated_without_being_retrained(sparsight, data, model, tmp_path):
    before = AnomalyDetector.load(model)
    other = tmp_path / "other.sparsight"
    ended = sparsight("calibrate", model, data / "good", "-o", other, "--false-alarm-rate", 0.2)
    assert ended.code == 0
    after = AnomalyDetector.load(other)
    assert after.threshold_ < before.threshold_
    assert f"Threshold {after.threshold_:.4g}; it was {before.threshold_:.4g}." in ended.out
    assert "20.0 % of the pixels" in ended.out
    assert "trained on some of these images" in ended.err
    assert after.provenance_ == before.provenance_
    assert AnomalyDetector.load(model).threshold_ == before.threshold_


def test_the_model_itself_is_replaced_by_default(sparsight, data, model):
    ended = sparsight("calibrate", model, data / "good", "--image-false-alarm-rate", 0.1)
    assert ended.code == 0
    calibration = AnomalyDetector.load(model).calibration_
    assert (calibration.how, calibration.image_false_alarm_rate) == ("held-out images", 0.1)
    assert "A defect is found in 33.3 % of good images at most." in ended.out  # what two images support
    assert "at least 9 can" in ended.err


def test_a_rate_that_the_images_support_is_promised_as_asked(sparsight, data, model):
    ended = sparsight("calibrate", model, data / "good", "--image-false-alarm-rate", 0.5)
    assert "A defect is found in 50.0 % of good images at most." in ended.out
    assert "cannot support a rate of 0.5" not in ended.err


def test_a_rate_that_is_none_is_refused(sparsight, data, model):
    ended = sparsight("calibrate", model, data / "good", "--image-false-alarm-rate", 1.5)
    assert ended.code == 2
