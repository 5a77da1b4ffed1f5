import numpy as np
import pytest

from sparsight import CoupledDictionaries
from sparsight.errors import ParameterError


@pytest.fixture(scope="module")
def patches():
    """Patches that truly have common codes: four atoms in pairs, two of them in each patch."""
    rng = np.random.default_rng(0)
    low, high = rng.standard_normal((4, 6)), rng.standard_normal((4, 15))
    codes = np.zeros((600, 4))
    for row in codes:
        row[rng.choice(4, 2, replace=False)] = rng.uniform(0.5, 2, 2) * rng.choice([-1, 1], 2)
    return codes @ low, codes @ high


@pytest.mark.parametrize("learning", ["least-squares", "joint"])
def test_predicts_what_belongs_together(patches, learning):
    low, high = patches
    before = low.copy(), high.copy()
    coupled = CoupledDictionaries(8, n_nonzero_coefs=2, learning=learning, energy=1.0, max_iter=30).fit(
        low[:400], high[:400]
    )
    error = np.linalg.norm(coupled.predict(low[400:]) - high[400:]) / np.linalg.norm(high[400:])
    assert error < 0.1
    np.testing.assert_array_equal(low, before[0])
    np.testing.assert_array_equal(high, before[1])


def test_codes_are_sparse_and_shared(patches):
    low, high = patches
    coupled = CoupledDictionaries(8, n_nonzero_coefs=2).fit(low, high)
    codes = coupled.transform(low)
    assert codes.shape == (600, 8)
    assert np.count_nonzero(codes, axis=1).max() <= 2
    np.testing.assert_allclose(codes @ coupled.high_dictionary_, coupled.predict(low), atol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(coupled.low_dictionary_, axis=1), 1)


def test_least_squares_is_optimal_for_its_codes(patches):
    low, high = patches
    rng = np.random.default_rng(1)
    coupled = CoupledDictionaries(8, n_nonzero_coefs=2).fit(low, high)
    codes = coupled.transform(low)
    best = np.linalg.norm(codes @ coupled.high_dictionary_ - high)
    for _ in range(5):
        other = coupled.high_dictionary_ + 0.01 * rng.standard_normal(coupled.high_dictionary_.shape)
        assert np.linalg.norm(codes @ other - high) > best


def test_keeps_float32(patches):
    low, high = (part.astype(np.float32) for part in patches)
    coupled = CoupledDictionaries(8, n_nonzero_coefs=2).fit(low, high)
    assert coupled.predict(low).dtype == np.float32


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_components": 601}, "600 patches were found, but 601 atoms"),
        ({"n_components": 0}, "n_components"),
        ({"learning": "deep"}, "learning"),
        ({"energy": 1.5}, "energy"),
    ],
)
def test_bad_parameters(patches, settings, message):
    with pytest.raises(ParameterError, match=message):
        CoupledDictionaries(**{"n_components": 8, **settings}).fit(*patches)


def test_patches_that_do_not_fit(patches):
    low, high = patches
    with pytest.raises(ParameterError, match="no pairs"):
        CoupledDictionaries(8).fit(low, high[1:])
    with pytest.raises(ParameterError, match="Patches have 5 values"):
        CoupledDictionaries(8).fit(low, high).predict(low[:, 1:])
