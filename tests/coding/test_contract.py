"""What holds of every coder alike: which arrays it takes, what it refuses, and what its results do not depend on."""

import numpy as np
import pytest

from sparsight.coding import lasso, orthogonal_matching_pursuit, outlier, sparse_group
from sparsight.errors import SparsightError

GROUPS = np.arange(50) % 6
CODERS = {
    "pursuit": (orthogonal_matching_pursuit, dict(n_nonzero_coefs=4)),
    "pursuit by error": (orthogonal_matching_pursuit, dict(tolerance=0.3)),
    "order-recursive": (orthogonal_matching_pursuit, dict(n_nonzero_coefs=4, rule="order-recursive")),
    "lasso": (lasso, dict(penalty=0.1)),
    "positive and weighted": (lasso, dict(penalty=0.1, positive=True, weights=np.linspace(0.5, 2, 50))),
    "sparse group": (sparse_group, dict(penalty=0.05, group_penalty=0.1, groups=GROUPS)),
    "outlier": (outlier, dict(penalty=0.05, outlier_penalty=0.2)),
}


@pytest.fixture(params=CODERS)
def coder(request):
    function, settings = CODERS[request.param]
    return lambda patches, dictionary, **options: function(patches, dictionary, **settings, **options)


def assert_same(found, expected):
    np.testing.assert_array_equal(found.codes, expected.codes)
    np.testing.assert_array_equal(found.residual_norm, expected.residual_norm)


def scattered(array):
    """The same values with gaps between them."""
    wide = np.zeros((2 * array.shape[0], 2 * array.shape[1]), array.dtype)
    wide[::2, ::2] = array
    return wide[::2, ::2]


@pytest.mark.parametrize(
    "stored",
    [np.asfortranarray, scattered, lambda a: a[::-1].copy()[::-1], np.ndarray.tolist],
    ids=["columns", "with gaps", "backwards", "lists"],
)
def test_how_the_arrays_are_stored_does_not_matter(sparse_problem, coder, stored):
    patches, dictionary, mask = sparse_problem
    expected = coder(patches, dictionary, mask=mask)
    assert expected.codes.any()
    assert_same(coder(stored(patches), stored(dictionary), mask=stored(mask)), expected)


def test_precision_follows_the_patches(sparse_problem, coder):
    patches, dictionary, _ = sparse_problem
    for given, computed in [("f4", "f4"), ("f8", "f8"), ("f2", "f8"), (">f8", "f8")]:
        coding = coder(patches.astype(given), dictionary)
        assert coding.codes.dtype == coding.residual_norm.dtype == computed
    assert_same(coder(patches.astype(">f8"), dictionary.astype(">f8")), coder(patches, dictionary))


@pytest.mark.parametrize("masked", [False, True])
def test_threads_neighbours_and_forms_of_output_do_not_matter(sparse_problem, coder, masked):
    patches, dictionary, mask = sparse_problem
    mask = mask if masked else None
    whole = coder(patches, dictionary, mask=mask)
    assert_same(coder(patches, dictionary, mask=mask, n_threads=3), whole)
    for rows in (slice(7, None), slice(None, None, -1), slice(20, 21), slice(0, 0)):
        part = coder(patches[rows], dictionary, mask=None if mask is None else mask[rows])
        np.testing.assert_array_equal(part.codes, whole.codes[rows])
    sparse, figures = (
        coder(patches, dictionary, mask=mask, output=form) for form in ("sparse", "reductions")
    )
    np.testing.assert_array_equal(sparse.codes.toarray(), whole.codes)
    assert figures.codes is None
    np.testing.assert_array_equal(figures.residual_norm, whole.residual_norm)
    np.testing.assert_array_equal(figures.l1_norm, whole.l1_norm)


def test_what_is_masked_does_not_matter_and_the_rest_is_coded_as_if_it_were_all(sparse_problem, coder):
    patches, dictionary, mask = sparse_problem
    expected = coder(patches, dictionary, mask=mask)
    for anything in (np.nan, np.inf, 1e300):
        assert_same(coder(np.where(mask, anything, patches), dictionary, mask=mask), expected)
    assert_same(coder(patches, dictionary, mask=np.zeros_like(mask)), coder(patches, dictionary))
    for i in range(5):
        seen = ~mask[i]
        alone = coder(patches[i : i + 1, seen], dictionary[:, seen])
        assert alone.residual_norm[0] == pytest.approx(expected.residual_norm[i], rel=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
@pytest.mark.parametrize("masked", [False, True])
def test_values_that_cannot_be_coded_are_named(sparse_problem, coder, value, masked):
    patches, dictionary, mask = sparse_problem
    mask[7, 3] = False
    patches[7, 3] = value
    with pytest.raises(SparsightError, match=r"1 of \d+ patches .* number 7"):
        coder(patches, dictionary, mask=mask if masked else None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(dictionary=np.full((50, 30), np.nan)), "dictionary has NaN"),
        (dict(dictionary=np.ones((0, 30))), "dictionary is empty"),
        (dict(dictionary=np.ones((50, 7))), "the atoms have 7"),
        (dict(patches=np.ones(30)), "reshape"),
        (dict(patches=np.ones((4, 30)) * 1j), "real numbers"),
        (dict(patches=np.full((4, 30), "a")), "real numbers"),
        (dict(mask=np.ones((4, 30), int)), "not bool"),
        (dict(mask=np.ones((3, 30), bool)), "mask has shape"),
        (dict(n_threads=0), "n_threads"),
        (dict(output="matrix"), "output must be"),
    ],
)
def test_impossible_arguments_are_explained(coder, change, message):
    arguments = dict(patches=np.ones((4, 30)), dictionary=np.eye(50, 30)) | change
    with pytest.raises(SparsightError, match=message):
        coder(**arguments)
