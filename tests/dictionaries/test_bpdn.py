import numpy as np
import pytest
from sklearn.decomposition import DictionaryLearning
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsight.coding import lasso
from sparsight.dictionaries import BPDNDictionary
from sparsight.dictionaries._atoms import normalized_rows
from sparsight.errors import ParameterError


@parametrize_with_checks([BPDNDictionary(max_iter=5), BPDNDictionary(max_iter=5, penalty=0.05)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def sparse_patches(make_sparse_patches):
    return make_sparse_patches(1000)


def recovered(found, true):
    return (np.abs(found @ true.T).max(axis=0) > 0.97).mean()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_recovers_the_dictionary_that_made_the_patches(sparse_patches, dtype):
    atoms, patches = sparse_patches
    learner = BPDNDictionary(20, penalty=0.1, max_iter=60, tol=0, random_state=0).fit(patches.astype(dtype))
    assert learner.components_.dtype == dtype
    assert recovered(learner.components_, atoms) >= 0.9
    assert np.allclose(np.linalg.norm(learner.components_, axis=1), 1, atol=1e-5)


def test_the_objective_is_that_of_equation_2_and_never_rises(sparse_patches):
    _, patches = sparse_patches
    settings = dict(penalty=0.3, tol=0, dictionary_init=patches[:20])
    learner = BPDNDictionary(20, max_iter=15, **settings).fit(patches)
    assert learner.n_replaced_ == 0
    assert (np.diff(learner.objective_history_) <= 0).all()
    before_last = BPDNDictionary(20, max_iter=14, **settings).fit(patches).components_
    coding = lasso(patches, before_last, penalty=0.3)
    objective = 0.5 * np.square(patches - coding.codes @ before_last).sum() + 0.3 * np.abs(coding.codes).sum()
    assert learner.objective_history_[-1] == pytest.approx(objective, rel=1e-6)


def test_reaches_the_objective_of_scikit_learn(sparse_patches):
    patches = sparse_patches[1][:300]
    start = normalized_rows(patches[:20])
    ours = BPDNDictionary(20, penalty=0.3, max_iter=30, tol=1e-6, dictionary_init=start).fit(patches)
    theirs = DictionaryLearning(
        20,
        alpha=0.3,
        max_iter=30,
        tol=1e-6,
        dict_init=start,
        fit_algorithm="cd",
        code_init=np.zeros((300, 20)),
    ).fit(patches)

    def objective(atoms):
        codes = lasso(patches, atoms, penalty=0.3).codes
        return 0.5 * np.square(patches - codes @ atoms).sum() + 0.3 * np.abs(codes).sum()

    assert objective(ours.components_) <= 1.01 * objective(normalized_rows(theirs.components_))


def test_missing_values_by_mask_and_by_value(sparse_patches):
    atoms, patches = sparse_patches
    missing = np.random.default_rng(1).random(patches.shape) < 0.2
    settings = dict(penalty=0.1, max_iter=60, tol=0, dictionary_init="data", random_state=0)
    by_mask = BPDNDictionary(20, **settings).fit(np.where(missing, np.nan, patches), mask=missing)
    by_value = BPDNDictionary(20, missing_value=0, **settings).fit(np.where(missing, 0, patches))
    assert recovered(by_mask.components_, atoms) >= 0.8
    assert np.array_equal(by_mask.components_, by_value.components_)
    rebuilt = by_mask.inverse_transform(by_mask.transform(patches, mask=missing))
    error = np.sqrt(np.mean((rebuilt - patches)[missing] ** 2))
    assert error < 0.5 * patches.std()


def test_the_default_penalty_scales_with_the_patches(sparse_patches):
    _, patches = sparse_patches
    settings = dict(max_iter=3, random_state=0)
    plain, scaled = (BPDNDictionary(10, **settings).fit(factor * patches) for factor in (1, 100))
    assert scaled.penalty_ == pytest.approx(100 * plain.penalty_)
    assert scaled.components_ == pytest.approx(plain.components_, abs=1e-4)
    unit = normalized_rows(patches)
    assert BPDNDictionary(10, max_iter=1).fit(unit).penalty_ == pytest.approx(1.2 / np.sqrt(36))


@pytest.mark.parametrize("masked", [False, True])
def test_the_number_of_threads_changes_nothing(sparse_patches, masked):
    _, patches = sparse_patches
    mask = np.random.default_rng(1).random(patches.shape) < 0.2 if masked else None
    settings = dict(penalty=0.1, max_iter=3, tol=0, dictionary_init="data", random_state=0)
    one, three = (BPDNDictionary(200, n_threads=n, **settings).fit(patches, mask=mask) for n in (1, 3))
    assert np.array_equal(one.components_, three.components_)
    assert np.array_equal(one.objective_history_, three.objective_history_)


def test_unused_and_duplicate_atoms_are_replaced(sparse_patches):
    atoms, patches = sparse_patches
    init = np.tile(atoms[0], (20, 1))
    learner = BPDNDictionary(20, penalty=0.1, dictionary_init=init, max_iter=40, tol=0).fit(patches)
    correlation = np.abs(learner.components_ @ learner.components_.T) - np.eye(20)
    assert learner.n_replaced_ >= 15
    assert correlation.max() < 0.99


def test_reproduces_leaves_inputs_alone_and_reports_progress(sparse_patches):
    patches = sparse_patches[1][:200]
    copy, calls = patches.copy(), []
    first = BPDNDictionary(8, max_iter=3, tol=0, random_state=5, progress=lambda *call: calls.append(call))
    second, other = (BPDNDictionary(8, max_iter=3, tol=0, random_state=seed) for seed in (5, 6))
    assert np.array_equal(first.fit(patches).components_, second.fit(patches).components_)
    assert not np.array_equal(first.components_, other.fit(patches).components_)
    assert np.array_equal(patches, copy)
    assert [call[:2] for call in calls] == [(1, 3), (2, 3), (3, 3)]
    assert first.n_iter_ == len(first.objective_history_) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(n_components=101), "101 atoms cannot be learned from 100 patches"),
        (dict(penalty=0), "penalty"),
        (dict(max_iter=0), "max_iter"),
        (dict(tol=-1), "tol"),
    ],
)
def test_impossible_parameters_are_refused(settings, message):
    patches = np.random.default_rng(0).random((100, 5))
    with pytest.raises(ParameterError, match=message):
        BPDNDictionary(**settings).fit(patches)
