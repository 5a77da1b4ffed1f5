import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsight.coding import (
    LassoCoder,
    OrthogonalMatchingPursuitCoder,
    OutlierCoder,
    SparseGroupCoder,
    orthogonal_matching_pursuit,
)
from sparsight.errors import SparsightError


@parametrize_with_checks([OrthogonalMatchingPursuitCoder(), LassoCoder(), SparseGroupCoder(), OutlierCoder()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_same_codes_as_the_function(sparse_problem):
    patches, dictionary, mask = sparse_problem
    coder = OrthogonalMatchingPursuitCoder(dictionary, n_nonzero_coefs=4).fit(patches)
    expected = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=4, mask=mask)
    np.testing.assert_array_equal(coder.transform(patches, mask=mask), expected.codes)
    hidden = np.where(mask, np.nan, patches)
    np.testing.assert_array_equal(coder.fit_transform(hidden, mask=mask), expected.codes)
    assert len(coder.get_feature_names_out()) == 50


@pytest.mark.parametrize("output", ["dense", "sparse"])
def test_codes_stand_for_patches(rng, output):
    patches = rng.standard_normal((10, 8))
    coder = OrthogonalMatchingPursuitCoder(n_nonzero_coefs=8, output=output).fit(patches)
    codes = coder.transform(patches)
    np.testing.assert_allclose(coder.inverse_transform(codes), patches, atol=1e-12)


def test_a_dictionary_of_another_patch_size_is_refused(sparse_problem):
    patches, dictionary, _ = sparse_problem
    with pytest.raises(SparsightError, match="dictionary's size"):
        OrthogonalMatchingPursuitCoder(dictionary).fit(patches[:, :10])
