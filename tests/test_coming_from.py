"""Both cells of each row of docs/coming_from.md, run and compared, and each of its conventions."""

import re
import warnings
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import sklearn.decomposition as sk
from sklearn.feature_extraction.image import extract_patches_2d, reconstruct_from_patches_2d
from sklearn.linear_model import Lasso, orthogonal_mp

from sparsight import (
    KSVD,
    BPDNDictionary,
    OnlineDictionary,
    coding,
    cosine_dictionary,
    features,
    patches,
)
from sparsight.coding import lasso, orthogonal_matching_pursuit, reference, sparse_group

PAGE = (Path(__file__).parent.parent / "docs" / "coming_from.md").read_text(encoding="utf-8")

n_patches, P, M, k, a = 60, 20, 40, 4, 0.2
rng = np.random.default_rng(0)
D = rng.standard_normal((M, P))
D /= np.linalg.norm(D, axis=1, keepdims=True)


def mixtures(n):
    return np.where(rng.random((n, M)) < 0.1, rng.standard_normal((n, M)), 0) @ D


X = mixtures(n_patches) + 0.05 * rng.standard_normal((n_patches, P))
missing = rng.random(X.shape) < 0.3
many = mixtures(1500)
start = D + 0.1 * rng.standard_normal(D.shape)
start /= np.linalg.norm(start, axis=1, keepdims=True)
image = rng.random((18, 25))
weights = rng.uniform(0.5, 2, M)

# --- What the names on the page stand for ------------------------------------------------------------------------

OURS = dict(
    KSVD=KSVD,
    BPDNDictionary=BPDNDictionary,
    OnlineDictionary=OnlineDictionary,
    OrthogonalMatchingPursuitCoder=coding.OrthogonalMatchingPursuitCoder,
    LassoCoder=coding.LassoCoder,
    PatchGrid=patches.PatchGrid,
    cosine_dictionary=cosine_dictionary,
    features=features,
    lasso=lasso,
    orthogonal_matching_pursuit=orthogonal_matching_pursuit,
    reference=reference,
    sparse_group=sparse_group,
)
SIZES = dict(P=P, M=M, k=k, a=a, t=0.3)


def columns(rows):
    return np.asfortranarray(rows.T)


