import numpy as np
import pytest

from sparsight.errors import ParameterError
from sparsight.inspection import NormalityRegion, conformal_threshold, find_defects


def test_distance_is_mahalanobis():
    rng = np.random.default_rng(0)
    indicators = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 3)) + 5
    region = NormalityRegion.of(indicators)
    centred = indicators - indicators.mean(axis=0)
    inverse = np.linalg.inv(np.cov(indicators, rowvar=False))
    expected = np.sqrt(np.einsum("ni,ij,nj->n", centred, inverse, centred))
    assert np.allclose(region.distance(indicators), expected, rtol=1e-6)


def test_region_survives_collinear_and_constant_indicators():
    values = np.random.default_rng(0).random(50)
    region = NormalityRegion.of(np.column_stack([values, 2 * values, np.ones(50)]))
    assert np.isfinite(region.distance(np.array([[0.5, 1.0, 1.0], [9.0, 0.0, 3.0]]))).all()


def test_region_needs_more_patches_than_indicators():
    with pytest.raises(ParameterError, match="more than 2 held-out normal patches, got 2"):
        NormalityRegion.of(np.eye(2))


@pytest.mark.parametrize("rate", [0.3, 0.05, 0.01])
def test_conformal_threshold_is_the_order_statistic(rate):
    scores = np.random.default_rng(0).permutation(999).astype(float)
    k = int(np.ceil((999 + 1) * (1 - rate)))
    assert conformal_threshold([scores.reshape(27, 37)], rate) == np.sort(scores)[k - 1]


def test_conformal_threshold_keeps_its_promise_on_average():
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(300):
        threshold = conformal_threshold([rng.standard_normal(40) for _ in range(3)], 0.1)
        rates.append((rng.standard_normal(2000) > threshold).mean())
    assert np.mean(rates) == pytest.approx(0.1, abs=0.01)
    assert np.mean(rates) <= 0.105


def test_images_weigh_the_same_whatever_their_size():
    small, large = np.full(10, 1.0), np.zeros(10_000)
    assert conformal_threshold([small, large], 0.4) == 1.0
    assert conformal_threshold([small, large], 0.6) == 0.0


def test_unobserved_pixels_do_not_calibrate():
    assert conformal_threshold([np.array([1.0, np.nan, 2.0, np.nan])], 0.5) == 2.0
    with pytest.raises(ParameterError, match="No pixel is left"):
        conformal_threshold([np.full(5, np.nan)], 0.1)


def test_defects_are_regions_strongest_first():
    scores = np.zeros((20, 30), np.float32)
    scores[2:4, 3:6] = 5
    scores[10:15, 20:22] = 3
    scores[11, 20] = 9
    scores[18, 0] = 4
    mask, defects = find_defects(scores, 2, min_area=2, pixel_size_um=2.0)
    assert [d.label for d in defects] == [1, 2]
    assert [d.peak_score for d in defects] == [9, 5]
    assert defects[1].bounding_box == (2, 3, 4, 6)
    assert defects[1].centroid == (2.5, 4.0)
    assert (defects[1].area_px, defects[1].area_um2) == (6, 24.0)
    assert defects[0].mean_score == pytest.approx(3.6)
    assert mask.sum() == 16
    assert not mask[18, 0]


def test_fragments_across_a_small_gap_are_one_defect_with_an_open_mask():
    scores = np.zeros((9, 30))
    scores[4, 2:5] = scores[4, 8:11] = scores[4, 25] = 1
    mask, defects = find_defects(scores, 0.5, gap=4)
    assert [d.area_px for d in defects] == [6, 1]
    assert mask.sum() == 7


def test_unobserved_pixels_are_no_defects():
    mask, defects = find_defects(np.full((4, 4), np.nan), 0.5)
    assert not mask.any()
    assert defects == []
