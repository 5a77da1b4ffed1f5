import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def unit_rows(matrix):
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


@pytest.fixture
def sparse_problem(rng):
    """Noisy combinations of four of 50 atoms in 20 dimensions, and masks that hide a third."""
    dictionary = unit_rows(rng.standard_normal((50, 20)))
    codes = np.zeros((130, 50))
    for row in codes:
        row[rng.choice(50, 4, replace=False)] = rng.standard_normal(4)
    patches = codes @ dictionary + 0.02 * rng.standard_normal((130, 20))
    return patches, dictionary, rng.random(patches.shape) < 0.33
