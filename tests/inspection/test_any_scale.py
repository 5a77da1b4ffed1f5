"""One model for a range of magnifications: the noise it expects, the scale it judges at, what it finds."""

import numpy as np
import pytest
from scipy import ndimage

from sparsight.datasets import nanofibres
from sparsight.errors import ParameterError
from sparsight.inspection import AnomalyDetector
from sparsight.inspection.acquisition_blur import AcquisitionBlur
from sparsight.inspection.acquisition_noise import AcquisitionNoise
from sparsight.inspection.any_scale import AnyScaleScorer
from sparsight.inspection.magnification import relative_magnification
from sparsight.inspection.rescaling import rescale
from sparsight.inspection.scorers import Observed


def mat(seed, magnification=1.0):
    return nanofibres((192, 208), magnification=magnification, defects=None, random_state=seed)


def noisy_ramp(seed, stripes=0):
    """Brightness from 0 to 200, and bright stripes, with noise that grows from 2 to 6."""
    rows, columns = np.indices((300, 400))
    clean = columns / 2 + stripes * ((columns % 8 < 4) & (rows % 24 < 12))
    noise = np.random.default_rng(seed).standard_normal(clean.shape)
    return Observed((clean + (2 + clean / 50) * noise).astype(np.float32))


def test_noise_is_measured_as_a_function_of_brightness():
    noise = AcquisitionNoise.of([noisy_ramp(0), noisy_ramp(1)])
    assert np.allclose(noise.deviation, 2 + noise.brightness / 50, rtol=0.08)


def test_noise_that_shrinking_removed_is_given_back():
    images = [noisy_ramp(seed) for seed in range(8)]
    noise = AcquisitionNoise.of(images)
    random_state = np.random.RandomState(0)
    plain = AcquisitionNoise.of([rescale(image, 0.5) for image in images])
    again = [noise.shrunk(image, lambda image: rescale(image, 0.5), random_state) for image in images]
    assert plain.deviation.max() < 0.7 * noise.deviation.max()
    assert np.allclose(AcquisitionNoise.of(again).deviation, noise.deviation, rtol=0.12)


def test_edges_are_not_taken_for_noise():
    noise = AcquisitionNoise.of([noisy_ramp(seed, stripes=60) for seed in range(2)])
    assert np.allclose(noise.deviation, 2 + noise.brightness / 50, rtol=0.1)


@pytest.fixture(scope="module")
def detector():
    good = [mat(seed).image for seed in range(2)]
    return AnomalyDetector(scales=(1, 0.6), n_components=48, false_alarm_rate=0.05, n_threads=1).fit(good)


def test_scales_are_a_range_in_even_steps():
    factors = AnyScaleScorer(scales=(1, 0.75, 0.5)).factors
    assert np.allclose(factors, [1, 0.871, 0.758, 0.660, 0.574, 0.5], atol=1e-3)
    assert AnyScaleScorer(scales=(0.6,)).factors == [pytest.approx(0.6)]


def test_the_scale_of_an_image_is_told(detector):
    for scale in (1.0, 0.8, 0.6):
        told = [detector.scorer_.scale_of(observed(mat(seed, scale).image.pixels)) for seed in (40, 41, 42)]
        assert np.mean(told) == pytest.approx(scale, rel=0.07)


def test_defects_hardly_change_the_scale_that_is_told(detector):
    image = mat(44, 0.8).image.pixels.copy()
    told = detector.scorer_.scale_of(observed(image))
    image[40:90, 60:110] = 255
    assert detector.scorer_.scale_of(observed(image)) == pytest.approx(told, rel=0.06)


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


