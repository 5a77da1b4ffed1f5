import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsight.coding import lasso, orthogonal_matching_pursuit
from sparsight.dictionaries._atoms import normalized_rows
from sparsight.dictionaries._mini_batches import learn_mini_batches
from sparsight.dictionaries._statistics import LearningStatistics
from sparsight.errors import ParameterError

FORGETTING, BATCH_SIZE = 2.0, 70


@pytest.fixture(scope="module")
def problem(make_sparse_patches):
    atoms, patches = make_sparse_patches(400)
    rng = np.random.default_rng(3)
    missing = rng.random(patches.shape) < 0.2
    missing[::3] = False
    start = normalized_rows(atoms + 0.3 * rng.standard_normal(atoms.shape))
    return patches, missing, rng.permutation(400)[:331], start


def learned(problem, *, masked=False, dtype=np.float64, move=True, penalty=None, statistics=None, **settings):
    patches, missing, rows, start = problem
    if statistics is None:
        statistics = LearningStatistics.empty(*start.shape)
        statistics.code_products += np.eye(len(start))
        statistics.n_patches = 50
    found = learn_mini_batches(
        patches.astype(dtype),
        missing if masked else None,
        rows,
        start.astype(dtype),
        statistics,
        forgetting=FORGETTING,
        move=move,
        penalty=penalty,
        **{"batch_size": BATCH_SIZE, "n_nonzero_coefs": 3, "n_threads": 1, **settings},
    )
    return found, statistics


def step_by_step(problem, *, masked, move, penalty):
    """The same with a coder, the sums and the descent, one after another."""
    patches, missing, rows, dictionary = problem
    statistics = LearningStatistics.empty(*dictionary.shape)
    statistics.code_products += np.eye(len(dictionary))
    statistics.n_patches = 50
    usage, errors, l1_norm = 0, [], []
    for first in range(0, len(rows), BATCH_SIZE):
        chosen = rows[first : first + BATCH_SIZE]
        hidden = missing[chosen] if masked else None
        given = dict(mask=hidden, output="sparse")
        coding = (
            orthogonal_matching_pursuit(patches[chosen], dictionary, n_nonzero_coefs=3, **given)
            if penalty is None
            else lasso(patches[chosen], dictionary, penalty=penalty, **given)
        )
        if move:
            horizon = max(statistics.n_patches + len(chosen), FORGETTING * len(dictionary))
            statistics.fade((1 - len(chosen) / horizon) ** FORGETTING)
        statistics.add(patches[chosen], hidden, coding.codes, dictionary)
        if move:
            dictionary = statistics.best_dictionary(dictionary)
        usage = usage + np.bincount(coding.codes.indices, minlength=len(dictionary))
        errors.append(coding.residual_norm**2)
        l1_norm.append(coding.l1_norm)
    return dictionary, usage, np.concatenate(errors), np.concatenate(l1_norm), statistics


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("move", [False, True])
@pytest.mark.parametrize("penalty", [None, 0.2])
def test_equals_coding_adding_and_moving_step_by_step(problem, dtype, masked, move, penalty):
    found, statistics = learned(problem, dtype=dtype, masked=masked, move=move, penalty=penalty)
    dictionary, usage, errors, l1_norm, expected = step_by_step(
        problem, masked=masked, move=move, penalty=penalty
    )
    # In single precision now and then another atom is chosen.
    tolerance = 1e-6 if dtype == np.float64 else 2e-2
    assert found.dictionary.dtype == dtype
    assert found.dictionary == pytest.approx(dictionary, abs=tolerance)
    assert np.abs(found.usage - usage).sum() <= (0 if dtype == np.float64 else 0.02 * usage.sum())
    assert found.errors.sum() == pytest.approx(errors.sum(), rel=tolerance)
    assert found.l1_norm.sum() == pytest.approx(l1_norm.sum(), rel=tolerance)
    assert statistics.n_patches == expected.n_patches == 381
    assert statistics.code_products == pytest.approx(expected.code_products, abs=100 * tolerance)
    if dtype == np.float64:
        assert found.errors == pytest.approx(errors)
        assert statistics.patch_products == pytest.approx(expected.patch_products, abs=1e-5)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("penalty", [None, 0.2])
def test_the_number_of_threads_changes_nothing(problem, masked, penalty):
    expected, sums = learned(problem, masked=masked, penalty=penalty)
    for n_threads in (2, 3, 40):
        found, statistics = learned(problem, masked=masked, penalty=penalty, n_threads=n_threads)
        assert np.array_equal(found.dictionary, expected.dictionary)
        assert np.array_equal(found.errors, expected.errors)
        assert np.array_equal(statistics.code_products, sums.code_products)


def test_an_optimum_that_is_missed_is_told(problem, monkeypatch):
    monkeypatch.setattr("sparsight.dictionaries._mini_batches.usual_tolerance", lambda _: 1e-30)
    with pytest.warns(ConvergenceWarning, match="did not reach a relative duality gap"):
        learned(problem, penalty=0.2)


@pytest.mark.parametrize("batch_size", [500, 10_000_000])
def test_an_interruption_ends_all_threads_and_leaves_nothing_behind(problem, batch_size, interrupt_after):
    patches, missing, _, start = problem
    endless = patches, missing, np.resize(np.arange(400), 400_000), start
    statistics = LearningStatistics.empty(*start.shape)
    interrupt_after(0.1)
    with pytest.raises(KeyboardInterrupt):
        learned(endless, statistics=statistics, batch_size=batch_size, n_nonzero_coefs=10, n_threads=2)
    assert statistics.n_patches == 0
    assert not statistics.code_products.any()


def test_rows_that_name_no_patch_are_refused(problem):
    patches, missing, _, start = problem
    with pytest.raises(ValueError, match="not there"):
        learned((patches, missing, np.array([0, 400]), start))


def test_patches_that_are_not_finite_leave_nothing_behind(problem):
    patches, missing, rows, start = problem
    broken = patches.copy()
    broken[rows[-1], 0] = np.nan
    statistics = LearningStatistics.empty(*start.shape)
    with pytest.raises(ParameterError, match="NaN"):
        learned((broken, missing, rows, start), statistics=statistics)
    assert statistics.n_patches == 0
    assert not statistics.code_products.any()
