import numpy as np
import pytest

from sparsight import _kernels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "features", "others"), [(1, 1, 1), (7, 3, 3), (1000, 14, 50), (2500, 64, 64)])
def test_products_are_those_of_the_matrices(dtype, n, features, others):
    rng = np.random.default_rng(0)
    rows, columns = (rng.normal(size=(m, features)).astype(dtype) for m in (n, others))
    products = _kernels.row_products(rows, columns, n_threads=2)
    assert products.dtype == dtype
    np.testing.assert_allclose(
        products, rows @ columns.T, rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-5
    )


def test_a_product_does_not_depend_on_the_rows_that_come_along():
    rng = np.random.default_rng(1)
    rows, columns = (
        rng.normal(size=(5000, 64)).astype(np.float32),
        rng.normal(size=(70, 64)).astype(np.float32),
    )
    whole = _kernels.row_products(rows, columns, n_threads=2)
    for start, count in ((0, 1), (1, 5000), (17, 100), (4999, 1), (123, 2047)):
        part = _kernels.row_products(rows[start : start + count], columns, n_threads=1)
        np.testing.assert_array_equal(part, whole[start : start + count])


def test_no_rows_give_no_products_and_rows_of_another_length_are_refused():
    assert _kernels.row_products(np.empty((0, 4)), np.ones((3, 4)), n_threads=1).shape == (0, 3)
    with pytest.raises(ValueError, match="differ in length"):
        _kernels.row_products(np.ones((2, 5)), np.ones((3, 4)), n_threads=1)
