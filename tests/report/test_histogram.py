import numpy as np
import pytest

from sparsight.report.histogram import N_BINS, ScoreHistogram


def test_every_observed_pixel_is_counted_once():
    scores = np.float32([0, 0.1, 1.0, 3.9, 4.0, 4.1, 1e9, np.inf, np.nan])
    counts = ScoreHistogram.of(scores, 1.0).counts
    assert counts.sum() == 8
    assert counts[N_BINS] == 3  # above four times the threshold


def test_the_threshold_itself_is_not_above():
    scores = np.float32([1.0, np.nextafter(np.float32(1), np.float32(2)), 0.5, 2.0])
    assert ScoreHistogram.of(scores, 1.0).share_above == pytest.approx(0.5)


def test_histograms_add_up():
    first, second = (ScoreHistogram.of(np.float32(scores), 2.0) for scores in ([1, 3], [5]))
    assert (first + second).share_above == pytest.approx(2 / 3)


def test_bars_grow_with_the_logarithm_of_their_count():
    scores = np.concatenate([np.full(n, score) for n, score in ((1, 0.1), (10, 0.2), (100, 2.0))])
    chart = ScoreHistogram.of(scores.astype(np.float32), 1.0).chart(100, 60)
    heights = [bar["height"] for bar in chart["bars"]]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1])
    assert max(heights) <= 60
    assert [bar["above"] for bar in chart["bars"]] == [False, False, True]
    assert chart["bars"][1]["x"] < chart["threshold"] <= chart["bars"][2]["x"]


def test_an_empty_histogram_can_be_drawn():
    assert ScoreHistogram().chart(100, 60)["bars"] == []
    assert ScoreHistogram().share_above == 0
