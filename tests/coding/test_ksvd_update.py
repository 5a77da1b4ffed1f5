import numpy as np
import pytest

from sparsight import _kernels
from sparsight.coding import orthogonal_matching_pursuit


def update(patches, dictionary, codes, **options):
    dictionary, values, residual_norm = _kernels.ksvd_update(
        patches,
        dictionary,
        codes.indptr.astype(np.int64),
        codes.indices,
        codes.data,
        **options,
    )
    updated = codes.copy()
    updated.data = values
    return dictionary, updated.toarray(), residual_norm


def plain_update(patches, dictionary, codes, observed):
    """One alternation per atom, as in the docstring, with the residual formed anew each time."""
    dictionary, codes = dictionary.copy(), codes.copy()
    for j in range(len(dictionary)):
        users = np.flatnonzero(codes[:, j])
        if not users.size:
            continue
        m, x = observed[users], codes[users, j]
        others = codes[users].copy()
        others[:, j] = 0
        error = patches[users] - others @ dictionary
        atom = (x @ (m * error)) / np.maximum((x**2) @ m, 1e-300)
        atom = np.where(((x**2) @ m) > 0, atom, dictionary[j])
        dictionary[j] = atom / np.linalg.norm(atom)
        codes[users, j] = (m * error) @ dictionary[j] / (m @ dictionary[j] ** 2)
    return dictionary, codes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("masked", [False, True])
def test_one_sweep_is_the_approximate_update(sparse_problem, dtype, masked):
    patches, dictionary, mask = sparse_problem
    missing = mask if masked else None
    observed = (~mask if masked else np.ones_like(mask)).astype(float)
    codes = orthogonal_matching_pursuit(
        patches, dictionary, n_nonzero_coefs=4, mask=missing, output="sparse"
    ).codes
    expected_dictionary, expected_codes = plain_update(patches, dictionary, codes.toarray(), observed)
    new_dictionary, new_codes, residual_norm = update(
        patches.astype(dtype), dictionary.astype(dtype), codes.astype(dtype), missing=missing
    )
    tolerance = 1e-10 if dtype == np.float64 else 2e-4
    assert new_dictionary.dtype == dtype
    np.testing.assert_allclose(new_dictionary, expected_dictionary, atol=tolerance)
    np.testing.assert_allclose(new_codes, expected_codes, atol=tolerance)
    residual = observed * (patches - new_codes @ new_dictionary)
    np.testing.assert_allclose(residual_norm, np.linalg.norm(residual, axis=1), atol=tolerance)


def test_many_sweeps_find_the_best_rank_one_fit(sparse_problem):
    patches, dictionary, _ = sparse_problem
    codes = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=4, output="sparse").codes
    j = int(np.argmax((codes.toarray() != 0).sum(axis=0)))
    users = np.flatnonzero(codes.toarray()[:, j])
    others = codes.toarray()[users]
    others[:, j] = 0
    _, singular, right = np.linalg.svd(patches[users] - others @ dictionary)
    new_dictionary, _, residual_norm = update(patches, dictionary, codes, order=np.array([j]), n_sweeps=2000)
    assert abs(new_dictionary[j] @ right[0]) == pytest.approx(1, abs=1e-9)
    assert (residual_norm[users] ** 2).sum() == pytest.approx((singular[1:] ** 2).sum())
    np.testing.assert_array_equal(np.delete(new_dictionary, j, 0), np.delete(dictionary, j, 0))


@pytest.mark.parametrize("masked", [False, True])
def test_the_objective_never_rises(sparse_problem, masked):
    patches, dictionary, mask = sparse_problem
    missing = mask if masked else None
    patches[mask] = np.nan if masked else 0.5
    coding = orthogonal_matching_pursuit(
        patches, dictionary, n_nonzero_coefs=4, mask=missing, output="sparse"
    )
    before = (coding.residual_norm**2).sum()
    for sweeps in (1, 3, 30):
        _, _, residual_norm = update(patches, dictionary, coding.codes, missing=missing, n_sweeps=sweeps)
        assert (residual_norm**2).sum() < before


def test_unused_atoms_stay(sparse_problem):
    patches, dictionary, _ = sparse_problem
    codes = orthogonal_matching_pursuit(patches[:3], dictionary, n_nonzero_coefs=2, output="sparse").codes
    new_dictionary, _, _ = update(patches[:3], dictionary, codes)
    unused = np.setdiff1d(np.arange(50), codes.indices)
    np.testing.assert_array_equal(new_dictionary[unused], dictionary[unused])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("n_sweeps", [1, 20])
def test_the_number_of_threads_changes_nothing(sparse_problem, masked, n_sweeps):
    patches, dictionary, mask = sparse_problem
    missing = mask if masked else None
    patches, missing = np.tile(patches, (5, 1)), None if missing is None else np.tile(missing, (5, 1))
    codes = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=4, output="sparse").codes
    one, *others = (
        update(patches, dictionary, codes, missing=missing, n_sweeps=n_sweeps, n_threads=n)
        for n in (1, 2, 3, 40)
    )
    for other in others:
        for expected, found in zip(one, other, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_an_interruption_ends_all_threads(sparse_problem, interrupt_after):
    patches, dictionary, _ = sparse_problem
    codes = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=4, output="sparse").codes
    endless = np.tile(np.arange(50), 1_000_000)
    interrupt_after(0.3)
    with pytest.raises(KeyboardInterrupt):
        update(patches, dictionary, codes, order=endless, n_threads=2)


def test_codes_that_name_no_atom_are_refused(sparse_problem):
    patches, dictionary, _ = sparse_problem
    indptr = np.arange(131, dtype=np.int64)
    with pytest.raises(ValueError, match="not there"):
        _kernels.ksvd_update(patches, dictionary, indptr, np.full(130, 50, np.int32), np.ones(130))
    with pytest.raises(ValueError, match="CSR"):
        _kernels.ksvd_update(patches, dictionary, indptr, np.zeros(129, np.int32), np.ones(129))