def peer(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(module)


def scikit_learn():
    theirs = dict(vars(sk), Lasso=Lasso, orthogonal_mp=orthogonal_mp)
    theirs |= dict(
        extract_patches_2d=extract_patches_2d, reconstruct_from_patches_2d=reconstruct_from_patches_2d
    )
    values = dict(X=X, D=D, s=X[0], image=image, h=4, w=5, patches=rng.random((15 * 21, 4, 5)))
    return theirs, OURS, values


def spm_image():
    theirs = vars(peer("spmimage.decomposition")) | vars(peer("spmimage.feature_extraction.image"))
    values = dict(X=X, D=D, v=0, p=6, mask=(~missing).astype(int), n=10)
    values |= dict(image=image[:, :24], h=6, w=4, tiles=rng.random((18, 6, 4)))
    return theirs, OURS | dict(patches=patches), values


def spams():
    values = dict(
        X=columns(X), D=columns(D), B=columns(~missing), g=np.repeat([1, 2, 3, 4], 10).astype(np.int32)
    )
    values |= dict(W=np.asfortranarray(np.tile(weights[:, None], n_patches)), b=0.05)
    values |= dict(W0=np.zeros((M, n_patches), order="F"))
    return dict(spams=peer("spams")), OURS, values


def sporco():
    theirs = vars(peer("sporco.admm.bpdn")) | vars(peer("sporco.dictlrn.bpdndl"))
    return theirs, OURS, dict(S=X.T, D=D.T, w=weights)


LIBRARIES = {"scikit-learn": scikit_learn, "spm-image": spm_image, "SPAMS": spams, "SPORCO": sporco}

# --- What is to hold between the two sides -----------------------------------------------------------------------

CHECKS = {}


def holds_for(there, **values):
    """Register what is to hold for a row, if not equality, and other values of the names in it."""

    def register(check):
        CHECKS[there] = check, values
        return check

    return register


def equal(theirs, ours, tolerance=1e-4):
    assert ours == pytest.approx(theirs, abs=tolerance)


def unit_rows(atoms):
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


def squared_error(codes, mask=None):
    rest = X - codes @ D
    return np.square(rest if mask is None else np.where(mask, 0, rest)).sum()


def lasso_objective(codes, atoms=D, some=X, group_penalty=0.0):
    groups = np.linalg.norm(codes.reshape(len(codes), 4, -1), axis=2)
    return np.square(some - codes @ atoms).sum() / 2 + a * np.abs(codes).sum() + group_penalty * groups.sum()


def learned_objective(atoms):
    atoms = unit_rows(atoms)
    return lasso_objective(lasso(many, atoms, penalty=a).codes, atoms, many)


def learned_error(atoms, some=many, mask=None):
    result = orthogonal_matching_pursuit(some, atoms, mask=mask, n_nonzero_coefs=k)
    return np.square(result.residual_norm).sum()


@holds_for("orthogonal_mp(D.T, X.T, tol=t)")
def equal_but_for_small_patches(theirs, ours):
    small = np.square(X).sum(axis=1) <= 0.3
    equal(theirs[:, ~small], ours[:, ~small])
    assert not ours[:, small].any()
    assert (np.count_nonzero(theirs[:, small], axis=0) == 1).all()


@holds_for('sparse_encode(X, D, algorithm="lasso_cd", alpha=a)')
def at_least_as_close_to_the_minimum(theirs, ours):
    assert lasso_objective(ours) <= lasso_objective(theirs) * (1 + 1e-9)
    equal(theirs, ours, 0.02)


@holds_for("Lasso(alpha=a, fit_intercept=False).fit(D.T, s).coef_", a=0.01)
@holds_for("Lasso(alpha=a, fit_intercept=False, positive=True).fit(D.T, s).coef_", a=0.01)
def equal_to_their_tolerance(theirs, ours):
    assert np.count_nonzero(ours) > 3
    equal(theirs, ours, 2e-3)


few = many[:200]


@holds_for("DictionaryLearning(M, alpha=a, max_iter=n, dict_init=D).fit(X).components_", X=few, D=start, n=8)
@holds_for(
    "MiniBatchDictionaryLearning(M, alpha=a, batch_size=b, max_iter=n, dict_init=D).fit(X).components_",
    X=many,
    D=start,
    n=2,
    b=100,
)
def as_low_an_objective(theirs, ours):
    assert np.linalg.norm(theirs, axis=1).max() <= 1 + 1e-9
    assert np.linalg.norm(ours, axis=1) == pytest.approx(1)
    assert learned_objective(ours) <= 1.02 * learned_objective(theirs)


K_SVD = "KSVD(M, transform_n_nonzero_coefs=k, max_iter=n, {}dict_init=D).fit(X).components_"


@holds_for(K_SVD.format(""))
@holds_for(K_SVD.format('method="approximate", '))
def as_low_an_error_of_k_svd(theirs, ours):
    assert np.linalg.norm(theirs, axis=1) == pytest.approx(1)
    assert learned_error(ours, X) < 1.1 * learned_error(theirs, X)


@holds_for(K_SVD.format("missing_value=v, "), X=np.where(missing, 0, X))
def lower_error_of_observed_values(theirs, ours):
    assert learned_error(ours, X, missing) < learned_error(theirs, X, missing)


@holds_for('sparse_encode_with_mask(X, D, mask, algorithm="omp", n_nonzero_coefs=k)')
def closer_codes(theirs, ours):
    assert squared_error(ours, missing) < squared_error(theirs, missing)


@holds_for("spams.ompMask(X, D, B, L=k)")
def closer_codes_in_columns(theirs, ours):
    closer_codes(theirs.T, ours.T)


@holds_for("generate_dct_dictionary(p**2, p)")
@holds_for("generate_dct_dictionary(M, p)", M=20)
def equal_but_for_their_norm(theirs, ours):
    equal(unit_rows(theirs), ours, 1e-9)


@holds_for(
    'spams.fistaFlat(X, D, W0, loss="square", regul="sparse-group-lasso-l2", lambda1=b, lambda2=a, groups=g)'
)
def at_least_as_close_to_the_minimum_with_groups(theirs, ours):
    objectives = [lasso_objective(codes.T, group_penalty=0.05) for codes in (theirs, ours)]
    assert objectives[1] <= objectives[0] * (1 + 1e-9)
    equal(theirs, ours, 0.01)


@holds_for(
    "spams.trainDL(X, K=M, D=D, lambda1=k, mode=3, iter=n, batchsize=b)",
    X=columns(many),
    D=columns(start),
    n=150,
    b=100,
)
def as_low_an_error_of_learning(theirs, ours):
    assert learned_error(ours.T) < 1.1 * learned_error(theirs.T)


@holds_for(
    "spams.trainDL(X, K=M, D=D, lambda1=a, mode=2, iter=n, batchsize=b)",
    X=columns(many),
    D=columns(start),
    n=150,
    b=100,
)
def as_low_an_objective_in_columns(theirs, ours):
    as_low_an_objective(theirs.T, ours.T)


@holds_for(
    'BPDNDictLearn(D, S, a, BPDNDictLearn.Options({"MaxMainIter": n})).solve()', S=few.T, D=start.T, n=200
)
def as_low_an_objective_with_atoms_of_norm_1(theirs, ours):
    assert np.linalg.norm(theirs, axis=0) == pytest.approx(1, abs=1e-6)
    as_low_an_objective_in_columns(theirs, ours)


@holds_for("BPDN(D, S, a).solve()")
@holds_for('BPDN(D, S, a, BPDN.Options({"NonNegCoef": True})).solve()')
def equal_to_the_tolerance_of_sporco(theirs, ours):
    equal(theirs, ours, 0.02)


@holds_for('BPDN(D, S, a, BPDN.Options({"L1Weight": w[:, None]})).solve()')
def a_little_closer_to_the_minimum_with_weights(theirs, ours):
    objectives = [
        np.square(X.T - D.T @ codes).sum() / 2 + a * np.abs(weights[:, None] * codes).sum()
        for codes in (theirs, ours)
    ]
    assert objectives[1] <= objectives[0] * (1 + 1e-9)
    assert objectives[1] == pytest.approx(objectives[0], rel=0.01)


@holds_for(
    'BPDN(D, S, a, BPDN.Options({"RelaxParam": r, "RelStopTol": t, "MaxMainIter": n})).solve()',
    r=1.5,
    t=1e-8,
    n=5000,
)
def equal_to_six_digits(theirs, ours):
    equal(theirs, ours, 1e-6)


# --- The rows ----------------------------------------------------------------------------------------------------

ROWS = [
    (section.splitlines()[0], *cells)
    for section in PAGE.split("\n## ")[2:]
    for cells in re.findall(r"^\| `(.+?)` \| `(.+?)` \|", section, re.MULTILINE)
]


def dense(result):
    return result.toarray() if hasattr(result, "toarray") else np.asarray(result)


@pytest.mark.parametrize(("library", "there", "here"), ROWS)
def test_row(library, there, here):
    theirs, ours, values = LIBRARIES[library]()
    check, other_values = CHECKS.get(there, (equal, {}))
    values = SIZES | values | other_values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the other side deprecates or does not reach
        expected = dense(eval(there, dict(theirs), deepcopy(values)))
    given = deepcopy(values)
    found = dense(eval(here, dict(ours), given))
    assert all(np.array_equal(given[name], value) for name, value in values.items()), "an input was modified"
    assert expected.any()
    check(expected, found)


def test_every_row_of_every_table_is_run():
    assert len(ROWS) == sum(
        len(re.findall(r"^\| `", section, re.MULTILINE)) for section in PAGE.split("\n## ")[2:]
    )
    assert {library for library, *_ in ROWS} == set(LIBRARIES)
    assert set(CHECKS) <= {there for _, there, _ in ROWS}


# --- The conventions ---------------------------------------------------------------------------------------------

unequal = X, D * rng.uniform(0.2, 5, (M, 1))  # atoms of all norms


def convention_patches_atoms_and_codes_are():
    for codes in (coding.lasso(X, D, penalty=a).codes, sk.sparse_encode(X, D, alpha=a)):
        assert codes.shape == (n_patches, M)
    encode = peer("spmimage.decomposition").sparse_encode_with_mask
    assert encode(X, D, np.ones(X.shape, int), algorithm="omp", n_nonzero_coefs=k).shape == (n_patches, M)
    omp = peer("spams").omp
    assert omp(columns(X), columns(D), L=k).shape == (M, n_patches)
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        omp(np.ascontiguousarray(X.T), np.ascontiguousarray(D.T), L=k)
    assert peer("sporco.admm.bpdn").BPDN(D.T, X.T, a).solve().shape == (M, n_patches)


def convention_lambda_weighs_against():
    """A single atom of norm 1: the code is the correlation less λ; in `Lasso` less P λ."""
    atom, patch = D[:1], 2 * D[:1]
    assert lasso(patch, atom, penalty=a).codes == pytest.approx(2 - a)
    assert sk.sparse_encode(patch, atom, algorithm="lasso_lars", alpha=a) == pytest.approx(2 - a)
    model = Lasso(alpha=a / P, fit_intercept=False).fit(atom.T, patch[0])
    assert model.coef_ == pytest.approx(2 - a)
    theirs = peer("spams").lasso(columns(patch), columns(atom), lambda1=a, mode=2)
    assert theirs.toarray() == pytest.approx(2 - a)
    options = {"RelStopTol": 1e-8, "MaxMainIter": 1000}
    bpdn = peer("sporco.admm.bpdn").BPDN
    assert bpdn(atom.T, patch.T, a, bpdn.Options(options)).solve() == pytest.approx(2 - a, abs=1e-5)


def convention_atoms_given_to_a_pursuit_have_norm():
    """With atoms of other norms the others choose other atoms."""
    _, atoms = unequal
    norms = np.linalg.norm(atoms, axis=1)
    with_unit_atoms = orthogonal_matching_pursuit(X, D, n_nonzero_coefs=k).codes
    assert orthogonal_matching_pursuit(X, atoms, n_nonzero_coefs=k).codes * norms == pytest.approx(
        with_unit_atoms
    )
    mask = np.ones(X.shape, int)
    encode = peer("spmimage.decomposition").sparse_encode_with_mask
    for theirs in (
        sk.sparse_encode(X, atoms, algorithm="omp", n_nonzero_coefs=k),
        encode(X, atoms, mask, algorithm="omp", n_nonzero_coefs=k),
        peer("spams").omp(columns(X), columns(atoms), L=k).toarray().T,
    ):
        assert (((theirs * norms) != 0) != (with_unit_atoms != 0)).any(axis=1).mean() > 0.5


def convention_learned_atoms_have_norm():
    """Those of spm-image and SPORCO: with their rows."""
    theirs = sk.MiniBatchDictionaryLearning(M, alpha=3.0, max_iter=1, random_state=0).fit(many).components_
    assert 0 < np.linalg.norm(theirs, axis=1).min() < 0.999
    assert np.linalg.norm(theirs, axis=1).max() <= 1 + 1e-9
    ours = OnlineDictionary(M, penalty=3.0, max_iter=1, random_state=0).fit(many).components_
    assert np.linalg.norm(ours, axis=1) == pytest.approx(1)
    settings = dict(lambda1=3.0, mode=2, iter=20, batchsize=100)
    theirs = peer("spams").trainDL(columns(many), K=M, D=columns(start), **settings)
    assert np.linalg.norm(theirs, axis=0).max() <= 1 + 1e-9


def convention_a_mask_is():
    """What lies under the mask does not matter, whatever it is."""
    spoilt = np.where(missing, 9.0, X)
    ours = [orthogonal_matching_pursuit(x, D, n_nonzero_coefs=k, mask=missing).codes for x in (X, spoilt)]
    equal(*ours)
    encode, mask = peer("spmimage.decomposition").sparse_encode_with_mask, (~missing).astype(int)
    equal(*(encode(x * mask, D, mask, algorithm="omp", n_nonzero_coefs=k) for x in (X, spoilt)))
    theirs = [
        peer("spams").ompMask(columns(x), columns(D), columns(~missing), L=k).toarray() for x in (X, spoilt)
    ]
    equal(*theirs)


def convention_tolerance_of_a_pursuit():
    t = 0.3
    for codes in (
        orthogonal_matching_pursuit(X, D, tolerance=t).codes,
        orthogonal_mp(D.T, X.T, tol=t).T,
        peer("spams").omp(columns(X), columns(D), eps=t).toarray().T,
    ):
        errors = np.square(X - codes @ D).sum(axis=1)
        assert errors.max() <= t
        assert errors.max() > 0.5 * t  # and not much below: t is not the norm


def convention_codes_of_float32_are():
    x, d = X.astype(np.float32), D.astype(np.float32)
    assert lasso(x, d, penalty=a).codes.dtype == np.float32
    assert sk.sparse_encode(x, d, algorithm="omp", n_nonzero_coefs=k).dtype == np.float32
    encode = peer("spmimage.decomposition").sparse_encode_with_mask
    mask = np.ones(x.shape, int)
    assert encode(x, d, mask, algorithm="omp", n_nonzero_coefs=k).dtype == np.float64
    assert peer("spams").omp(columns(x), columns(d), L=k).dtype == np.float32
    assert peer("sporco.admm.bpdn").BPDN(d.T, x.T, a).solve().dtype == np.float32


CONVENTIONS = re.findall(r"^\| ([^`|]+?) \|", PAGE.split("\n## ")[1], re.MULTILINE)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_convention(convention):
    check = globals()["convention_" + convention.replace("λ", "lambda").replace(",", "").replace(" ", "_")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check()


def test_every_convention_is_on_the_page():
    assert len(CONVENTIONS) == sum(name.startswith("convention_") for name in globals()) == 7
