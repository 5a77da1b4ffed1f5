import numpy as np
import pytest
from scipy import ndimage, sparse

from sparsight import _kernels
from sparsight.coding import lasso
from sparsight.inspection.densities import MixtureDensity
from sparsight.inspection.grey_scale import GreyScale
from sparsight.inspection.halving import halvings
from sparsight.inspection.lasso_dictionary import learn_lasso_dictionary
from sparsight.inspection.likelihood import LikelihoodScorer
from sparsight.inspection.likelihood_ratio import LikelihoodRatio, at_least
from sparsight.inspection.pooled_features import PooledFeatures
from sparsight.inspection.scorers import Observed


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
    alone = LikelihoodRatio.of(normal, odd, parts=[2], **settings)
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


def test_grey_levels_are_judged_by_ratios_where_contrast_grows_with_brightness():
    random_state = np.random.RandomState(0)
    brightness = random_state.uniform(20, 150, 4000)
    scatter = random_state.lognormal(0, 0.3, 4000)
    assert GreyScale.of(brightness, 0.1 * brightness * scatter).typical == np.median(brightness)
    for contrast in (8 * scatter, (4 + 0.03 * brightness) * scatter, (30 - 0.1 * brightness) * scatter):
        assert GreyScale.of(brightness, contrast) == GreyScale()
    assert GreyScale.of(np.full(4000, 80.0), scatter) == GreyScale()
    assert GreyScale.of(brightness - 300, scatter) == GreyScale()


def test_the_logarithmic_grey_scale_turns_ratios_into_differences():
    scale = GreyScale(100.0)
    dim = np.array([0, 1, 40, 80, 100], np.float32)
    np.testing.assert_allclose(scale.undo(scale.apply(dim)), dim, atol=1e-3)
    assert scale.apply(np.float32([100])) == pytest.approx(100)
    steps = np.diff(scale.apply(np.float32([25, 50, 100, 200])))
    np.testing.assert_allclose(steps, 100 * np.log(2), rtol=0.06)
    np.testing.assert_array_equal(GreyScale().apply(dim), dim)


def test_lighting_that_multiplies_is_no_sign_of_a_defect():
    """Half as much light on a part of the image: with ratios that is nothing new, with differences it is."""
    random_state = np.random.RandomState(0)
    light = np.linspace(0.5, 1.5, 256)
    good = [
        Observed((120 * light[::turn] * random_state.lognormal(0, 0.15, (160, 256))).astype(np.float32))
        for turn in (1, -1)
    ]
    level = PooledFeatures(n_components=16, n_threads=1).fit(good, random_state)
    assert level.grey_scale.typical > 0
    dim = level.measure(Observed(good[0].pixels / 2)) - level.measure(good[0])
    assert np.abs(dim[..., 1:]).max() < 0.1
    level.grey_scale = GreyScale()
    linear = level.measure(Observed(good[0].pixels / 2)) - level.measure(good[0])
    assert np.abs(linear[..., 1:]).max() > 0.3


def test_pixels_averaged_from_one_side_of_a_mask_are_not_observed():
    """At half size, the average of what is left beside a mask lies elsewhere than the pixel does."""
    pixels = np.tile(np.arange(32, dtype=np.float32), (32, 1))
    mask = np.zeros((32, 32), bool)
    mask[:, 11:20] = True
    small = halvings(Observed(pixels, mask), 2)[1]
    expected = 2 * np.arange(16) + 0.5
    seen = ~small.mask
    assert 0 < seen.mean() < 1
    inner = seen & (np.arange(16) > 0) & (np.arange(16) < 15)
    assert np.abs(small.pixels - expected)[inner].max() < 0.5


def test_a_quarter_of_the_size_is_looked_at_where_enough_is_known_of_it():
    random_state = np.random.RandomState(0)
    large = [Observed(random_state.normal(100, 10, (760, 880)).astype(np.float32)) for _ in range(2)]
    settings = dict(n_components=8, stride=8, n_threads=1)
    scorer = LikelihoodScorer(**settings).fit(large, np.random.RandomState(0))
    assert len(scorer.levels) == 3
    few = LikelihoodScorer(**settings).fit(large[:1], np.random.RandomState(0))
    assert len(few.levels) == 2
    # A spot so large and faint that only the smallest size tells it from noise.
    rows, columns = np.indices(large[0].pixels.shape)
    spot = np.exp(-(((rows - 300) / 40) ** 2) - ((columns - 400) / 40) ** 2).astype(np.float32)
    image = Observed(random_state.normal(100, 10, spot.shape).astype(np.float32) + 2.5 * spot)
    three, two = (one.score(image)[290:310, 390:410].mean() for one in (scorer, few))
    assert three > 1.05 * two
    again = LikelihoodScorer(**settings).restore(scorer.arrays())
    np.testing.assert_array_equal(again.score(image), scorer.score(image))
    assert set(scorer.explain(image, (300, 400)).scales) == {1.0, 0.5, 0.25}


def test_what_is_explained_is_what_was_scored_at_all_three_sizes():
    random_state = np.random.RandomState(0)
    images = [Observed(random_state.normal(100, 10, (752, 880)).astype(np.float32)) for _ in range(2)]
    scorer = LikelihoodScorer(n_components=4, stride=8, n_threads=1).fit(images, random_state)
    whole = np.concatenate(list(scorer._strips(images[0])))
    every = scorer.levels[0].grid(images[0])
    for place in ((0, 0), (751, 879), (333, 402)):
        part, (top, left) = images[0].around(place, scorer.extents.reach, scorer.extents.step)
        grid = scorer.levels[0].grid(part)
        row = int(np.argmin(np.abs(grid.rows + 3.5 - place[0] + top)))
        column = int(np.argmin(np.abs(grid.columns + 3.5 - place[1] + left)))
        features, _, _ = scorer._judged_by(part, (row, column))
        at = (
            np.flatnonzero(every.rows == grid.rows[row] + top)[0],
            np.flatnonzero(every.columns == grid.columns[column] + left)[0],
        )
        np.testing.assert_allclose(features, whole[at], rtol=1e-5)
