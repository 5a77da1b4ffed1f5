import tracemalloc

import numpy as np
import pytest

from sparsight import AnomalyDetector
from sparsight.datasets import nanofibres
from sparsight.images import as_image
from sparsight.inspection import survey, tiles
from sparsight.inspection.scorers import Observed

SHAPE = (421, 390)
RECIPES = {
    "universal": {"n_components": 24},
    "universal, scales": {"n_components": 16, "scales": (1, 0.7)},
    "universal, odd strides": {"n_components": 24, "patch_size": 10, "stride": 3},
    "reconstruction": {"method": "reconstruction", "patch_size": 12, "stride": 5},
    "group-coding": {"method": "group-coding", "n_components": 20, "patch_size": 20, "stride": 6},
}


@pytest.fixture(scope="module")
def mat():
    return nanofibres(SHAPE, random_state=9).image.pixels


@pytest.fixture(scope="module", params=list(RECIPES))
def detector(request):
    good = [nanofibres((256, 256), defects=None, random_state=seed).image.pixels for seed in (1, 2)]
    return AnomalyDetector(threshold=3.0, n_threads=1, **RECIPES[request.param]).fit(good)


def hidden():
    mask = np.zeros(SHAPE, bool)
    mask[100:180, 200:260] = True
    mask[270:, :160] = True
    return mask


@pytest.mark.parametrize(("mask", "side"), [(None, 1), (hidden(), 170)], ids=["whole", "masked"])
def test_tiles_have_the_scores_of_the_whole_image_bit_for_bit(detector, mat, mask, side):
    image = as_image(mat)
    whole = detector.scorer_.score(detector._observed(image, mask))
    seen_whole = detector.survey(mat, mask)
    scores = np.full(SHAPE, -1, np.float32)
    cut = list(tiles.tiles(SHAPE, detector.margin_, max(side, detector.margin_)))
    assert len(cut) > 4
    for tile in cut:
        seen = (tile.seen_rows, tile.seen_columns)
        if mask is not None and mask[seen].all():
            scores[tile.rows, tile.columns] = np.nan
            continue
        part = detector.score_map(mat[seen], None if mask is None else mask[seen], survey=seen_whole)
        scores[tile.rows, tile.columns] = part[tile.inside]
    np.testing.assert_array_equal(scores, whole)


def test_the_detector_works_in_tiles_itself(detector, mat, monkeypatch):
    whole = detector.inspect(mat, hidden())
    monkeypatch.setattr(tiles, "SIDE", 100)
    seen = []
    score = type(detector.scorer_).score
    monkeypatch.setattr(type(detector.scorer_), "score", lambda self, x: seen.append(x) or score(self, x))
    parts = detector.inspect(mat, hidden())
    assert len(seen) > 9
    assert max(part.pixels.size for part in seen) < mat.size / 2
    np.testing.assert_array_equal(parts.score_map, whole.score_map)
    np.testing.assert_array_equal(parts.mask, whole.mask)
    assert parts.defects == whole.defects


def test_tiles_cover_every_pixel_once_and_begin_at_multiples_of_the_margin():
    for shape in ((64, 64), (1000, 333), (65, 4000)):
        count = np.zeros(shape, int)
        for tile in tiles.tiles(shape, 64, 200):
            count[tile.rows, tile.columns] += 1
            assert tile.seen_rows.start % 64 == tile.seen_columns.start % 64 == 0
            assert tile.seen_rows.start == max(0, tile.rows.start - 64)
            assert tile.seen_columns.stop == min(shape[1], tile.columns.stop + 64)
        assert (count == 1).all()


@pytest.fixture(scope="module")
def of_two_scales():
    good = nanofibres((256, 256), defects=None, random_state=1).image.pixels
    return AnomalyDetector(scales=(1, 0.7), n_components=16, threshold=3.0, n_threads=1).fit([good])


@pytest.mark.parametrize("mask", [None, hidden()], ids=["whole", "masked"])
def test_samples_of_a_large_image_stand_for_it_in_any_tiling(of_two_scales, mask, monkeypatch):
    mat = nanofibres(SHAPE, magnification=0.8, defects=None, random_state=9).image.pixels
    whole = of_two_scales.survey(mat, mask)
    monkeypatch.setattr("sparsight.inspection.survey._PIXELS_OF_A_LARGE_IMAGE", 50_000)
    monkeypatch.setattr("sparsight.inspection.survey._SIDE", 80)
    monkeypatch.setattr("sparsight.inspection.survey._MOST_SAMPLES", 6)
    scores = []
    for side in (10_000, 100):
        monkeypatch.setattr(tiles, "SIDE", side)
        scores.append(of_two_scales.score_map(mat, mask))
    np.testing.assert_array_equal(*scores)
    sampled = of_two_scales.survey(mat, mask)
    assert sampled.magnification == pytest.approx(whole.magnification, rel=0.1)
    assert sampled != whole


def test_a_part_is_judged_at_the_scale_of_its_image(of_two_scales):
    mat = nanofibres(SHAPE, magnification=0.8, defects=None, random_state=9).image.pixels
    seen_whole = of_two_scales.survey(mat)
    assert seen_whole.magnification == pytest.approx(0.8, rel=0.1)
    alone, as_part = of_two_scales.score_map(mat[:128]), of_two_scales.score_map(mat[:128], survey=seen_whole)
    assert not np.array_equal(alone, as_part)
    np.testing.assert_array_equal(as_part[:32], of_two_scales.score_map(mat)[:32])


def test_samples_are_what_is_observed_of_a_large_image(monkeypatch):
    monkeypatch.setattr(survey, "_PIXELS_OF_A_LARGE_IMAGE", 10_000)
    monkeypatch.setattr(survey, "_SIDE", 50)
    pixels = np.arange(40_000).reshape(200, 200)
    assert len(survey.samples(Observed(pixels[:90, :90]))) == 1
    assert len({sample.pixels[0, 0] for sample in survey.samples(Observed(pixels))}) == 16
    mask = np.ones((200, 200), bool)
    mask[60:90, 110:150] = False
    (sample,) = survey.samples(Observed(pixels, mask))
    assert sample.n_observed == 1200


def test_memory_grows_by_little_more_than_the_maps(mat, monkeypatch):
    """Per pixel: a score of 4 bytes and a mask of 1; what else is needed is that of a tile and of some rows."""
    monkeypatch.setattr(tiles, "SIDE", 256)
    monkeypatch.setattr("sparsight.inspection.regions._PIXELS_AT_A_TIME", 100_000)
    good = nanofibres((256, 256), defects=None, random_state=1).image.pixels
    detector = AnomalyDetector(n_components=16, threshold=3.0, n_threads=1).fit([good])
    peaks = []
    for times in (2, 6):
        image = np.tile(mat, (times, times))
        tracemalloc.start()
        found = detector.inspect(image)
        peaks.append(tracemalloc.get_traced_memory()[1] / image.size)
        tracemalloc.stop()
        assert found.defects
    small, large = (2 * 2 * mat.size, 6 * 6 * mat.size)
    growth = (peaks[1] * large - peaks[0] * small) / (large - small)
    assert growth < 8, f"{growth:.1f} bytes per pixel"
