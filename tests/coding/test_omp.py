import numpy as np
import pytest
from sklearn.linear_model import orthogonal_mp

from sparsight.coding import orthogonal_matching_pursuit
from sparsight.coding._inputs import check_problem
from sparsight.coding.omp import _worthwhile_threads
from sparsight.errors import SparsightError

RULES = ("orthogonal", "order-recursive")


def greedy(patch, dictionary, *, n_nonzero, tolerance=-1.0, missing=None, order_recursive=False):
    """Orthogonal matching pursuit by a least-squares refit per candidate (or per step)."""
    observed = np.ones(patch.size, bool) if missing is None else ~missing
    atoms, seen = dictionary[:, observed].astype(float), patch[observed].astype(float)
    chosen: list[int] = []
    codes, residual = np.zeros(len(dictionary)), seen
    while len(chosen) < n_nonzero and residual @ residual > tolerance:
        outside = atoms.copy()
        if chosen and order_recursive:
            basis = np.linalg.qr(atoms[chosen].T)[0]
            outside -= (atoms @ basis) @ basis.T
        norms = np.linalg.norm(outside, axis=1)
        usable = norms > 1e-6 * np.maximum(np.linalg.norm(dictionary, axis=1), 1e-300)
        scores = np.where(usable, np.abs(atoms @ residual) / np.where(usable, norms, 1), 0)
        scores[chosen] = 0
        best = int(np.argmax(scores))
        if scores[best] <= 1e-12 * np.linalg.norm(seen):
            break
        chosen.append(best)
        solution = np.linalg.lstsq(atoms[chosen].T, seen)[0]
        residual = seen - solution @ atoms[chosen]
        codes[:] = 0
        codes[chosen] = solution
    return codes


def test_same_codes_as_scikit_learn(sparse_problem):
    patches, dictionary, _ = sparse_problem
    coding = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=5)
    expected = orthogonal_mp(dictionary.T, patches.T, n_nonzero_coefs=5).T
    np.testing.assert_allclose(coding.codes, expected, atol=1e-10)


def test_same_codes_as_scikit_learn_by_tolerance(sparse_problem):
    patches, dictionary, _ = sparse_problem
    coding = orthogonal_matching_pursuit(patches, dictionary, tolerance=0.05)
    expected = orthogonal_mp(dictionary.T, patches.T, tol=0.05).T
    np.testing.assert_allclose(coding.codes, expected, atol=1e-10)
    assert np.all(coding.residual_norm**2 <= 0.05)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "bounds", [{"n_nonzero_coefs": 4}, {"tolerance": 0.1}, {"n_nonzero_coefs": 3, "tolerance": 0.5}]
)
def test_same_codes_as_plain_least_squares(sparse_problem, rule, masked, bounds):
    patches, dictionary, mask = sparse_problem
    mask = mask if masked else None
    coding = orthogonal_matching_pursuit(patches, dictionary, mask=mask, rule=rule, **bounds)
    for i, patch in enumerate(patches):
        expected = greedy(
            patch,
            dictionary,
            n_nonzero=bounds.get("n_nonzero_coefs", 20),
            tolerance=bounds.get("tolerance", -1.0),
            missing=mask[i] if masked else None,
            order_recursive=rule == "order-recursive",
        )
        np.testing.assert_allclose(coding.codes[i], expected, atol=1e-9)


