"""Densities of what shrunk copies show little of."""

import numpy as np
import pytest

from sparsight.inspection.any_scale import AnyScaleScorer
from sparsight.inspection.likelihood import LikelihoodScorer
from sparsight.inspection.likelihood_ratio import LikelihoodRatio
from sparsight.inspection.scorers import Observed
from sparsight.inspection.small_sizes import unshown_variance


def test_the_less_is_known_of_a_size_the_more_variance_is_unshown():
    variance = unshown_variance(400, n_levels=3, n_features=2)
    assert variance[:4].tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(variance[4:], 1e-3 * 4**4)
    assert unshown_variance(1600, 3, 2).tolist() == [0] * 6
    assert unshown_variance(40, 3, 1)[-1] == pytest.approx(0.3)


def test_unshown_variance_makes_other_images_of_a_texture_less_odd():
    random_state = np.random.RandomState(0)
    few, others, odd = (
        (spread * random_state.standard_normal((n, 8))).astype(np.float32)
        for n, spread in ((60, 1), (2000, 1), (500, 6))
    )
    settings = dict(resolvable=np.zeros(8), n_separate=1e6, random_state=random_state)
    wide = np.r_[np.zeros(4), np.full(4, 0.3)]
    surprise = {
        name: LikelihoodRatio.of(few, odd, unshown=unshown, **settings).verdicts[0].normal.log_density(others)
        for name, unshown in (("narrow", np.zeros(8)), ("wide", wide))
    }
    assert surprise["wide"].mean() > surprise["narrow"].mean() + 1


def test_small_copies_are_learned_with_more_variance_than_large_ones(monkeypatch):
    given = []
    of_one_scale = LikelihoodRatio.of

    def recorded(*arguments, unshown, **keywords):
        given.append(unshown)
        return of_one_scale(*arguments, unshown=unshown, **keywords)

    monkeypatch.setattr(LikelihoodRatio, "of", recorded)
    rng = np.random.default_rng(0)
    images = [Observed(rng.normal(100, 20, (320, 320)).astype(np.float32)) for _ in range(2)]
    settings = dict(n_components=8, n_threads=1)
    AnyScaleScorer(scales=(1, 0.6), **settings).fit(images, np.random.RandomState(0))
    of_full_size, of_half_size = zip(*((variance[0], variance[-1]) for variance in given), strict=True)
    assert (np.diff(of_half_size) > 0).all()
    assert (np.array(of_half_size) > of_full_size).all()
    LikelihoodScorer(**settings).fit(images, np.random.RandomState(0))
    assert given[-1] is None