def test_enough_images_are_judged_at_a_quarter_of_their_size_too_which_does_not_tell_the_scale():
    good = [
        observed(nanofibres((800, 800), fibre_diameter=12, defects=None, random_state=seed).image.pixels)
        for seed in range(2)
    ]
    settings = dict(scales=(1, 0.8), n_components=8, stride=8, n_threads=1)
    scorer = AnyScaleScorer(**settings).fit(good, np.random.RandomState(0))
    assert len(scorer.levels) == 3
    # The copies are not separate images: with them, but not without, one would be enough.
    assert len(AnyScaleScorer(**settings).fit(good[:1], np.random.RandomState(0)).levels) == 2
    again = AnyScaleScorer(**settings).restore(scorer.arrays())
    np.testing.assert_array_equal(again.score(good[0]), scorer.score(good[0]))
    features = np.concatenate(list(scorer._strips(good[0])))
    told = scorer._judged_at([features], None)
    features[..., features.shape[-1] // 3 * 2 :] += 5
    assert scorer._judged_at([features], None) == told


def test_images_too_small_to_shrink_are_refused():
    with pytest.raises(ParameterError, match=r"too small to be shrunk by 0\.1"):
        AnomalyDetector(scales=(1, 0.1)).fit([mat(0).image])


def observed(pixels):
    return Observed(pixels.astype(np.float32))


def test_pixel_sizes_tell_the_scale(detector):
    image = mat(70, 0.7).image
    assert detector.scorer_.scale_of(detector._observed(image, None)) == pytest.approx(0.7)
    assert detector.inspect(image).magnification == pytest.approx(0.7)
    assert detector.inspect(image).doubt is None
    unknown = detector.inspect(image.pixels)
    assert (unknown.magnification, unknown.doubt) == (None, None)


def test_scores_between_two_steps_lie_between_theirs(detector):
    image = observed(mat(45, 0.8).image.pixels)
    at = {
        scale: detector.scorer_.score(Observed(image.pixels, magnification=scale))
        for scale in (1.0, 0.94, detector.scorer_.factors[1])
    }
    ends = np.stack([at[1.0], at[detector.scorer_.factors[1]]])
    # Up to what is typical of the image, which is measured anew at each scale.
    inside = (at[0.94] > ends.min(axis=0) - 0.2) & (at[0.94] < ends.max(axis=0) + 0.2)
    assert inside.mean() > 0.95
    assert not np.allclose(at[0.94], ends[0], atol=0.05)


def test_magnifications_that_the_model_is_not_ready_for_are_told(detector):
    assert "0.3 times" in detector.inspect(mat(71, 0.3).image).doubt
    assert "0.6 to 1" in detector.inspect(mat(71, 1.5).image).doubt


@pytest.mark.parametrize(
    ("training", "new", "magnification"),
    [([2.0, 2.0], 4.0, 0.5), ([2.0, None], 4.0, None), ([2.0, 3.0], 4.0, None), ([2.0], None, None)],
)
def test_magnification_is_the_ratio_of_pixel_sizes(training, new, magnification):
    assert relative_magnification(training, new) == magnification


def test_half_of_what_all_of_an_image_has_is_forgotten(detector, monkeypatch):
    scorer = detector.scorer_
    monkeypatch.setattr(scorer, "anchors", None)
    image = Observed(mat(72).image.pixels.astype(np.float32), magnification=1.0)
    features = np.concatenate(list(scorer._strips(image)))
    raw = scorer.steps[0].score(features)
    _, scores = scorer._scores_of_whole(features, 1.0)
    assert np.allclose(raw - scores, np.median(raw - scores), atol=1e-6)
    monkeypatch.setattr(scorer, "_at_scale", lambda *_: raw + 1)
    _, of_raised = scorer._scores_of_whole(features, 1.0)
    assert np.allclose(of_raised - scores, 0.5, atol=1e-5)
    few = raw.copy()
    few[:3] += 20
    monkeypatch.setattr(scorer, "_at_scale", lambda *_: few)
    _, with_few = scorer._scores_of_whole(features, 1.0)
    assert np.median(scores - with_few) == pytest.approx(0, abs=0.05)


def textured(seed, sigma):
    """Random discs, smoothed by a Gaussian, with a little noise."""
    rng = np.random.default_rng(seed)
    fine = np.zeros((1024, 1024), np.float32)
    rows, columns = np.indices(fine.shape)
    for _ in range(300):
        row, column, radius = rng.uniform(0, 1024), rng.uniform(0, 1024), rng.uniform(20, 60)
        top, left = max(0, int(row - radius) - 1), max(0, int(column - radius) - 1)
        window = np.s_[top : int(row + radius) + 2, left : int(column + radius) + 2]
        inside = np.hypot(rows[window] - row, columns[window] - column) < radius
        fine[window][inside] = rng.uniform(50, 200)
    smooth = ndimage.gaussian_filter(fine, 4 * sigma)[::4, ::4]
    return Observed((smooth + rng.normal(0, 1, smooth.shape)).astype(np.float32))


@pytest.mark.parametrize("sigma", [0.4, 0.7])
def test_blur_of_sharp_edges_is_measured(sigma):
    blur = AcquisitionBlur.of([textured(seed, sigma) for seed in range(2)])
    assert np.sqrt(blur.variance) == pytest.approx(sigma, rel=0.12)


def test_shrunk_images_are_as_blurred_as_the_instrument_makes_them():
    image = textured(0, 0.6)
    blur = AcquisitionBlur.of([image])
    plain, matched = (AcquisitionBlur.of([small]) for small in (rescale(image, 0.6), blur.shrunk(image, 0.6)))
    assert plain.variance < 0.75 * blur.variance
    assert matched.variance == pytest.approx(blur.variance, rel=0.2)


def test_blur_leaves_constant_and_hidden_images_alone():
    constant = Observed(np.full((64, 64), 7, np.float32))
    hidden = Observed(textured(0, 0.6).pixels, np.ones((256, 256), bool))
    assert AcquisitionBlur.of([constant, hidden]).variance == 0
    masked = Observed(textured(0, 0.6).pixels, np.indices((256, 256))[0] < 40)
    small = AcquisitionBlur(0.4).shrunk(masked, 0.5)
    assert small.mask[:19].all()
    assert not small.mask[22:].any()
    whole = AcquisitionBlur(0.4).shrunk(Observed(masked.pixels), 0.5)
    assert np.allclose(small.pixels[24:], whole.pixels[24:], atol=1.0)
