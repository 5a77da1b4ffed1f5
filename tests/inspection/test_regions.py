import numpy as np
import pytest
from scipy import ndimage

from sparsight.inspection import find_defects, regions


def whole_map(score_map, threshold, min_area, gap, blur):
    """What `find_defects` computes, with the whole map at once."""
    mask = score_map > threshold
    if blur:
        peaks = ndimage.maximum_filter(np.where(mask, score_map, threshold), size=2 * blur + 1)
        mask &= score_map >= 0.5 * peaks
    joined = ndimage.distance_transform_edt(~mask) <= gap / 2 if gap and mask.any() else mask
    labels, n_labels = ndimage.label(joined, structure=np.ones((3, 3)))
    labels[~mask] = 0
    found = []
    for label in range(1, n_labels + 1):
        rows, columns = np.nonzero(labels == label)
        if len(rows) < min_area:
            mask[rows, columns] = False
            continue
        scores = score_map[rows, columns]
        peak = int(np.argmax(scores))
        box = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        place = (rows[peak], columns[peak])
        found.append((-scores.max(), len(rows), box, (rows.mean(), columns.mean()), place, scores.mean()))
    return mask, sorted(found)


def blobs(seed, shape=(83, 61)):
    rng = np.random.default_rng(seed)
    scores = ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(0.5, 2.5)).astype(np.float32)
    scores *= 3 / scores.std()
    scores[rng.random(shape) < 0.02] = np.nan
    return scores


@pytest.mark.parametrize("pixels_at_a_time", [61, 300, 10**6])
@pytest.mark.parametrize(("gap", "blur"), [(0, 0), (5, 0), (4, 6)])
def test_rows_at_a_time_find_what_the_whole_map_does(monkeypatch, pixels_at_a_time, gap, blur):
    monkeypatch.setattr(regions, "_PIXELS_AT_A_TIME", pixels_at_a_time)
    monkeypatch.setattr(regions, "_RUNS_AT_A_TIME", 7)
    for seed in range(6):
        scores = blobs(seed)
        mask, defects = find_defects(scores, 3.5, min_area=4, gap=gap, blur=blur)
        expected_mask, expected = whole_map(scores, 3.5, 4, gap, blur)
        np.testing.assert_array_equal(mask, expected_mask)
        assert len(defects) == len(expected) > 0
        for number, (defect, known) in enumerate(zip(defects, expected, strict=True), start=1):
            peak, area, box, centroid, place, mean = known
            assert (defect.label, defect.area_px, defect.bounding_box) == (number, area, box)
            assert (defect.peak, defect.peak_score) == (place, -peak)
            assert defect.centroid == pytest.approx(centroid)
            assert defect.mean_score == pytest.approx(mean, rel=1e-5)


def test_a_region_that_winds_through_many_bands_is_one(monkeypatch):
    monkeypatch.setattr(regions, "_PIXELS_AT_A_TIME", 40)
    spiral = np.zeros((20, 20), np.float32)
    for ring in range(0, 10, 2):
        spiral[ring : 20 - ring, ring] = spiral[ring : 20 - ring, 19 - ring] = 2
        spiral[19 - ring, ring : 20 - ring] = 2
    spiral[0, 0:20] = 0
    spiral[0, 0] = spiral[0, 19] = 3
    mask, defects = find_defects(spiral, 1.0)
    assert len(defects) == ndimage.label(spiral > 1, np.ones((3, 3)))[1]
    assert sum(defect.area_px for defect in defects) == mask.sum() == (spiral > 1).sum()


def test_all_and_nothing():
    mask, defects = find_defects(np.ones((30, 40), np.float32), 0.5, gap=4)
    assert mask.all()
    (defect,) = defects
    assert (defect.area_px, defect.bounding_box, defect.centroid) == (1200, (0, 0, 30, 40), (14.5, 19.5))
    mask, defects = find_defects(np.full((30, 40), np.nan, np.float32), 0.5, gap=4, blur=3)
    assert not mask.any()
    assert not defects
