import numpy as np
import pytest
from scipy.fft import dctn
from sklearn.preprocessing import StandardScaler

from sparsight.features import (
    Standardization,
    cosine_basis,
    cosine_features,
    remove_mean,
    zigzag_order,
)


def test_mean_of_observed_values_is_removed():
    patches = np.array([[1.0, 2.0, 99.0], [4.0, 5.0, 6.0], [7.0, 7.0, 7.0]])
    mask = np.array([[False, False, True], [False] * 3, [True] * 3])
    centred, means = remove_mean(patches, mask)
    assert centred.tolist() == [[-0.5, 0.5, 0.0], [-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert means.ravel().tolist() == [1.5, 5.0, 0.0]
    unmasked, _ = remove_mean(patches)
    assert np.allclose(unmasked.mean(axis=1), 0)


def test_standardization_agrees_with_scikit_learn_and_inverts():
    patches = np.random.default_rng(0).normal(5, 3, (50, 7))
    patches[:, 3] = 2.0
    standardization = Standardization.of(patches)
    standardized = standardization.apply(patches)
    assert np.allclose(standardized, StandardScaler().fit_transform(patches))
    assert np.allclose(standardization.invert(standardized), patches)


def test_zigzag_starts_as_in_jpeg():
    assert zigzag_order((8, 8))[:10].tolist() == [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]
    assert sorted(zigzag_order((3, 5)).tolist()) == list(range(15))


@pytest.mark.parametrize("shape", [(8, 8), (4, 6)])
def test_cosine_basis_is_the_orthonormal_transform(shape):
    patch = np.random.default_rng(1).random(shape)
    basis = cosine_basis(shape)
    assert np.allclose(basis @ basis.T, np.eye(len(basis)))
    expected = dctn(patch, norm="ortho").ravel()[zigzag_order(shape)]
    assert np.allclose(basis @ patch.ravel(), expected)
    assert np.array_equal(cosine_basis(shape, 5), basis[:5])


@pytest.mark.parametrize("n_coefs", [0, 65])
def test_impossible_number_of_coefficients_is_refused(n_coefs):
    with pytest.raises(ValueError, match="between 1 and 64"):
        cosine_basis((8, 8), n_coefs)


def test_cosine_features_are_coefficients_without_the_mean():
    rng = np.random.default_rng(0)
    patches = rng.random((7, 6, 5))
    features = cosine_features(patches)
    assert np.allclose(features[:, 0], 0)
    rebuilt = (features @ cosine_basis((6, 5))).reshape(patches.shape)
    assert np.allclose(rebuilt, patches - patches.mean(axis=(1, 2), keepdims=True))
    assert np.allclose(cosine_features(patches, 9), features[:, :9])


def test_cosine_features_of_channels_and_of_masked_patches():
    rng = np.random.default_rng(0)
    patches = rng.random((4, 6, 6, 3))
    features = cosine_features(patches, 10)
    assert features.shape == (4, 30)
    centred = patches - patches.mean(axis=(1, 2, 3), keepdims=True)
    for channel in range(3):
        alone = centred[..., channel].reshape(4, -1) @ cosine_basis((6, 6), 10).T
        assert np.allclose(features[:, channel::3], alone)
    mask = rng.random((4, 6, 6)) < 0.3
    spoilt = np.where(mask[..., None], np.nan, patches)
    means = np.nanmean(spoilt, axis=(1, 2, 3), keepdims=True)
    assert np.allclose(
        cosine_features(spoilt, 10, mask), cosine_features(np.where(mask[..., None], means, patches), 10)
    )
