import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsight.dictionaries import KSVD, cosine_dictionary
from sparsight.dictionaries._atom_updates import update_atoms
from sparsight.dictionaries._atoms import normalized_rows, replace_idle_atoms
from sparsight.errors import ParameterError


@parametrize_with_checks([KSVD(), KSVD(atom_update="exact", max_iter=3)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def sparse_patches(make_sparse_patches):
    return make_sparse_patches(1500)


def recovered(found, true):
    return (np.abs(found @ true.T).max(axis=0) > 0.98).mean()


@pytest.mark.parametrize("atom_update", ["approximate", "exact"])
def test_recovers_the_dictionary_that_made_the_patches(sparse_patches, atom_update):
    atoms, patches = sparse_patches
    learner = KSVD(
        20, transform_n_nonzero_coefs=3, max_iter=60, tol=0, atom_update=atom_update, random_state=0
    ).fit(patches)
    assert recovered(learner.components_, atoms) >= 0.85
    assert np.allclose(np.linalg.norm(learner.components_, axis=1), 1)
    assert learner.objective_history_[-1] < 0.2 * learner.objective_history_[0]


def test_recovers_the_dictionary_with_missing_values_by_mask_and_by_value(sparse_patches):
    atoms, patches = sparse_patches
    missing = np.random.default_rng(1).random(patches.shape) < 0.3
    settings = dict(transform_n_nonzero_coefs=3, max_iter=60, tol=0, dictionary_init="data", random_state=0)
    by_mask = KSVD(20, **settings).fit(np.where(missing, 777.0, patches), mask=missing)
    by_value = KSVD(20, missing_value=0, **settings).fit(np.where(missing, 0, patches))
    by_nan = KSVD(20, missing_value=np.nan, **settings).fit(np.where(missing, np.nan, patches))
    assert recovered(by_mask.components_, atoms) >= 0.9
    assert np.array_equal(by_mask.components_, by_value.components_)
    assert np.array_equal(by_mask.components_, by_nan.components_)
    rebuilt = by_mask.inverse_transform(by_mask.transform(patches, mask=missing))
    error = np.sqrt(np.mean((rebuilt - patches)[missing] ** 2))
    assert error < 0.35 * patches.std()


def objective(patches, codes, dictionary, missing):
    residual = patches - codes @ dictionary
    return np.sum(np.square(residual if missing is None else residual[~missing]))


@pytest.mark.parametrize("with_mask", [False, True])
def test_exact_update_is_the_best_rank_one_approximation(with_mask):
    rng = np.random.default_rng(2)
    patches = rng.standard_normal((30, 8))
    missing = rng.random(patches.shape) < 0.2 if with_mask else None
    dictionary = normalized_rows(rng.standard_normal((1, 8)))
    codes = csr_array(rng.standard_normal((30, 1)))
    updated, errors = update_atoms(patches, missing, codes, dictionary, exact=True)
    if missing is None:
        singular_values = np.linalg.svd(patches, compute_uv=False)
        assert errors.sum() == pytest.approx((singular_values[1:] ** 2).sum())
    else:
        # No step in any direction lowers the objective when the codes are refitted.
        for direction in rng.standard_normal((20, 8)):
            nearby = normalized_rows(updated + 1e-3 * direction)
            observed = np.where(missing, 0, patches)
            refitted = (observed @ nearby.T) / (~missing @ np.square(nearby).T)
            assert objective(patches, refitted, nearby, missing) >= errors.sum() - 1e-9


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("with_mask", [False, True])
def test_updates_lower_the_objective_and_leave_their_inputs(exact, with_mask):
    rng = np.random.default_rng(3)
    patches = rng.standard_normal((200, 12))
    missing = rng.random(patches.shape) < 0.3 if with_mask else None
    dictionary = normalized_rows(rng.standard_normal((9, 12)))
    codes = csr_array(np.where(rng.random((200, 9)) < 0.3, rng.standard_normal((200, 9)), 0))
    copies = patches.copy(), codes.copy(), dictionary.copy()
    updated, errors = update_atoms(patches, missing, codes, dictionary, exact=exact)
    assert errors.sum() < objective(patches, codes, dictionary, missing)
    assert np.allclose(np.linalg.norm(updated, axis=1), 1)
    assert np.array_equal(patches, copies[0])
    assert np.array_equal(codes.toarray(), copies[1].toarray())
    assert np.array_equal(dictionary, copies[2])


def test_random_state_reproduces_and_inputs_stay_unchanged(sparse_patches):
    patches = sparse_patches[1][:300].astype(np.float32)
    mask = np.random.default_rng(0).random(patches.shape) < 0.1
    copies = patches.copy(), mask.copy()
    first, second, other = (
        KSVD(10, transform_n_nonzero_coefs=2, max_iter=4, dictionary_init="data", random_state=seed)
        .fit(patches, mask=mask)
        .components_
        for seed in (5, 5, 6)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert first.dtype == np.float32
    assert np.array_equal(patches, copies[0])
    assert np.array_equal(mask, copies[1])


def test_the_number_of_threads_changes_nothing(sparse_patches):
    one, two = (
        KSVD(20, transform_n_nonzero_coefs=3, max_iter=3, n_threads=n, random_state=0)
        .fit(np.tile(sparse_patches[1], (8, 1)))
        .components_
        for n in (1, 2)
    )
    assert np.array_equal(one, two)


def test_unused_and_duplicate_atoms_are_replaced_by_the_worst_patches():
    rng = np.random.default_rng(4)
    dictionary = normalized_rows(rng.standard_normal((4, 9)))
    dictionary[2] = -dictionary[0]
    original = dictionary.copy()
    patches = rng.standard_normal((20, 9))
    errors = np.arange(20.0)
    assert replace_idle_atoms(dictionary, np.array([5, 0, 3, 2]), patches, errors) == 2
    assert np.array_equal(dictionary[[0, 3]], original[[0, 3]])
    assert np.allclose(dictionary[1], patches[19] / np.linalg.norm(patches[19]))
    assert np.allclose(dictionary[2], patches[18] / np.linalg.norm(patches[18]))


def test_learning_replaces_atoms_that_start_as_copies(sparse_patches):
    atoms, patches = sparse_patches
    init = np.tile(atoms[0], (20, 1))
    learner = KSVD(20, transform_n_nonzero_coefs=3, dictionary_init=init, max_iter=30, tol=0).fit(patches)
    correlation = np.abs(learner.components_ @ learner.components_.T) - np.eye(20)
    assert learner.n_replaced_ >= 19
    assert correlation.max() < 0.99


def test_missing_values_start_from_cosines_when_patches_are_square():
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((200, 64))
    missing = rng.random(patches.shape) < 0.5
    learner = KSVD(100, transform_n_nonzero_coefs=2, max_iter=1, tol=0).fit(patches, mask=missing)
    start = cosine_dictionary(8, 100)
    unused = np.isclose(np.abs(np.sum(learner.components_ * start, axis=1)), 1).sum()
    assert unused >= 1  # atoms that no patch used are still the cosine atoms they started as


def test_progress_is_reported(sparse_patches):
    calls = []
    KSVD(5, max_iter=3, tol=0, progress=lambda *call: calls.append(call)).fit(sparse_patches[1][:100])
    assert [call[:2] for call in calls] == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(n_components=101), "101 atoms cannot be learned from 100 patches"),
        (dict(n_components=0), "n_components must be an integer of at least 1"),
        (dict(max_iter=0), "max_iter"),
        (dict(tol=-1), "tol"),
        (dict(atom_update="fast"), "'approximate', 'exact'"),
        (dict(dictionary_init="cosine"), "square patches"),
        (dict(n_components=3, dictionary_init=np.zeros((2, 5))), r"shape \(3, 5\)"),
        (dict(transform_n_nonzero_coefs=0), "transform_n_nonzero_coefs"),
    ],
)
def test_impossible_parameters_are_refused(settings, message):
    patches = np.random.default_rng(0).random((100, 5))
    with pytest.raises(ParameterError, match=message):
        KSVD(**settings).fit(patches)


def test_bad_data_is_refused():
    patches = np.random.default_rng(0).random((100, 4))
    with pytest.raises(ParameterError, match="Every value is missing"):
        KSVD(2).fit(patches, mask=np.ones((100, 4), bool))
    with pytest.raises(ParameterError, match="mask must be boolean"):
        KSVD(2).fit(patches, mask=np.ones((100, 3), bool))
    patches[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        KSVD(2).fit(patches)


def test_cosine_dictionary():
    complete = cosine_dictionary(8, 64)
    assert np.allclose(complete @ complete.T, np.eye(64))
    overcomplete = cosine_dictionary((8, 6), 100, np.float32)
    assert overcomplete.dtype == np.float32
    assert np.allclose(np.linalg.norm(overcomplete, axis=1), 1, atol=1e-6)
    assert np.allclose(overcomplete[0], overcomplete[0, 0])
