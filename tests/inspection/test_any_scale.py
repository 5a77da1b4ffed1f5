"""One model for a range of magnifications: the noise it expects, the scale it judges at, what it finds."""

import numpy as np
import pytest

from sparsight.datasets import nanofibres
from sparsight.errors import ParameterError
from sparsight.inspection import AnomalyDetector
from sparsight.inspection.acquisition_noise import AcquisitionNoise
from sparsight.inspection.any_scale import AnyScaleScorer
from sparsight.inspection.magnification import relative_magnification
from sparsight.inspection.rescaling import rescale
from sparsight.inspection.scorers import Observed


def mat(seed, magnification=1.0):
    return nanofibres((192, 208), magnification=magnification, defects=None, random_state=seed)


def noisy_ramp(seed):
    """Brightness from 0 to 200 with noise that grows from 2 to 6."""
    ramp = np.tile(np.linspace(0, 200, 400), (300, 1))
    noise = np.random.default_rng(seed).standard_normal(ramp.shape)
    return Observed((ramp + (2 + ramp / 50) * noise).astype(np.float32))


def test_noise_is_measured_as_a_function_of_brightness():
    noise = AcquisitionNoise.of([noisy_ramp(0), noisy_ramp(1)])
    assert np.allclose(noise.deviation, 2 + noise.brightness / 50, rtol=0.08)


def test_noise_that_shrinking_removed_is_given_back():
    image = noisy_ramp(0)
    noise = AcquisitionNoise.of([image])
    small = rescale(image, 0.5)
    again = noise.shrunk(image, lambda image: rescale(image, 0.5), np.random.RandomState(0))
    assert AcquisitionNoise.of([small]).deviation.max() < 0.7 * noise.deviation.max()
    restored = AcquisitionNoise.of([again])
    assert np.allclose(restored.deviation, noise.deviation, rtol=0.12)


@pytest.fixture(scope="module")
def detector():
    good = [mat(seed).image for seed in range(2)]
    return AnomalyDetector(scales=(1, 0.6), n_components=48, false_alarm_rate=0.05, n_threads=1).fit(good)


def test_scales_are_a_range_in_even_steps():
    factors = AnyScaleScorer(scales=(1, 0.75, 0.5)).factors
    assert np.allclose(factors, [1, 0.871, 0.758, 0.660, 0.574, 0.5], atol=1e-3)
    assert AnyScaleScorer(scales=(0.6,)).factors == [pytest.approx(0.6)]


def test_each_place_is_judged_at_its_own_scale(detector):
    seen = {
        scale: float(np.median(detector.scorer_.scale_map(observed(mat(40, scale).image.pixels))))
        for scale in (1.0, 0.6)
    }
    assert seen[1.0] > 0.8
    assert seen[0.6] < 0.7


def test_foreign_texture_stands_out_at_a_lower_magnification(detector):
    image = mat(50, 0.6).image.pixels.copy()
    rows, columns = np.indices((48, 48))
    image[70:118, 80:128] = 128 + 60 * np.sign(np.sin(rows) * np.sin(columns))
    scores = detector.score_map(image)
    assert scores.shape == image.shape
    assert np.median(scores[78:110, 88:120]) > np.quantile(scores, 0.9)


def test_saved_model_scores_the_same(detector, tmp_path):
    detector.save(tmp_path / "model.sparsight")
    loaded = AnomalyDetector.load(tmp_path / "model.sparsight")
    image = mat(60, 0.7).image.pixels
    assert np.array_equal(loaded.score_map(image), detector.score_map(image))
    assert loaded.provenance_["notes"]["scales"] == [1.0, 0.88, 0.775, 0.682, 0.6]


def test_images_too_small_to_shrink_are_refused():
    with pytest.raises(ParameterError, match=r"too small to be shrunk by 0\.1"):
        AnomalyDetector(scales=(1, 0.1)).fit([mat(0).image])


def observed(pixels):
    return Observed(pixels.astype(np.float32))


def test_pixel_sizes_tell_the_scale(detector):
    image = mat(70, 0.6).image
    judged = detector.scorer_.scale_map(detector._observed(image, None))
    assert np.unique(judged).tolist() == [pytest.approx(0.6)]
    assert detector.inspect(image).magnification == pytest.approx(0.6)
    assert detector.inspect(image).doubt is None
    unknown = detector.inspect(image.pixels)
    assert (unknown.magnification, unknown.doubt) == (None, None)


def test_magnifications_that_the_model_is_not_ready_for_are_told(detector):
    assert "0.3 times" in detector.inspect(mat(71, 0.3).image).doubt
    assert "0.6 to 1" in detector.inspect(mat(71, 1.5).image).doubt


@pytest.mark.parametrize(
    ("training", "new", "magnification"),
    [([2.0, 2.0], 4.0, 0.5), ([2.0, None], 4.0, None), ([2.0, 3.0], 4.0, None), ([2.0], None, None)],
)
def test_magnification_is_the_ratio_of_pixel_sizes(training, new, magnification):
    assert relative_magnification(training, new) == magnification


def test_anchoring_forgets_what_all_of_an_image_has(detector):
    image = mat(72, 1.0).image.pixels.astype(np.float32)
    duller = np.clip(image * 0.8 + 20, 0, 255)
    spread = {}
    for anchored in (True, False):
        detector.scorer_.anchored = anchored
        spread[anchored] = abs(float(np.median(detector.score_map(duller.astype(np.uint8)))))
    detector.scorer_.anchored = True
    assert spread[True] < 0.5 * spread[False]
