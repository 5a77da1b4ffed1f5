import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array

from sparsight import _kernels
from sparsight.dictionaries._atoms import normalized_rows
from sparsight.dictionaries._statistics import LearningStatistics

SIZES = [(30, 13), (5, 64), (61, 33)]


def problem(n_atoms, n_features, dtype=np.float64):
    rng = np.random.default_rng(0)
    codes = np.where(rng.random((300, n_atoms)) < 0.2, rng.standard_normal((300, n_atoms)), 0).astype(dtype)
    codes[:, 1] = 0  # an atom that nobody uses
    patches = rng.standard_normal((300, n_features)).astype(dtype)
    atoms = normalized_rows(rng.standard_normal((n_atoms, n_features))).astype(dtype)
    return patches, codes, atoms, rng.random(patches.shape) < 0.3


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("with_mask", [False, True])
def test_sums_follow_their_definition(size, dtype, with_mask):
    patches, codes, atoms, missing = problem(*size, dtype)
    completed = np.where(missing, codes @ atoms, patches) if with_mask else patches
    spoilt = np.where(missing, np.nan, patches) if with_mask else patches
    statistics = LearningStatistics.empty(*size)
    for rows in (slice(0, 100), slice(100, 300)):
        statistics.add(spoilt[rows], missing[rows] if with_mask else None, csr_array(codes[rows]), atoms)
    accuracy = 1e-4 if dtype == np.float32 else 1e-10
    assert statistics.code_products == pytest.approx(codes.T @ codes, abs=accuracy)
    assert statistics.patch_products == pytest.approx(codes.T @ completed, abs=accuracy)
    assert statistics.n_patches == 300


def test_the_number_of_threads_does_not_change_the_sums(monkeypatch):
    monkeypatch.setattr("sparsight.dictionaries._statistics._PRODUCTS_OF_A_THREAD", 1)
    patches, codes, atoms, missing = problem(30, 13)
    found = []
    for n_threads in (1, 2, 7):
        statistics = LearningStatistics.empty(30, 13)
        statistics.add(patches, missing, csr_array(codes), atoms, n_threads)
        found.append((statistics.code_products, statistics.patch_products))
    for other in found[1:]:
        assert np.array_equal(found[0][0], other[0])
        assert np.array_equal(found[0][1], other[1])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sweep_follows_the_published_update(size, dtype):
    patches, codes, atoms, _ = problem(*size, dtype)
    statistics = LearningStatistics.empty(*size)
    statistics.add(patches, None, csr_array(codes), atoms)
    expected = atoms.astype(np.float64)
    a, b = statistics.code_products, statistics.patch_products
    for j in range(size[0]):
        if a[j, j] > 0:
            u = (b[j] - a[j] @ expected) / a[j, j] + expected[j]
            expected[j] = u / max(1, np.linalg.norm(u))
    found, n_sweeps = _kernels.dictionary_from_statistics(a, b, atoms, n_sweeps=1, tolerance=0.0, n_threads=1)
    assert found.dtype == dtype
    assert n_sweeps == 1
    assert found == pytest.approx(expected, abs=1e-4 if dtype == np.float32 else 1e-12)


def test_at_rest_the_dictionary_is_the_constrained_least_squares_solution():
    patches, codes, atoms, _ = problem(6, 4)
    codes *= np.array([0.1, 1, 1, 1, 5, 1])  # some norms reach their bound, some do not
    statistics = LearningStatistics.empty(6, 4)
    statistics.add(patches, None, csr_array(codes), atoms)
    found, n_sweeps = _kernels.dictionary_from_statistics(
        statistics.code_products,
        statistics.patch_products,
        atoms,
        n_sweeps=10000,
        tolerance=1e-10,
        n_threads=1,
    )
    assert n_sweeps < 10000

    def error(flat):
        return np.sum((patches - codes @ flat.reshape(6, 4)) ** 2)

    bounds = [
        {"type": "ineq", "fun": lambda flat, j=j: 1 - np.sum(flat.reshape(6, 4)[j] ** 2)} for j in range(6)
    ]
    best = minimize(error, atoms.ravel() * 0.9, constraints=bounds, method="SLSQP", options={"ftol": 1e-12})
    assert error(found.ravel()) == pytest.approx(best.fun, rel=1e-8)
    assert np.array_equal(found[1], atoms[1])
    norms = np.linalg.norm(found, axis=1)
    assert norms.max() <= 1 + 1e-9
    assert norms[4] < 0.9


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_number_of_threads_does_not_change_the_dictionary(dtype):
    patches, codes, atoms, _ = problem(61, 43, dtype)  # several panels, blocks and members, none of them even
    statistics = LearningStatistics.empty(61, 43)
    statistics.add(patches, None, csr_array(codes), atoms)
    one, three = (
        _kernels.dictionary_from_statistics(
            statistics.code_products,
            statistics.patch_products,
            atoms,
            n_sweeps=500,
            tolerance=0.0,
            n_threads=n,
        )
        for n in (1, 3)
    )
    assert np.array_equal(one[0], three[0])
    assert one[1] == three[1]
    assert not np.array_equal(one[0], atoms)


def test_completing_missing_values_never_raises_the_observed_error():
    patches, codes, atoms, missing = problem(8, 12)
    previous = np.inf
    for _ in range(20):
        statistics = LearningStatistics.empty(8, 12)
        statistics.add(patches, missing, csr_array(codes), atoms)
        atoms, _ = _kernels.dictionary_from_statistics(
            statistics.code_products, statistics.patch_products, atoms, n_sweeps=1, tolerance=0.0, n_threads=1
        )
        error = np.sum((patches - codes @ atoms)[~missing] ** 2)
        assert error <= previous
        previous = error


def test_forgetting_atoms_and_adding_sums():
    patches, codes, atoms, _ = problem(8, 12)
    first, second, both = (LearningStatistics.empty(8, 12) for _ in range(3))
    first.add(patches[:100], None, csr_array(codes[:100]), atoms)
    second.add(patches[100:], None, csr_array(codes[100:]), atoms)
    both.add(patches, None, csr_array(codes), atoms)
    total = first + second
    assert total.code_products == pytest.approx(both.code_products)
    assert total.patch_products == pytest.approx(both.patch_products)
    assert total.n_patches == 300
    total.forget_atoms(np.array([2, 3]))
    assert not total.code_products[2].any()
    assert not total.code_products[:, 3].any()
    assert not total.patch_products[[2, 3]].any()
    before = both.code_products.copy()
    both.fade(0.5)
    assert np.array_equal(both.code_products, before / 2)


def test_the_kernels_refuse_arrays_that_do_not_fit():
    patches, codes, atoms, _ = problem(8, 12)
    statistics = LearningStatistics.empty(8, 12)
    with pytest.raises(ValueError, match="sums do not fit"):
        LearningStatistics.empty(9, 12).add(patches, None, csr_array(codes), atoms)
    with pytest.raises(ValueError, match="CSR"):
        statistics.add(patches[:-1], None, csr_array(codes), atoms)
    with pytest.raises(ValueError, match="not there"):
        statistics.add(patches, None, csr_array(np.hstack([codes, codes])), atoms)
