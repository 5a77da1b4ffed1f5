import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from sparsight.evaluation import metrics


def make_images(seed, n_images=3, shape=(24, 31), n_levels=None):
    """Blobby masks and scores that follow them somewhat; few levels make many ties."""
    random = np.random.default_rng(seed)
    score_maps, masks = [], []
    for _ in range(n_images):
        smooth = ndimage.gaussian_filter(random.standard_normal(shape), 2)
        mask = smooth > np.quantile(smooth, 0.8)
        scores = mask + random.standard_normal(shape)
        if n_levels is not None:
            scores = np.clip(np.round(scores * n_levels / 4), 0, n_levels)
        score_maps.append(scores.astype(np.float32))
        masks.append(mask)
    return score_maps, masks


def pooled(score_maps, masks):
    return np.concatenate([m.ravel() for m in masks]), np.concatenate([s.ravel() for s in score_maps])


def aupro_by_definition(score_maps, masks, max_fpr):
    """Every distinct score is a threshold; at each, every region is measured anew."""
    truth, scores = pooled(score_maps, masks)
    fpr, overlap = [0.0], [0.0]
    for threshold in np.unique(scores)[::-1]:
        shares = []
        for score_map, mask in zip(score_maps, masks, strict=True):
            regions, n_regions = ndimage.label(mask, structure=np.ones((3, 3)))
            shares += [np.mean(score_map[regions == k + 1] >= threshold) for k in range(n_regions)]
        fpr.append(np.mean(scores[~truth] >= threshold))
        overlap.append(np.mean(shares))
    grid = np.linspace(0, max_fpr, 200_001)
    return np.trapezoid(np.interp(grid, fpr, overlap), grid) / max_fpr


@given(seed=st.integers(0, 10**6), n_levels=st.sampled_from([None, 2, 7]))
@settings(max_examples=30, deadline=None)
def test_pooled_figures_equal_scikit_learn(seed, n_levels):
    score_maps, masks = make_images(seed, n_levels=n_levels)
    truth, scores = pooled(score_maps, masks)

    assert metrics.pixel_auroc_pooled(score_maps, masks) == pytest.approx(
        roc_auc_score(truth, scores), abs=1e-12
    )
    assert metrics.pixel_average_precision(score_maps, masks) == pytest.approx(
        average_precision_score(truth, scores), abs=1e-12
    )


def test_pixel_auroc_is_the_mean_over_images():
    score_maps, masks = make_images(1)
    expected = np.mean([roc_auc_score(m.ravel(), s.ravel()) for m, s in zip(masks, score_maps, strict=True)])
    assert metrics.pixel_auroc(score_maps, masks) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n_levels", [None, 3])
@pytest.mark.parametrize("max_fpr", [0.3, 0.05, 1.0])
def test_aupro_equals_its_definition(n_levels, max_fpr):
    score_maps, masks = make_images(2, n_levels=n_levels)
    assert metrics.aupro(score_maps, masks, max_fpr=max_fpr) == pytest.approx(
        aupro_by_definition(score_maps, masks, max_fpr), abs=1e-5
    )


def test_aupro_counts_a_small_region_as_much_as_a_large_one():
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:12, 2:12] = mask[16, 16] = True
    scores = np.zeros((20, 20), dtype=np.float32)
    scores[2:12, 2:12] = 1  # the large region is found at once, the single pixel never
    half_found = 0.5 + 0.5 * 0.3 / 2  # the other half rises with the chance line
    assert metrics.aupro([scores], [mask]) == pytest.approx(half_found)


def test_diagonal_neighbours_are_one_region():
    mask = np.eye(6, dtype=bool)
    scores = np.zeros((6, 6))
    scores[:3, :3][np.eye(3, dtype=bool)] = 1
    assert metrics.aupro([scores], [mask], max_fpr=1.0) == pytest.approx(0.5 + 0.25)


def test_unobserved_pixels_count_for_nothing():
    score_maps, masks = make_images(3, n_images=1)
    scores, mask = score_maps[0].copy(), masks[0]
    scores[:10] = np.nan

    for figure in (
        metrics.pixel_auroc,
        metrics.pixel_auroc_pooled,
        metrics.pixel_average_precision,
        metrics.aupro,
    ):
        assert figure([scores], [mask]) == pytest.approx(figure([scores[10:]], [mask[10:]]))


def test_images_of_one_kind_leave_the_mean_and_stay_in_the_pool():
    (scores, other), (mask, _) = make_images(4, n_images=2)
    none, everything = np.zeros_like(mask), np.ones_like(mask)

    assert metrics.pixel_auroc([scores, other], [mask, none]) == metrics.pixel_auroc([scores], [mask])
    truth, pooled_scores = pooled([scores, other], [mask, everything])
    assert metrics.pixel_auroc_pooled([scores, other], [mask, everything]) == pytest.approx(
        roc_auc_score(truth, pooled_scores)
    )


@pytest.mark.parametrize("mask", [np.zeros((4, 5)), np.ones((4, 5))])
def test_undefined_figures_are_nan(mask):
    scores = np.arange(20.0).reshape(4, 5)
    assert np.isnan(metrics.pixel_auroc([scores], [mask]))
    assert np.isnan(metrics.pixel_auroc_pooled([scores], [mask]))
    assert np.isnan(metrics.pixel_average_precision([scores], [mask]))
    assert np.isnan(metrics.aupro([scores], [mask]))


def test_rates_are_strictly_above_the_threshold_and_averaged_over_images():
    first = np.array([[1.0, 2.0], [3.0, 4.0]])
    mask = np.array([[False, True], [False, True]])
    tpr, fpr = metrics.rates_at_threshold([first, first + 1], [mask, mask], 3.0)
    assert (tpr, fpr) == ((0.5 + 0.5) / 2, (0.0 + 0.5) / 2)


def test_mean_roc_curve_runs_from_corner_to_corner_and_passes_the_rates():
    score_maps, masks = make_images(5)
    curve = metrics.mean_roc_curve(score_maps, masks)

    assert (curve.fpr[0], curve.tpr[0], curve.fpr[-1], curve.tpr[-1]) == (0, 0, 1, 1)
    assert np.all(np.diff(curve.fpr) >= 0)
    assert np.all(np.diff(curve.tpr) >= 0)
    middle = curve.threshold.size // 2
    rates = metrics.rates_at_threshold(score_maps, masks, curve.threshold[middle])
    assert rates == (curve.tpr[middle], curve.fpr[middle])


def test_mean_roc_curve_of_one_image_has_its_auroc_as_area():
    score_maps, masks = make_images(6, n_images=1, shape=(120, 130))
    curve = metrics.mean_roc_curve(score_maps, masks)
    assert curve.area == pytest.approx(metrics.pixel_auroc(score_maps, masks), abs=1e-3)


def test_a_map_and_mask_of_different_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 5\).*\(5, 4\)"):
        metrics.aupro([np.zeros((4, 5))], [np.zeros((5, 4))])


def test_inputs_are_not_changed():
    score_maps, masks = make_images(7)
    kept = [s.copy() for s in score_maps]
    metrics.aupro(score_maps, masks)
    assert all(np.array_equal(a, b) for a, b in zip(score_maps, kept, strict=True))
