import numpy as np

from sparsight.inspection.neighbourhoods import radius, shared_evidence


def test_equal_scores_stay_as_they_are_even_at_the_border():
    for value in (2.5, -1.5):
        scores = np.full((9, 12), value, np.float32)
        np.testing.assert_allclose(shared_evidence(scores, 2.0), scores, rtol=1e-5)


def test_what_neighbours_agree_on_outweighs_a_larger_chance_oddity():
    scores = np.zeros((60, 60), np.float32)
    scores[10, 10] = 6.0
    scores[35:46, 35:46] = 3.0
    shared = shared_evidence(scores, 2.0)
    assert shared[40, 40] > 2.5 > 1.5 > shared[10, 10]


def test_squares_are_averaged_with_gaussian_weights():
    scores = np.zeros((41, 41), np.float32)
    scores[20, 20] = -3.0
    shared = shared_evidence(scores, 2.0)
    assert shared[20, 20] < 0
    np.testing.assert_allclose(-np.square(shared).sum(), -9.0, rtol=1e-4)
    np.testing.assert_allclose((shared[20, 22] / shared[20, 20]) ** 2, np.exp(-0.5), rtol=1e-4)


def test_nothing_is_seen_beyond_the_radius():
    scores = np.zeros((41, 41), np.float32)
    scores[20, 20] = 5.0
    shared = shared_evidence(scores, 2.0)
    assert shared[20, 20 + radius(2.0)] > 0
    assert not shared[:, 21 + radius(2.0) :].any()


def test_unknown_scores_have_no_weight_and_are_told_by_their_neighbours():
    scores = np.full((30, 30), 2.0, np.float32)
    scores[:, 10:] = np.nan
    shared = shared_evidence(scores, 2.0)
    np.testing.assert_allclose(shared[:, :12], 2.0, rtol=1e-5)
    assert np.isnan(shared[:, 10 + radius(2.0) :]).all()
