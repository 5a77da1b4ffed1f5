import numpy as np
import pytest
from scipy import ndimage, sparse

from sparsight import _kernels
from sparsight.coding import lasso
from sparsight.inspection.densities import MixtureDensity
from sparsight.inspection.lasso_dictionary import learn_lasso_dictionary
from sparsight.inspection.likelihood_ratio import LikelihoodRatio, at_least


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_squares_of_pooled_codes_are_those_of_filtered_maps(dtype, n_threads):
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(7, 9, 21)) * (rng.random((7, 9, 21)) < 0.2)
    weights = rng.random((7, 9))
    window = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    pooled = np.abs(codes) * weights[..., np.newaxis]
    for axis in (0, 1):
        pooled = ndimage.correlate1d(pooled, window, axis=axis, mode="constant")
    stored = sparse.csr_array(codes.reshape(63, 21).astype(dtype))
    squares = _kernels.pooled_squares(
        stored.indptr.astype(np.int64),
        stored.indices.astype(np.int32),
        stored.data,
        weights=weights.astype(dtype),
        window=window.astype(dtype),
        n_atoms=21,
        n_threads=n_threads,
    )
    assert squares.dtype == dtype
    np.testing.assert_allclose(squares, np.square(pooled).sum(axis=-1), rtol=1e-5)


def test_codes_of_atoms_that_are_not_there_are_refused():
    codes = (np.array([0, 1]), np.array([5], np.int32), np.ones(1))
    with pytest.raises(ValueError, match="atom"):
        _kernels.pooled_squares(*codes, weights=np.ones((1, 1)), window=np.ones(1), n_atoms=5, n_threads=1)


def test_learned_atoms_make_the_lasso_objective_smaller():
    random_state = np.random.RandomState(0)
    atoms = random_state.standard_normal((20, 16))
    codes = random_state.standard_normal((2000, 20)) * (random_state.uniform(size=(2000, 20)) < 0.1)
    patches = (codes @ atoms).astype(np.float32)
    patches[:50] = 0
    learned = learn_lasso_dictionary(patches, None, 20, penalty=0.3, random_state=random_state)
    np.testing.assert_allclose(np.linalg.norm(learned, axis=1), 1, rtol=1e-5)
    start = patches[50:70] / np.linalg.norm(patches[50:70], axis=1, keepdims=True).clip(1e-6)

    def objective(dictionary):
        coding = lasso(patches, dictionary, penalty=0.3)
        return np.mean(0.5 * coding.residual_norm**2 + 0.3 * coding.l1_norm)

    assert objective(learned) < 0.75 * objective(start)


def test_a_widened_covariance_is_no_narrower_anywhere_and_no_wider_than_needed():
    rng = np.random.default_rng(0)
    covariance, smallest = (a @ a.T + 0.1 * np.eye(5) for a in rng.standard_normal((2, 5, 5)))
    widened = at_least(covariance, smallest)
    for other in (covariance, smallest):
        assert np.linalg.eigvalsh(widened - other).min() > -1e-9
    np.testing.assert_allclose(at_least(covariance + smallest, smallest), covariance + smallest)


def test_what_only_the_finest_scale_shows_counts_more_when_it_is_judged_by_itself():
    random_state = np.random.RandomState(0)
    normal = random_state.standard_normal((3000, 8)).astype(np.float32)
    odd = (6 * random_state.standard_normal((500, 8))).astype(np.float32)
    strange = np.zeros((1, 8), np.float32)
    strange[0, :2] = 3.5
    settings = dict(resolvable=np.zeros(8), n_separate=3000, random_state=random_state)
    alone = LikelihoodRatio.of(normal, odd, n_finest=2, **settings)
    together = LikelihoodRatio.of(normal, odd, **settings)
    assert alone.score(strange)[0] > together.score(strange)[0]
    for ratio in (alone, together):
        scores = ratio.score(normal)
        assert abs(scores.mean()) < 0.05
        assert abs(scores.std() - 1) < 0.05
        np.testing.assert_array_equal(LikelihoodRatio.restored(ratio.arrays()).score(normal), scores)


def test_a_refined_mixture_forgets_what_is_left_out():
    random_state = np.random.RandomState(0)
    kept = random_state.standard_normal((2000, 3)).astype(np.float32)
    left_out = (0.3 * random_state.standard_normal((500, 3)) + 3).astype(np.float32)
    both = np.concatenate([kept, left_out])
    settings = dict(regularization=1e-3, random_state=random_state)
    whole = MixtureDensity.of(both, 4, **settings)
    refined = whole.refined(kept, regularization=1e-3)
    anew = MixtureDensity.of(kept, 4, **settings)
    surprise = [density.log_density(left_out).mean() for density in (whole, refined, anew)]
    assert surprise[1] < surprise[0] - 3
    assert abs(surprise[1] - surprise[2]) < 0.25 * abs(surprise[2])
