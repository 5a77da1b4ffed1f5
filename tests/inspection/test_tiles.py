import tracemalloc

import numpy as np
import pytest

from sparsight import AnomalyDetector
from sparsight.datasets import nanofibres
from sparsight.images import as_image
from sparsight.inspection import tiles

SHAPE = (421, 390)
RECIPES = {
    "universal": {"n_components": 24},
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
    scores = np.full(SHAPE, -1, np.float32)
    cut = list(tiles.tiles(SHAPE, detector.margin_, max(side, detector.margin_)))
    assert len(cut) > 4
    for tile in cut:
        seen = (tile.seen_rows, tile.seen_columns)
        if mask is not None and mask[seen].all():
            scores[tile.rows, tile.columns] = np.nan
            continue
        part = detector.score_map(mat[seen], None if mask is None else mask[seen])
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


def test_what_compares_with_the_whole_image_is_not_cut():
    good = nanofibres((256, 256), defects=None, random_state=1).image.pixels
    detector = AnomalyDetector(scales=(1, 0.8), n_components=16, threshold=3.0, n_threads=1).fit([good])
    assert detector.margin_ is None


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
