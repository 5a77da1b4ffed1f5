from copy import deepcopy

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsight.coding import lasso
from sparsight.dictionaries import KSVD, OnlineDictionary
from sparsight.dictionaries._atoms import normalized_rows
from sparsight.errors import ParameterError


@parametrize_with_checks(
    [OnlineDictionary(), OnlineDictionary(batch_size=7, forgetting=0), OnlineDictionary(penalty=0.1)]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def sparse_patches(make_sparse_patches):
    return make_sparse_patches(3000)


def recovered(found, true):
    return (np.abs(found @ true.T).max(axis=0) > 0.98).mean()


def learner(**settings):
    return OnlineDictionary(20, transform_n_nonzero_coefs=3, **{"random_state": 0, "tol": 0, **settings})


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_recovers_the_dictionary_that_made_the_patches(sparse_patches, dtype):
    atoms, patches = sparse_patches
    found = learner(batch_size=64, max_iter=20).fit(patches.astype(dtype))
    assert found.components_.dtype == dtype
    assert recovered(found.components_, atoms) >= 0.85
    assert np.allclose(np.linalg.norm(found.components_, axis=1), 1, atol=1e-5)
    assert found.objective_history_[-1] < 0.2 * found.objective_history_[0]
    assert found.n_iter_ == len(found.objective_history_) == 20


def test_comes_as_close_as_k_svd(sparse_patches):
    patches = sparse_patches[1]
    online, k_svd = learner(batch_size=64, max_iter=30), KSVD(20, transform_n_nonzero_coefs=3, random_state=0)
    errors = [
        np.square(patches - model.inverse_transform(model.fit_transform(patches))).sum()
        for model in (online, k_svd)
    ]
    assert errors[0] < 1.1 * errors[1]


def test_recovers_the_dictionary_with_missing_values_by_mask_and_by_value(sparse_patches):
    atoms, patches = sparse_patches
    missing = np.random.default_rng(1).random(patches.shape) < 0.3
    settings = dict(dictionary_init="data", batch_size=64, max_iter=40)
    by_mask = learner(**settings).fit(np.where(missing, 777.0, patches), mask=missing)
    by_value = learner(missing_value=0, **settings).fit(np.where(missing, 0, patches))
    by_nan = learner(missing_value=np.nan, **settings).fit(np.where(missing, np.nan, patches))
    assert recovered(by_mask.components_, atoms) >= 0.85
    assert np.array_equal(by_mask.components_, by_value.components_)
    assert np.array_equal(by_mask.components_, by_nan.components_)
    rebuilt = by_mask.inverse_transform(by_mask.transform(patches, mask=missing))
    error = np.sqrt(np.mean((rebuilt - patches)[missing] ** 2))
    assert error < 0.35 * patches.std()


def test_a_stream_is_learned_batch_by_batch(sparse_patches):
    _, patches = sparse_patches
    start = patches[:20]
    whole = learner(batch_size=100, dictionary_init=start).partial_fit(patches)
    in_parts = learner(batch_size=100, dictionary_init=start)
    for part in np.split(patches, 30):
        in_parts.partial_fit(part)
    assert np.array_equal(whole.components_, in_parts.components_)
    assert in_parts.statistics_.n_patches == 3000
    assert in_parts.objective_history_.sum() == pytest.approx(whole.objective_history_.sum())
    assert in_parts.objective_history_[-5:].mean() < 0.7 * in_parts.objective_history_[0]


def test_the_sum_of_two_workers_equals_one_worker_with_all_patches(sparse_patches):
    atoms, patches = sparse_patches
    start = normalized_rows(atoms + 0.05 * np.random.default_rng(7).standard_normal(atoms.shape))
    mask = np.random.default_rng(1).random(patches.shape) < 0.1
    first, second, both = (learner(dictionary_init=start) for _ in range(3))
    first.accumulate(patches[:1000], mask=mask[:1000])
    second.accumulate(patches[1000:], mask=mask[1000:])
    both.accumulate(patches, mask=mask)
    assert np.array_equal(both.components_, both.initial_components_)
    total = first + second
    assert total.statistics_.code_products == pytest.approx(both.statistics_.code_products)
    assert total.statistics_.patch_products == pytest.approx(both.statistics_.patch_products)
    assert total.components_ == pytest.approx(both.update().components_, abs=1e-9)
    assert recovered(total.components_, atoms) > recovered(start, atoms)
    # The workers themselves are left alone, and the sum learns on.
    assert np.array_equal(first.components_, first.initial_components_)
    assert total.partial_fit(patches).statistics_.n_patches == 6000


def test_the_sum_of_two_streams_equals_the_stream_of_both(sparse_patches):
    atoms, patches = sparse_patches
    start = normalized_rows(atoms + 0.05 * np.random.default_rng(7).standard_normal(atoms.shape))
    first, second, both = (learner(dictionary_init=start, batch_size=3000) for _ in range(3))
    total = first.partial_fit(patches[:1000]) + second.partial_fit(patches[1000:])
    both.partial_fit(patches).update()
    assert not np.array_equal(first.components_, second.components_)
    assert total.statistics_.code_products == pytest.approx(both.statistics_.code_products)
    assert total.components_ == pytest.approx(both.components_, abs=1e-4)


def test_the_sum_of_streams_of_many_mini_batches_is_better_than_each(sparse_patches):
    atoms, patches = sparse_patches
    start = normalized_rows(atoms + 0.1 * np.random.default_rng(7).standard_normal(atoms.shape))
    first, second = (
        learner(dictionary_init=start, batch_size=100).partial_fit(part)
        for part in (patches[:500], patches[500:1000])
    )
    total, reverse = first + second, second + first
    assert np.array_equal(total.statistics_.code_products, reverse.statistics_.code_products)
    assert np.array_equal(total.statistics_.patch_products, reverse.statistics_.patch_products)
    assert total.components_ == pytest.approx(reverse.components_, abs=1e-4)
    unseen = patches[1000:]
    errors = [
        np.square(unseen - model.inverse_transform(model.transform(unseen))).sum()
        for model in (total, first, second)
    ]
    assert errors[0] < min(errors[1:])


def test_workers_that_go_on_from_a_learner_are_added_to_it(sparse_patches):
    _, patches = sparse_patches
    start = learner().partial_fit(patches[:1000])
    workers = [
        learner(dictionary_init=start.components_).partial_fit(part)
        for part in (patches[1000:2000], patches[2000:])
    ]
    totals = [
        start + workers[0] + workers[1],
        start + (workers[0] + workers[1]),
        workers[1] + start + workers[0],
        sum(workers, start=start),
    ]
    for total in totals:
        assert total.statistics_.n_patches == 3000
        assert total.components_ == pytest.approx(totals[0].components_, abs=1e-4)
    assert sum([start, *workers]).statistics_.n_patches == 3000
    with pytest.raises(TypeError):
        _ = start + 1
    stranger = learner(random_state=1).partial_fit(patches)
    with pytest.raises(ParameterError, match="started from the same dictionary"):
        _ = start + stranger


def test_old_statistics_fade(sparse_patches):
    _, patches = sparse_patches
    other = patches @ np.linalg.qr(np.random.default_rng(0).standard_normal((36, 36)))[0]
    forgetful, keeping = (
        learner(forgetting=rho, batch_size=50).partial_fit(other).partial_fit(patches) for rho in (10, 0)
    )
    error = [
        np.square(patches - model.inverse_transform(model.transform(patches))).sum()
        for model in (forgetful, keeping)
    ]
    assert error[0] < error[1]
    energy = [np.trace(model.statistics_.code_products) for model in (forgetful, keeping)]
    assert energy[0] < 0.5 * energy[1]


def test_unused_and_duplicate_atoms_are_replaced(sparse_patches):
    atoms, patches = sparse_patches
    found = learner(dictionary_init=np.tile(atoms[0], (20, 1)), batch_size=64, max_iter=20).fit(patches)
    correlation = np.abs(found.components_ @ found.components_.T) - np.eye(20)
    assert found.n_replaced_ >= 10
    assert correlation.max() < 0.99
    assert recovered(found.components_, atoms) >= 0.7


def test_random_state_reproduces_and_inputs_stay_unchanged(sparse_patches):
    patches = sparse_patches[1][:500].astype(np.float32)
    mask = np.random.default_rng(0).random(patches.shape) < 0.1
    copies = patches.copy(), mask.copy()
    first, second, other = (
        learner(max_iter=3, dictionary_init="data", random_state=seed).fit(patches, mask=mask).components_
        for seed in (5, 5, 6)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert np.array_equal(patches, copies[0])
    assert np.array_equal(mask, copies[1])


def test_the_number_of_threads_changes_nothing(sparse_patches):
    one, two = (learner(max_iter=2, n_threads=n).fit(sparse_patches[1]).components_ for n in (1, 2))
    assert np.array_equal(one, two)


def test_fit_ends_early_and_reports_progress(sparse_patches):
    calls = []
    found = learner(max_iter=50, tol=0.2, progress=lambda *call: calls.append(call)).fit(sparse_patches[1])
    assert found.n_iter_ < 50
    assert [call[:2] for call in calls] == [(i + 1, 50) for i in range(found.n_iter_)]
    history = found.objective_history_
    assert history[-1] >= 0.8 * history[-2]


def test_other_precisions_are_learned_on_in_that_of_the_first(sparse_patches):
    patches = sparse_patches[1][:400]
    found = learner().partial_fit(patches.astype(np.float32))
    assert found.partial_fit(patches).components_.dtype == np.float32
    assert deepcopy(found).accumulate(patches).transform(patches).dtype == np.float64


@pytest.mark.parametrize("with_mask", [False, True])
def test_learns_with_a_penalty(sparse_patches, with_mask):
    atoms, patches = sparse_patches
    mask = np.random.default_rng(1).random(patches.shape) < 0.1 if with_mask else None
    found = OnlineDictionary(
        20, penalty=0.1, batch_size=64, max_iter=15, tol=0, dictionary_init="data", random_state=0
    ).fit(patches, mask=mask)
    assert recovered(found.components_, atoms) >= 0.85
    coding = lasso(patches, found.components_, penalty=0.1, mask=mask)
    assert found.transform(patches, mask=mask) == pytest.approx(coding.codes)
    objective = np.square(coding.residual_norm).sum() / 2 + 0.1 * coding.l1_norm.sum()
    assert objective < found.objective_history_[-1] < 1.1 * objective


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(n_components=101), "101 atoms cannot be learned from 100 patches"),
        (dict(batch_size=0), "batch_size"),
        (dict(forgetting=-1), "forgetting"),
        (dict(max_iter=0), "max_iter"),
        (dict(tol=-1), "tol"),
        (dict(transform_n_nonzero_coefs=0), "transform_n_nonzero_coefs"),
        (dict(transform_n_nonzero_coefs=2, penalty=0.1), "not both"),
        (dict(penalty=0), "penalty"),
    ],
)
def test_impossible_parameters_are_refused(settings, message):
    patches = np.random.default_rng(0).random((100, 5))
    with pytest.raises(ParameterError, match=message):
        OnlineDictionary(**settings).fit(patches)