@pytest.mark.parametrize("masked", [False, True])
def test_figures_describe_the_codes(sparse_problem, masked):
    patches, dictionary, mask = sparse_problem
    groups = np.arange(50) % 3
    mask = mask if masked else np.zeros_like(mask)
    coding = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=4, mask=mask, groups=groups)
    residual = np.where(mask, 0, patches - coding.codes @ dictionary)
    np.testing.assert_allclose(coding.residual_norm, np.linalg.norm(residual, axis=1), rtol=1e-10)
    np.testing.assert_allclose(coding.l1_norm, np.abs(coding.codes).sum(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(coding.n_nonzero, (coding.codes != 0).sum(axis=1))
    for g in range(3):
        expected = np.linalg.norm(coding.codes[:, groups == g], axis=1)
        np.testing.assert_allclose(coding.group_norms[:, g], expected, rtol=1e-12)


@pytest.mark.parametrize("masked", [False, True])
def test_forms_of_output_agree(sparse_problem, masked):
    patches, dictionary, mask = sparse_problem
    mask[::3] = False  # complete and incomplete patches in one call
    arguments = {"n_nonzero_coefs": 4, "mask": mask if masked else None}
    dense = orthogonal_matching_pursuit(patches, dictionary, output="dense", **arguments)
    sparse = orthogonal_matching_pursuit(patches, dictionary, output="sparse", **arguments)
    figures = orthogonal_matching_pursuit(patches, dictionary, output="reductions", **arguments)
    np.testing.assert_array_equal(sparse.codes.toarray(), dense.codes)
    assert sparse.codes.has_canonical_format
    assert figures.codes is None
    np.testing.assert_array_equal(figures.residual_norm, dense.residual_norm)
    np.testing.assert_array_equal(sparse.l1_norm, dense.l1_norm)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("masked", [False, True])
def test_independent_of_threads_and_neighbours(sparse_problem, dtype, rule, masked):
    patches, dictionary, mask = sparse_problem
    patches, dictionary = patches.astype(dtype), dictionary.astype(dtype)
    mask[::5] = False

    def code(rows, n_threads=1):
        return orthogonal_matching_pursuit(
            patches[rows],
            dictionary,
            n_nonzero_coefs=6,
            tolerance=0.01,
            mask=mask[rows] if masked else None,
            rule=rule,
            n_threads=n_threads,
        )

    whole = code(slice(None))
    assert whole.codes.dtype == whole.residual_norm.dtype == dtype
    np.testing.assert_array_equal(code(slice(None), n_threads=3).codes, whole.codes)
    for rows in (slice(7, None), slice(None, None, -1), slice(20, 21)):
        part = code(rows)
        np.testing.assert_array_equal(part.codes, whole.codes[rows])
        np.testing.assert_array_equal(part.residual_norm, whole.residual_norm[rows])


@pytest.mark.parametrize("masked", [False, True])
def test_float32_explains_as_much_as_float64(sparse_problem, masked):
    patches, dictionary, mask = sparse_problem
    mask = mask if masked else None
    double = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=5, mask=mask)
    single = orthogonal_matching_pursuit(patches.astype(np.float32), dictionary, n_nonzero_coefs=5, mask=mask)
    np.testing.assert_allclose(single.residual_norm, double.residual_norm, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("masked", [False, True])
def test_atoms_of_any_norm(sparse_problem, rng, rule, masked):
    patches, dictionary, mask = sparse_problem
    factors = rng.uniform(0.01, 100, 50)
    arguments = {"n_nonzero_coefs": 4, "rule": rule, "mask": mask if masked else None}
    unit = orthogonal_matching_pursuit(patches, dictionary, **arguments)
    scaled = orthogonal_matching_pursuit(patches, dictionary * factors[:, None], **arguments)
    np.testing.assert_allclose(scaled.codes * factors, unit.codes, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("masked", [False, True])
def test_duplicate_and_zero_atoms_add_nothing(sparse_problem, dtype, rule, masked):
    patches, dictionary, mask = sparse_problem
    awkward = np.vstack([dictionary[:6], dictionary[:6], np.zeros((4, 20)), -dictionary[:2]])
    arguments = {"rule": rule, "mask": mask if masked else None}
    expected = orthogonal_matching_pursuit(
        patches.astype(dtype), dictionary[:6], n_nonzero_coefs=6, **arguments
    )
    coding = orthogonal_matching_pursuit(patches.astype(dtype), awkward, n_nonzero_coefs=16, **arguments)
    assert coding.n_nonzero.max() <= 6
    np.testing.assert_allclose(coding.residual_norm, expected.residual_norm, atol=200 * np.finfo(dtype).eps)
    assert np.all(coding.codes[:, 12:16] == 0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("masked", [False, True])
def test_an_exact_representation_ends_the_search(rng, rule, masked):
    dictionary = rng.standard_normal((30, 12))
    patches = 2 * dictionary[:5] - 0 * dictionary[5:10]
    mask = rng.random(patches.shape) < 0.2 if masked else None
    coding = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=12, rule=rule, mask=mask)
    np.testing.assert_array_equal(coding.n_nonzero, 1)
    np.testing.assert_allclose(coding.codes[:, :5], 2 * np.eye(5), atol=1e-12)


def test_a_tolerance_beyond_reach_of_the_running_sum_is_kept(rng):
    dictionary = rng.standard_normal((40, 16)).astype(np.float32)
    patches = rng.standard_normal((50, 16)).astype(np.float32)
    coding = orthogonal_matching_pursuit(patches, dictionary, tolerance=1e-5)
    residual = patches.astype(float) - coding.codes.astype(float) @ dictionary.astype(float)
    assert np.all((residual**2).sum(axis=1) <= 1.01e-5)


def test_masked_values_do_not_matter(sparse_problem):
    patches, dictionary, mask = sparse_problem
    clean = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=4, mask=mask)
    patches[mask] = np.nan
    dirty = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=4, mask=mask)
    np.testing.assert_array_equal(dirty.codes, clean.codes)


def test_wholly_masked_patches_have_no_code(sparse_problem):
    patches, dictionary, mask = sparse_problem
    mask[3] = True
    coding = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=4, mask=mask)
    assert coding.n_nonzero[3] == 0
    assert coding.residual_norm[3] == 0


