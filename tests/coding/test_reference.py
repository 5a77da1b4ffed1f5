import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from sparsight.coding._penalty import sparse_group_penalty
from sparsight.coding.reference import admm, fista
from sparsight.errors import ParameterError

PENALTIES = {
    "lasso": dict(penalty=0.2),
    "weighted": dict(penalty=0.2, weights=np.linspace(0.5, 2, 50)),
    "positive": dict(penalty=0.2, positive=True),
    "group lasso": dict(penalty=0.0, group_penalty=0.2, groups=np.arange(50) % 7),
    "sparse group": dict(penalty=0.1, group_penalty=0.15, groups=np.arange(50) // 10),
    "uneven": dict(
        penalty=0.1,
        group_penalty=0.1,
        groups=np.minimum(np.arange(50) // 3, 9),
        group_weights=np.linspace(0, 3, 10),
        positive=True,
    ),
}


def objective(
    patches, dictionary, codes, penalty, group_penalty=0.0, groups=None, weights=1, group_weights=None
):
    value = 0.5 * ((patches - codes @ dictionary) ** 2).sum(axis=1) + penalty * (weights * np.abs(codes)).sum(
        axis=1
    )
    for group in np.unique(groups) if groups is not None else ():
        weight = 1 if group_weights is None else group_weights[group]
        value += group_penalty * weight * np.linalg.norm(codes[:, groups == group], axis=1)
    return value


def subdifferential_distance(patches, dictionary, codes, penalty, group_penalty=0.0, groups=None):
    """Distance of the gradient's negative from the subdifferential of the penalty, patch by patch."""
    correlations = (patches - codes @ dictionary) @ dictionary.T
    squared = np.zeros(len(patches))
    for group in np.unique(groups):
        q, x = correlations[:, groups == group], codes[:, groups == group]
        norms = np.linalg.norm(x, axis=1, keepdims=True)
        inside = np.sign(q) * np.maximum(np.abs(q) - penalty, 0)  # all that λ sign(x) cannot take up at x = 0
        at_zero = np.maximum(np.linalg.norm(inside, axis=1) - group_penalty, 0) ** 2
        smooth = q - group_penalty * x / np.where(norms > 0, norms, 1)
        rest = np.where(x != 0, smooth - penalty * np.sign(x), np.maximum(np.abs(smooth) - penalty, 0))
        squared += np.where(norms[:, 0] > 0, (rest**2).sum(axis=1), at_zero)
    return np.sqrt(squared)


def random_penalty(seed, positive=False):
    rng = np.random.default_rng(seed)
    return rng, sparse_group_penalty(
        np.zeros((12, 1)),
        np,
        penalty=rng.choice([0.0, 0.3]),
        group_penalty=rng.uniform(0.1, 1),
        groups=rng.integers(0, 4, 12),
        weights=rng.uniform(0, 2, 12),
        group_weights=None,
        positive=positive,
    )


@given(seed=st.integers(0, 2**32 - 1), positive=st.booleans(), step=st.floats(0.1, 10))
def test_prox_and_what_it_leaves_over_form_a_moreau_pair(seed, positive, step):
    rng, g = random_penalty(seed, positive)
    v = rng.normal(0, 3, (5, 12))
    steps = np.full((5, 1), step)
    x = g.prox(v, steps)
    left = (v - x) / step  # prox of the conjugate: in its domain, and touching g at x
    assert g.feasible_scale(left) == pytest.approx(1, abs=1e-9)
    assert np.sum(x * left, axis=1) == pytest.approx(g.value(x), abs=1e-9)


@given(seed=st.integers(0, 2**32 - 1), positive=st.booleans())
def test_prox_is_firmly_nonexpansive(seed, positive):
    rng, g = random_penalty(seed, positive)
    v, w = rng.normal(0, 3, (2, 5, 12))
    difference = g.prox(v, np.ones((5, 1))) - g.prox(w, np.ones((5, 1)))
    assert (np.sum(difference**2, axis=1) <= np.sum(difference * (v - w), axis=1) + 1e-9).all()


@given(seed=st.integers(0, 2**32 - 1), positive=st.booleans())
def test_feasible_scale_is_feasible(seed, positive):
    rng, g = random_penalty(seed, positive)
    q = rng.normal(0, 3, (5, 12))
    scale = g.feasible_scale(q)
    assert ((scale >= 0) & (scale <= 1)).all()
    # sup_x ⟨c q, x⟩ − g(x) is zero, not infinite: no direction gains.
    directions = rng.normal(size=(50, 5, 12))
    directions = np.maximum(directions, 0) if positive else directions
    for x in directions:
        assert (np.sum(scale * q * x, axis=1) <= g.value(x) + 1e-9).all()


@pytest.mark.parametrize("name", PENALTIES)
def test_both_solvers_reach_the_same_certified_minimum(sparse_problem, name):
    patches, dictionary, _ = sparse_problem
    settings = PENALTIES[name]
    first = admm(patches, dictionary, **settings, tolerance=1e-8, max_iter=5000)
    second = fista(patches, dictionary, **settings, tolerance=1e-9, max_iter=50000)
    assert first.converged.all()
    assert second.converged.all()
    assert (first.duality_gap <= 1e-6 * first.objective).all()
    assert (second.duality_gap <= 1e-9 * second.objective).all()
    assert first.objective == pytest.approx(second.objective, rel=1e-8)
    plain = {key: value for key, value in settings.items() if key != "positive"}
    assert first.objective == pytest.approx(objective(patches, dictionary, first.codes, **plain))
    if settings.get("positive"):
        assert first.codes.min() >= 0
        assert second.codes.min() >= 0


@pytest.mark.parametrize("positive", [False, True])
def test_agrees_with_scikit_learn(sparse_problem, positive):
    patches, dictionary, _ = sparse_problem
    theirs = Lasso(
        alpha=0.2 / patches.shape[1], fit_intercept=False, positive=positive, tol=1e-12, max_iter=100000
    ).fit(dictionary.T, patches.T)
    ours = admm(patches, dictionary, penalty=0.2, positive=positive, tolerance=1e-10, max_iter=20000)
    assert np.abs(ours.codes - theirs.coef_).max() < 1e-6


@pytest.mark.parametrize("solver", [admm, fista])
@pytest.mark.parametrize("penalties", [(0.1, 0.15), (0.0, 0.2), (0.2, 0.0)])
def test_zero_lies_in_the_subdifferential(sparse_problem, solver, penalties):
    patches, dictionary, _ = sparse_problem
    settings = dict(penalty=penalties[0], group_penalty=penalties[1], groups=np.arange(50) // 10)
    solution = solver(patches, dictionary, **settings, tolerance=1e-9 if solver is admm else 1e-12)
    distance = subdifferential_distance(patches, dictionary, solution.codes, **settings)
    assert distance.max() < 1e-5
    if penalties[1]:
        group_is_zero = ~solution.codes.reshape(-1, 5, 10).any(axis=2)
        assert group_is_zero.any()


@pytest.mark.parametrize("solver", [admm, fista])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_penalty_from_lambda_max_on_gives_zero(sparse_problem, solver, dtype):
    patches, dictionary, _ = (array.astype(dtype) for array in sparse_problem)
    lambda_max = np.abs(patches @ dictionary.T).max()
    assert not solver(patches, dictionary, penalty=float(lambda_max * 1.0001)).codes.any()
    assert solver(patches, dictionary, penalty=float(lambda_max * 0.9)).codes.any()


@pytest.mark.parametrize("name", ["lasso", "positive", "sparse group", "uneven"])
@pytest.mark.parametrize(("dtype", "agreement"), [(np.float64, 1e-6), (np.float32, 1e-4)])
def test_zero_duplicate_correlated_and_unnormalised_atoms(rng, sparse_problem, name, dtype, agreement):
    patches, dictionary, _ = sparse_problem
    dictionary = dictionary * rng.uniform(0.2, 5, (50, 1))
    dictionary[3] = dictionary[4]
    dictionary[7] = 0
    dictionary[20:25] = dictionary[20] + 0.02 * rng.standard_normal((5, 20))
    patches, dictionary = patches[:40].astype(dtype), dictionary.astype(dtype)
    by_admm = admm(patches, dictionary, **PENALTIES[name], max_iter=20000, tolerance=agreement / 10)
    by_fista = fista(patches, dictionary, **PENALTIES[name], max_iter=50000, tolerance=agreement)
    assert by_admm.codes.dtype == by_fista.codes.dtype == dtype
    assert by_admm.objective == pytest.approx(by_fista.objective, rel=2 * agreement)
    assert not by_admm.codes[:, 7].any()
    assert not by_fista.codes[:, 7].any()


def test_a_mask_leaves_values_out(sparse_problem):
    patches, dictionary, missing = sparse_problem
    spoilt = np.where(missing, np.nan, patches)
    codes = fista(spoilt, dictionary, penalty=0.1, mask=missing, tolerance=1e-10).codes
    for i in range(5):
        seen = ~missing[i]
        alone = admm(patches[i : i + 1, seen], dictionary[:, seen], penalty=0.1, tolerance=1e-9)
        assert codes[i] == pytest.approx(alone.codes[0], abs=1e-4)


def test_zero_patches_and_no_patches(sparse_problem):
    dictionary = sparse_problem[1]
    for solver in (admm, fista):
        assert not solver(np.zeros((3, 20)), dictionary, penalty=0.1).codes.any()
        assert not solver(np.ones((3, 20)), np.zeros((4, 20)), penalty=0.1).codes.any()
        assert solver(np.zeros((0, 20)), dictionary, penalty=0.1).codes.shape == (0, 50)


@pytest.mark.parametrize("solver", [admm, fista])
def test_runs_on_any_library_of_the_array_api(sparse_problem, solver):
    strict = pytest.importorskip("array_api_strict")
    patches, dictionary, _ = sparse_problem
    settings = PENALTIES["uneven"]
    there = solver(strict.asarray(patches), strict.asarray(dictionary), **settings)
    here = solver(patches, dictionary, **settings)
    assert isinstance(there.codes, type(strict.asarray(patches)))
    assert np.asarray(there.codes) == pytest.approx(here.codes)
    assert np.asarray(there.duality_gap) == pytest.approx(here.duality_gap, abs=1e-9)


@pytest.mark.parametrize("solver", [admm, fista])
def test_an_early_end_is_told(sparse_problem, solver):
    patches, dictionary, _ = sparse_problem
    with pytest.warns(ConvergenceWarning, match=r"did not converge for \d+ of 130 patches in 3 iterations"):
        solution = solver(patches, dictionary, penalty=0.1, max_iter=3)
    assert not solution.converged.all()
    assert solution.n_iter == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(penalty=-1), "penalty must be a finite number"),
        (dict(penalty=0), "Every atom must be penalised"),
        (dict(penalty=1, group_penalty=1), "needs groups"),
        (dict(penalty=1, groups=np.zeros(3)), "groups must be 50 integers"),
        (dict(penalty=1, weights=np.ones(3)), "weights must be 50"),
        (dict(penalty=1, tolerance=0), "tolerance"),
    ],
)
def test_impossible_parameters_are_refused(sparse_problem, settings, message):
    patches, dictionary, _ = sparse_problem
    for solver in (admm, fista):
        with pytest.raises(ParameterError, match=message):
            solver(patches, dictionary, **settings)


def test_bad_arrays_are_refused(sparse_problem):
    patches, dictionary, _ = sparse_problem
    with pytest.raises(ParameterError, match="Expected patches"):
        admm(patches[:, 1:], dictionary, penalty=1)
    with pytest.raises(ParameterError, match="finite"):
        fista(np.where(patches > 0, np.nan, patches), dictionary, penalty=1)
    with pytest.raises(ParameterError, match="relaxation"):
        admm(patches, dictionary, penalty=1, relaxation=2)
    with pytest.raises(ParameterError, match="mask has shape"):
        fista(patches, dictionary, penalty=1, mask=np.zeros((3, 3), bool))
