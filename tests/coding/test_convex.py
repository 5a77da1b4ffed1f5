"""The compiled convex coders, held to the reference solvers and to duality."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsight.coding import (
    LassoCoder,
    OutlierCoder,
    SparseGroupCoder,
    lasso,
    lasso_lambda_max,
    outlier,
    sparse_group,
    sparse_group_lambda_max,
)
from sparsight.coding.reference import fista
from sparsight.errors import SparsightError

GROUPS = np.arange(50) % 6
PENALTIES = {
    "lasso": dict(penalty=0.2),
    "weighted": dict(penalty=0.2, weights=np.linspace(0.5, 2, 50)),
    "positive": dict(penalty=0.2, positive=True),
    "small": dict(penalty=0.002),
    "so large that codes are zero": dict(penalty=50.0),
    "group lasso": dict(penalty=0.0, group_penalty=0.2, groups=GROUPS),
    "small group lasso": dict(penalty=0.0, group_penalty=0.01, groups=GROUPS),
    "sparse group": dict(penalty=0.1, group_penalty=0.15, groups=GROUPS),
    "group penalty 0": dict(penalty=0.1, group_penalty=0.0, groups=GROUPS),
    "single atoms": dict(penalty=0.1, group_penalty=0.1, groups=np.arange(50)),
    "one group": dict(penalty=0.1, group_penalty=0.3, groups=np.zeros(50, int)),
    "uneven": dict(
        penalty=0.05,
        group_penalty=0.1,
        groups=np.minimum(np.arange(50) // 3, 9),
        weights=np.linspace(0, 2, 50),
        group_weights=np.append(1.0, np.linspace(0, 3, 9)),
        positive=True,
    ),
}
# In "uneven" a weight and a group weight are zero, but never both for the same atom.


def code(patches, dictionary, settings, **options):
    coder = sparse_group if "group_penalty" in settings else lasso
    return coder(patches, dictionary, **settings, **options)


def objective(patches, dictionary, codes, settings, mask=None):
    residual = patches - np.asarray(codes, float) @ dictionary
    if mask is not None:
        residual = np.where(mask, 0, residual)
    value = 0.5 * (residual**2).sum(axis=1)
    value += settings["penalty"] * (np.abs(codes) * settings.get("weights", 1)).sum(axis=1)
    if "group_penalty" in settings:
        groups = settings["groups"]
        weights = settings.get("group_weights", np.ones(groups.max() + 1))
        for j, weight in enumerate(weights):
            norms = np.linalg.norm(np.asarray(codes, float)[:, groups == j], axis=1)
            value += settings["group_penalty"] * weight * norms
    return value


DICTIONARIES = {
    "unit": lambda d: d,
    "correlated": lambda d: d + 2 * d.mean(axis=0) + 0.4,
    "duplicates": lambda d: np.vstack([d[:15], d[:15], -d[:15], d[45:]]),
    "zero atoms": lambda d: np.where(np.arange(50)[:, None] % 4 == 0, 0, d),
    "unnormalised": lambda d: d * np.geomspace(0.2, 5, 50)[:, None],
    "orthogonal": lambda d: np.vstack([np.linalg.qr(d[:20])[0], 0 * d[:30]]),
}


@pytest.fixture
def few(sparse_problem):
    patches, dictionary, mask = sparse_problem
    return patches[:20], dictionary, mask[:20]


@pytest.mark.parametrize("dictionary_name", DICTIONARIES)
@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("masked", [False, True])
def test_the_minimum_is_reached(few, dictionary_name, name, dtype, masked):
    patches, dictionary, mask = few
    settings, mask = PENALTIES[name], mask if masked else None
    # Both solvers get the very numbers that float32 holds.
    patches = patches.astype(dtype).astype(float)
    dictionary = DICTIONARIES[dictionary_name](dictionary).astype(dtype).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the reference; it serves as an upper bound
        reference = fista(patches, dictionary, **settings, mask=mask, max_iter=800, tolerance=1e-8)
    with warnings.catch_warnings():
        if dtype == np.float32 and "small" in name:  # the gap itself is rounding then, not the objective
            warnings.simplefilter("ignore", ConvergenceWarning)
        coding = code(patches.astype(dtype), dictionary, settings, mask=mask)
    reached = objective(patches, dictionary, coding.codes, settings, mask)
    tolerance = 1e-6 if dtype == np.float64 else 1e-4
    assert np.all(reached <= reference.objective * (1 + tolerance) + 1e-12)
    lower_bound = reference.objective - reference.duality_gap
    assert np.all(reached >= lower_bound * (1 - 1e-6) - 1e-12)
    assert np.all(
        reached - lower_bound <= coding.optimality * reached + reference.duality_gap + 1e-5 * reached
    )
    assert coding.codes.dtype == dtype
    if settings.get("positive"):
        assert coding.codes.min() >= 0


@pytest.mark.parametrize("name", ["lasso", "sparse group"])
@pytest.mark.parametrize("masked", [False, True])
def test_figures_describe_the_codes(few, name, masked):
    patches, dictionary, mask = few
    settings = {"groups": GROUPS, **PENALTIES[name]}
    mask = mask if masked else np.zeros_like(mask)
    coding = code(patches, dictionary, settings, mask=mask)
    residual = np.where(mask, 0, patches - coding.codes @ dictionary)
    np.testing.assert_allclose(coding.residual_norm, np.linalg.norm(residual, axis=1), rtol=1e-9)
    np.testing.assert_allclose(coding.l1_norm, np.abs(coding.codes).sum(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(coding.n_nonzero, (coding.codes != 0).sum(axis=1))
    assert np.all(coding.optimality <= 1e-7)
    assert np.all(coding.optimality >= 0)
    for g in range(6):
        expected = np.linalg.norm(coding.codes[:, g == GROUPS], axis=1)
        np.testing.assert_allclose(coding.group_norms[:, g], expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["lasso", "sparse group"])
def test_forms_of_output_agree(few, name):
    patches, dictionary, mask = few
    mask[::3] = False
    dense, sparse, figures = (
        code(patches, dictionary, PENALTIES[name], mask=mask, output=output)
        for output in ("dense", "sparse", "reductions")
    )
    np.testing.assert_array_equal(sparse.codes.toarray(), dense.codes)
    assert sparse.codes.has_canonical_format
    assert figures.codes is None
    np.testing.assert_array_equal(figures.residual_norm, dense.residual_norm)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["lasso", "sparse group"])
@pytest.mark.parametrize("masked", [False, True])
def test_independent_of_threads_and_neighbours(sparse_problem, dtype, name, masked):
    patches, dictionary, mask = sparse_problem
    mask[::5] = False

    def run(rows, n_threads=1):
        hidden = mask[rows] if masked else None
        settings = PENALTIES[name]
        return code(patches[rows].astype(dtype), dictionary, settings, mask=hidden, n_threads=n_threads)

    whole = run(slice(None))
    np.testing.assert_array_equal(run(slice(None), n_threads=3).codes, whole.codes)
    for rows in (slice(7, None), slice(None, None, -1), slice(20, 21)):
        part = run(rows)
        np.testing.assert_array_equal(part.codes, whole.codes[rows])
        np.testing.assert_array_equal(part.optimality, whole.optimality[rows])


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_lambda_max_of_the_lasso(few, positive, masked):
    patches, dictionary, mask = few
    weights = np.linspace(0.5, 2, 50)
    shared = dict(weights=weights, positive=positive, mask=mask if masked else None)
    largest = lasso_lambda_max(patches, dictionary, **shared)
    for i, edge in enumerate(largest):
        row = dict(shared, mask=mask[i : i + 1] if masked else None)
        for factor, is_zero in ((1.0001, True), (0.9999, False)):
            coding = lasso(patches[i : i + 1], dictionary, penalty=factor * edge, **row)
            assert (coding.n_nonzero[0] == 0) == is_zero


@pytest.mark.parametrize(
    "settings",
    [
        dict(penalty=0.3, group_penalty=0.7),
        dict(penalty=0.0, group_penalty=1.0),
        dict(penalty=1.0, group_penalty=0.0),
        dict(penalty=0.3, group_penalty=0.7, positive=True, weights=np.linspace(0, 2, 50)),
        dict(penalty=0.3, group_penalty=0.7, group_weights=np.linspace(0, 2, 6)),
    ],
)
@pytest.mark.parametrize("masked", [False, True])
def test_lambda_max_of_sparse_groups(few, settings, masked):
    patches, dictionary, mask = few
    mask = mask if masked else None
    largest = sparse_group_lambda_max(patches, dictionary, **settings, groups=GROUPS, mask=mask)
    for i, edge in enumerate(largest):
        for factor, is_zero in ((1.0001, True), (0.9999, False)):
            scaled = {
                key: value * edge * factor if key in ("penalty", "group_penalty") else value
                for key, value in settings.items()
            }
            hidden = None if mask is None else mask[i : i + 1]
            coding = sparse_group(patches[i : i + 1], dictionary, **scaled, groups=GROUPS, mask=hidden)
            assert (coding.n_nonzero[0] == 0) == is_zero


def outlier_bounds(patches, dictionary, codes, penalty, bound):
    """Objective, and a lower bound by the multiplier θ = c ρ r in its feasible set ‖θ‖ ≤ β, |D θ| ≤ λ."""
    residual = patches - np.asarray(codes, float) @ dictionary
    norm = np.linalg.norm(residual, axis=1)
    loss = np.where(norm > bound, bound * norm - bound**2 / 2, norm**2 / 2)
    theta = residual * np.minimum(1, bound / np.maximum(norm, 1e-300))[:, None]
    theta /= np.maximum(1, np.abs(theta @ dictionary.T).max(axis=1) / penalty)[:, None]
    dual = (theta * patches).sum(axis=1) - (theta**2).sum(axis=1) / 2
    return loss + penalty * np.abs(codes).sum(axis=1), dual


@pytest.mark.parametrize("penalty", [0.01, 0.1, 0.5, 3.0])
@pytest.mark.parametrize("bound", [0.05, 0.3, 1.0, 100.0])
@pytest.mark.parametrize("dictionary_name", DICTIONARIES)
def test_outlier_minimum_is_reached(few, penalty, bound, dictionary_name):
    patches, dictionary, _ = few
    dictionary = DICTIONARIES[dictionary_name](dictionary).astype(np.float32).astype(float)
    patches = patches.astype(np.float32).astype(float)
    settings = dict(penalty=penalty, outlier_penalty=bound)
    coding = outlier(patches, dictionary, **settings)
    reached, lower_bound = outlier_bounds(patches, dictionary, coding.codes, penalty, bound)
    assert np.all(reached - lower_bound <= 1e-6 * reached)
    np.testing.assert_allclose(coding.outlier_norm, np.maximum(coding.residual_norm - bound, 0))
    single = outlier(patches.astype(np.float32), dictionary, **settings)
    reached, _ = outlier_bounds(patches, dictionary, single.codes, penalty, bound)
    assert np.all(reached - lower_bound <= 1e-4 * reached)


def test_outlier_is_the_lasso_where_there_is_none(few):
    patches, dictionary, mask = few
    plain = lasso(patches, dictionary, penalty=0.1, mask=mask)
    coding = outlier(patches, dictionary, penalty=0.1, outlier_penalty=50.0, mask=mask)
    np.testing.assert_array_equal(coding.codes, plain.codes)
    assert not coding.outlier_norm.any()


def test_what_does_not_belong_goes_into_the_outlier():
    dictionary = np.eye(20)[:10]
    patches = np.zeros((2, 20))
    patches[:, 0] = 5
    patches[1, 15] = 8  # no atom has it
    coding = outlier(patches, dictionary, penalty=0.1, outlier_penalty=0.5)
    assert coding.outlier_norm[0] == 0
    assert coding.outlier_norm[1] > 7


@pytest.mark.parametrize("duplicated", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_many_more_atoms_than_values_are_no_hindrance(rng, dtype, masked, duplicated):
    # On the way to the optimum more atoms come into question than are held at a time.
    dictionary = rng.standard_normal((600, 20))
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    dictionary = np.vstack([dictionary, -dictionary]) if duplicated else dictionary
    patches = 2 * rng.standard_normal((30, 20))
    dictionary, patches = dictionary.astype(dtype), patches.astype(dtype)
    mask = rng.random(patches.shape) < 0.3 if masked else np.zeros(patches.shape, bool)
    tolerance = 1e-6 if dtype == np.float64 else 1e-4
    for positive in (False, True):
        coding = lasso(patches, dictionary, penalty=0.1, mask=mask, positive=positive)
        residual = np.where(mask, 0, patches - coding.codes.astype(float) @ dictionary)
        correlations = residual @ dictionary.T
        # The gap over the objective, from outside: a multiple of the residual is feasible for the dual.
        largest = (correlations if positive else np.abs(correlations)).max(axis=1) / 0.1
        scale = 1 / np.maximum(1, largest)
        energy = np.square(residual).sum(axis=1)
        value = energy / 2 + 0.1 * np.abs(coding.codes).sum(axis=1)
        dual = scale * (residual * np.where(mask, 0, patches)).sum(axis=1) - scale**2 * energy / 2
        assert np.all(value - dual <= tolerance * value)
    coding = outlier(patches, dictionary, penalty=0.1, outlier_penalty=0.5, mask=mask)
    assert coding.optimality.max() <= tolerance


def test_masked_values_do_not_matter(few):
    patches, dictionary, mask = few
    for settings in (PENALTIES["lasso"], PENALTIES["sparse group"]):
        clean = code(patches, dictionary, settings, mask=mask)
        dirty = code(np.where(mask, np.nan, patches), dictionary, settings, mask=mask)
        np.testing.assert_array_equal(dirty.codes, clean.codes)


def test_wholly_masked_and_zero_patches_have_no_code(few):
    patches, dictionary, mask = few
    patches[0], mask[1] = 0, True
    for settings in (PENALTIES["lasso"], PENALTIES["sparse group"]):
        coding = code(patches, dictionary, settings, mask=mask)
        assert not coding.codes[:2].any()
        assert not coding.optimality[:2].any()


def test_an_unreachable_tolerance_is_told(few):
    patches, dictionary, _ = few
    with pytest.warns(ConvergenceWarning, match="relative duality gap of 1e-13"):
        coding = lasso(patches.astype(np.float32), dictionary, penalty=0.2, tolerance=1e-13)
    assert 1e-13 < coding.optimality.max() < 1e-4


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["lasso", "sparse group"])
def test_patches_that_are_not_finite_are_named(few, value, name):
    patches, dictionary, _ = few
    patches[17, 3] = value
    with pytest.raises(SparsightError, match="1 of 20 patches .* number 17"):
        code(patches, dictionary, PENALTIES[name])
    with pytest.raises(SparsightError, match="1 of 20 patches"):
        outlier(patches, dictionary, penalty=1.0, outlier_penalty=1.0)


@pytest.mark.parametrize(
    ("coder", "arguments", "message"),
    [
        (lasso, dict(penalty=0.0), "penalty must be a finite number above 0"),
        (lasso, dict(penalty=np.nan), "penalty must be"),
        (lasso, dict(penalty=1.0, weights=np.ones(49)), "weights must be 50"),
        (lasso, dict(penalty=1.0, weights=np.zeros(50)), "must be penalised"),
        (lasso, dict(penalty=1.0, weights=np.full(50, -1.0)), "at least 0"),
        (lasso, dict(penalty=1.0, tolerance=0.0), "tolerance must be"),
        (lasso, dict(penalty=1.0, output="matrix"), "output must be"),
        (sparse_group, dict(penalty=-1.0, group_penalty=1.0, groups=GROUPS), "at least 0"),
        (sparse_group, dict(penalty=0.0, group_penalty=0.0, groups=GROUPS), "must be penalised"),
        (sparse_group, dict(penalty=1.0, group_penalty=1.0, groups=None), "needs groups"),
        (sparse_group, dict(penalty=1.0, group_penalty=1.0, groups=GROUPS[1:]), "50 integers"),
        (
            sparse_group,
            dict(penalty=1.0, group_penalty=1.0, groups=GROUPS, group_weights=np.ones(5)),
            "group_weights must be 6",
        ),
        (outlier, dict(penalty=1.0, outlier_penalty=0.0), "outlier_penalty must be"),
    ],
)
def test_wrong_arguments_are_explained(few, coder, arguments, message):
    patches, dictionary, _ = few
    with pytest.raises(SparsightError, match=message):
        coder(patches, dictionary, **arguments)


def test_transformers_give_the_codes_of_the_functions(few):
    patches, dictionary, mask = few
    pairs = [
        (LassoCoder(dictionary, penalty=0.2), lasso(patches, dictionary, penalty=0.2, mask=mask)),
        (
            SparseGroupCoder(dictionary, groups=GROUPS, penalty=0.1, group_penalty=0.2),
            sparse_group(patches, dictionary, groups=GROUPS, penalty=0.1, group_penalty=0.2, mask=mask),
        ),
        (
            OutlierCoder(dictionary, penalty=0.1, outlier_penalty=0.3),
            outlier(patches, dictionary, penalty=0.1, outlier_penalty=0.3, mask=mask),
        ),
    ]
    for coder, expected in pairs:
        np.testing.assert_array_equal(coder.fit_transform(patches, mask=mask), expected.codes)