def test_zero_patches_have_no_code(sparse_problem):
    _, dictionary, _ = sparse_problem
    coding = orthogonal_matching_pursuit(np.zeros((3, 20)), dictionary, tolerance=0)
    assert not coding.codes.any()
    assert not coding.residual_norm.any()


def test_no_patches_no_codes(sparse_problem):
    _, dictionary, _ = sparse_problem
    for output in ("dense", "sparse"):
        coding = orthogonal_matching_pursuit(np.zeros((0, 20)), dictionary, output=output)
        assert coding.codes.shape == (0, 50)


def test_non_contiguous_and_integer_inputs(sparse_problem):
    patches, dictionary, _ = sparse_problem
    wide = np.repeat(patches, 2, axis=1)[:, ::2]
    tall = np.asfortranarray(dictionary)
    for array in (wide, tall):
        array.setflags(write=False)
    plain = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=3)
    np.testing.assert_array_equal(
        orthogonal_matching_pursuit(wide, tall, n_nonzero_coefs=3).codes, plain.codes
    )
    whole = orthogonal_matching_pursuit([[1, 2], [3, 4]], [[1, 0], [0, 1]], n_nonzero_coefs=2)
    np.testing.assert_array_equal(whole.codes, [[1.0, 2.0], [3.0, 4.0]])


def test_more_atoms_wanted_than_there_are(rng):
    patches, dictionary = rng.standard_normal((9, 6)), rng.standard_normal((3, 6))
    coding = orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=100)
    expected = np.linalg.lstsq(dictionary.T, patches.T)[0].T
    np.testing.assert_allclose(coding.codes, expected, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("masked", [False, True])
def test_patches_that_are_not_finite_are_named(sparse_problem, dtype, value, masked):
    patches, dictionary, mask = sparse_problem
    patches, mask = patches.astype(dtype), mask if masked else None
    patches[17, 3] = value
    if masked:
        mask[17, 3] = False
    with pytest.raises(SparsightError, match=r"1 of 130 patches .* number 17"):
        orthogonal_matching_pursuit(patches, dictionary, mask=mask)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dictionary": np.full((50, 20), np.nan)}, "dictionary has NaN"),
        ({"dictionary": np.ones((50, 19))}, "20 values but the atoms have 19"),
        ({"dictionary": np.ones((0, 20))}, "empty"),
        ({"patches": np.ones(20)}, "one patch per row"),
        ({"patches": np.ones((3, 20), complex)}, "real numbers"),
        ({"mask": np.ones((130, 20), int)}, "not bool"),
        ({"mask": np.ones((130, 19), bool)}, "mask has shape"),
        ({"n_nonzero_coefs": 0}, "at least 1"),
        ({"tolerance": -1.0}, "at least 0"),
        ({"tolerance": np.nan}, "at least 0"),
        ({"rule": "greedy"}, "rule must be"),
        ({"output": "matrix"}, "output must be"),
        ({"groups": np.zeros(3, int)}, "groups must be 50 integers"),
        ({"groups": np.full(50, -1)}, "start at 0"),
        ({"groups": np.full(50, 1000)}, "number of groups"),
        ({"n_threads": 0}, "n_threads"),
    ],
)
def test_wrong_arguments_are_explained(sparse_problem, change, message):
    patches, dictionary, _ = sparse_problem
    arguments = {"patches": patches, "dictionary": dictionary, **change}
    with pytest.raises(SparsightError, match=message):
        orthogonal_matching_pursuit(**arguments)


