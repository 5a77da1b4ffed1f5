import numpy as np
import pytest

from sparsight.dictionaries._atoms import normalized_rows


@pytest.fixture(scope="session")
def make_sparse_patches():
    """Return atoms, and patches that combine three of them each, with a little noise."""

    def made(n_patches):
        rng = np.random.default_rng(0)
        atoms = normalized_rows(rng.standard_normal((20, 36)))
        codes = np.zeros((n_patches, 20))
        for code in codes:
            code[rng.choice(20, 3, replace=False)] = rng.normal(0, 1, 3) + np.sign(rng.normal(size=3))
        return atoms, codes @ atoms + 0.01 * rng.standard_normal((n_patches, 36))

    return made