def test_inputs_are_left_alone(sparse_problem):
    patches, dictionary, mask = sparse_problem
    copies = patches.copy(), dictionary.copy(), mask.copy()
    orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=4, mask=mask)
    for before, after in zip(copies, (patches, dictionary, mask), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
@pytest.mark.parametrize("shape", [(60, 24), (300, 99)])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_atoms_chosen_in_single_precision_are_those_of_double_precision(rule, scale, shape, missing):
    rng = np.random.default_rng(5)
    dictionary = rng.standard_normal(shape)
    patches = rng.standard_normal((300, shape[1])) * scale
    patches[0] = 0
    mask = rng.random(patches.shape) < missing if missing else None
    options = {"n_nonzero_coefs": 6, "rule": rule, "mask": mask}
    # A tolerance that is never met keeps the whole pursuit in double precision.
    by_number = orthogonal_matching_pursuit(patches, dictionary, **options)
    by_both = orthogonal_matching_pursuit(patches, dictionary, tolerance=0.0, **options)
    assert np.array_equal(by_number.codes != 0, by_both.codes != 0)
    np.testing.assert_allclose(by_number.codes, by_both.codes, rtol=1e-9, atol=1e-12 * scale)
    np.testing.assert_allclose(by_number.residual_norm, by_both.residual_norm, rtol=1e-9)


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("n_nonzero", [2, 12])
def test_exactly_sparse_patches_are_coded_to_double_precision(missing, n_nonzero):
    rng = np.random.default_rng(6)
    dictionary = rng.standard_normal((40, 24))
    codes = np.zeros((200, 40))
    for row in codes:
        row[rng.choice(40, 2, replace=False)] = rng.uniform(0.5, 1, 2)
    patches = codes @ dictionary
    mask = rng.random(patches.shape) < missing if missing else None
    coding = orthogonal_matching_pursuit(patches, dictionary, mask=mask, n_nonzero_coefs=n_nonzero)
    assert np.median(coding.residual_norm) < 1e-13


def test_codes_of_masked_float32_patches_have_the_precision_of_their_values(rng):
    dictionary = rng.standard_normal((40, 24)).astype(np.float32)
    patches = rng.standard_normal((100, 24)).astype(np.float32)
    mask = rng.random(patches.shape) < 0.3
    coding = orthogonal_matching_pursuit(patches, dictionary, mask=mask, n_nonzero_coefs=10)
    for code, patch, missing in zip(coding.codes, patches, mask, strict=True):
        chosen = np.flatnonzero(code)
        seen = dictionary[chosen][:, ~missing].astype(float)
        best = np.linalg.lstsq(seen.T, patch[~missing].astype(float))[0]
        np.testing.assert_allclose(code[chosen], best, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_nearly_dependent_atoms_are_told_apart_in_double_precision(missing):
    rng = np.random.default_rng(7)
    atom = rng.standard_normal(24)
    dictionary = np.stack([atom, atom + 1e-6 * rng.standard_normal(24)])
    patches = rng.standard_normal((50, 2)) @ dictionary
    mask = rng.random(patches.shape) < missing if missing else None
    coding = orthogonal_matching_pursuit(patches, dictionary, mask=mask, n_nonzero_coefs=2)
    assert coding.residual_norm.max() < 1e-8  # one atom alone leaves about 1e-6


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_threads_that_share_out_the_gram_matrix_change_nothing(rng, dtype):
    dictionary = rng.standard_normal((333, 101)).astype(dtype)  # enough for five threads, and no whole panels
    patches = rng.standard_normal((40, 101)).astype(dtype)
    one, five = (
        orthogonal_matching_pursuit(patches, dictionary, n_nonzero_coefs=9, n_threads=n) for n in (1, 5)
    )
    np.testing.assert_array_equal(one.codes, five.codes)
    residuals = np.linalg.norm(patches - one.codes @ dictionary, axis=1)
    np.testing.assert_allclose(one.residual_norm, residuals, rtol=1e-4)


def test_small_batches_are_not_shared_out_unless_asked_for(monkeypatch):
    monkeypatch.setattr("sparsight.coding._inputs.check_threads", lambda n: 8 if n is None else n)
    dictionary = np.ones((256, 64))
    small, large = (check_problem(np.ones((n, 64)), dictionary, None) for n in (512, 50_000))
    assert _worthwhile_threads(small, None) == 1
    assert _worthwhile_threads(large, None) == 8
    assert _worthwhile_threads(small, 3) == 3
