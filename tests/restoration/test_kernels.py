"""The compiled loops of restoration against their definitions in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from sparsight import _kernels
from sparsight.restoration import default_prior
from sparsight.restoration._fill import smooth_fill
from sparsight.restoration._nonlocal import reference_patches

SIZE = 64


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:40, :50]
    image = 120 + 60 * np.sin(rows / 3 + columns / 5) + 5 * rng.standard_normal((40, 50))
    return image.astype(np.float32), (rng.random(image.shape) < 0.5).astype(np.float32)


def patches_at(image: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(image, (8, 8))
    return windows[offsets // image.shape[1], offsets % image.shape[1]].reshape(-1, SIZE).astype(float)


def test_labels_are_the_least_scores(scene):
    image, _ = scene
    offsets = np.array([r * 50 + c for r in range(0, 33, 3) for c in range(0, 43, 2)], np.int32)
    covariances = default_prior().covariances.astype(float) + 25 * np.eye(SIZE)
    roots = np.linalg.cholesky(covariances)
    whitening = np.linalg.inv(roots)
    constants = 2 * np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(1)
    x = patches_at(image, offsets)
    x -= x.mean(1, keepdims=True)
    scores = (np.einsum("kij,nj->nki", whitening, x) ** 2).sum(2) + constants
    labels = np.empty(len(offsets), np.int32)
    _kernels.label_patches(
        image, offsets, 8, whitening.astype(np.float32), constants.astype(np.float32), labels, 1
    )
    chosen = scores[np.arange(len(labels)), labels]
    np.testing.assert_allclose(chosen, scores.min(1), rtol=1e-3)


def test_restored_patches_are_the_conditional_means(scene):
    image, observed = scene
    rng = np.random.default_rng(1)
    offsets = rng.choice(33 * 43, 45, replace=False)
    offsets = np.array([o // 43 * 50 + o % 43 for o in offsets], np.int32)
    starts = np.array([0, 20, 45], np.int32)
    factors = (10 * rng.standard_normal((2, 6, SIZE))).astype(np.float32)
    diagonals = rng.uniform(0.5, 3, (2, SIZE)).astype(np.float32)
    estimates, variances = np.empty((2, 45, SIZE), np.float32)
    spreads = np.empty((2, 21), np.float32)
    _kernels.restore_patches(
        image, observed, offsets, starts, 8, factors, diagonals, 1.0, estimates, variances, spreads, 2
    )
    values, masks = patches_at(image, offsets), patches_at(observed, offsets) > 0
    total = np.zeros((2, 6, 6))
    for i, (y, seen) in enumerate(zip(values, masks, strict=True)):
        k = int(i >= 20)
        smooth = factors[k].T.astype(float) @ factors[k]
        covariance = smooth + np.diag(diagonals[k])
        inner = np.linalg.inv((covariance + np.eye(SIZE))[np.ix_(seen, seen)])
        mean = y.mean()
        np.testing.assert_allclose(
            estimates[i][~seen],
            mean + smooth[~seen][:, seen] @ inner @ (y - mean)[seen],
            rtol=2e-3,
            atol=0.05,
        )
        weights = seen / (1 + diagonals[k].astype(float))
        left = np.linalg.inv(np.eye(6) + (factors[k] * weights) @ factors[k].T)
        np.testing.assert_allclose(variances[i], diagonals[k] + np.diag(left) @ factors[k] ** 2, rtol=1e-2)
        total[k] += left
    rows, columns = np.tril_indices(6)
    doubled = np.where(rows == columns, 1, 2) * total[:, rows, columns]
    np.testing.assert_allclose(spreads, doubled, rtol=1e-2, atol=1e-3)


def test_added_patches_are_summed_where_they_lie(scene):
    image, _ = scene
    offsets = np.array([0, 3, 32 * 50 + 42], np.int32)
    values, weights = np.zeros_like(image), np.zeros_like(image)
    patches = patches_at(image, offsets).astype(np.float32)
    _kernels.add_patches(patches, np.full_like(patches, 2), offsets, 8, values, weights)
    assert weights.max() == 4
    assert weights.sum() == 2 * 3 * SIZE
    np.testing.assert_allclose(values[weights > 0] / weights[weights > 0], image[weights > 0], rtol=1e-5)


def pivoted_factors(covariance: np.ndarray, tolerance: float) -> np.ndarray:
    """Rows F of covariance = F'F, by Cholesky factorisation with the largest remaining variance as the pivot."""
    rest, rows = covariance.copy(), []
    while np.diag(rest).max() > tolerance:
        pivot = np.diag(rest).argmax()
        rows.append(rest[pivot] / np.sqrt(rest[pivot, pivot]))
        rest -= np.outer(rows[-1], rows[-1])
    return np.array(rows)


@pytest.mark.parametrize("rank", [32, 64])
def test_a_group_of_all_patches_is_conditioned_on_its_own_gaussian(scene, rank):
    image, observed = scene
    image, observed = np.ascontiguousarray(image[:12, :11]), np.ascontiguousarray(observed[:12, :11])
    observed[:8, :8] = 1
    values, weights = np.zeros_like(image), np.zeros_like(image)
    references = np.array([[2, 1]], np.int32)
    _kernels.inpaint_groups(
        image, observed, image, references, 8, 12, 99, rank, 1, 4, 0.01, 1.5, values, weights, 1
    )
    offsets = np.array([r * 11 + c for r in range(5) for c in range(4)])
    x, seen = patches_at(image, offsets), patches_at(observed, offsets) > 0
    mean = x.mean(0)
    covariance = (x - mean).T @ (x - mean) / len(x)
    factors = pivoted_factors(covariance, 0.01)
    noise = 5.0
    expected, total = np.zeros((12, 11)), np.zeros((12, 11))
    for offset, y, s in zip(offsets[1:], x[1:], seen[1:], strict=True):  # nothing is missing in the first
        inner = np.linalg.inv((covariance + noise * np.eye(SIZE))[np.ix_(s, s)])
        estimate = mean + covariance[:, s] @ inner @ (y - mean)[s]
        coefficients = np.linalg.inv(np.eye(len(factors)) + factors[:, s] @ factors[:, s].T / noise)
        weight = 1 / (np.diag(coefficients) @ factors**2 + 4 + 1.5)
        r, c = divmod(offset, 11)
        expected[r : r + 8, c : c + 8] += (weight * estimate).reshape(8, 8)
        total[r : r + 8, c : c + 8] += weight.reshape(8, 8)
    covered = total > 0
    np.testing.assert_array_equal(weights > 0, covered)
    np.testing.assert_allclose(
        values[covered] / weights[covered], expected[covered] / total[covered], atol=0.05
    )
    np.testing.assert_allclose(weights[covered], total[covered], rtol=0.01)


def test_a_group_is_denoised_by_its_wiener_filter(scene):
    pilot, _ = scene
    pilot = np.ascontiguousarray(pilot[:12, :11])
    noisy = pilot + np.random.default_rng(2).standard_normal(pilot.shape).astype(np.float32) * 5
    values, weights = np.zeros_like(pilot), np.zeros_like(pilot)
    _kernels.denoise_groups(noisy, pilot, np.array([[0, 0]], np.int32), 6, 12, 99, 25.0, values, weights, 1)
    windows = [
        np.lib.stride_tricks.sliding_window_view(a, (6, 6)).reshape(-1, 36).astype(float)
        for a in (pilot, noisy)
    ]
    mean = windows[0].mean(0)
    covariance = np.cov(windows[0].T, bias=True)
    gain = covariance @ np.linalg.inv(covariance + 25 * np.eye(36))
    expected, total = np.zeros((12, 11)), np.zeros((12, 11))
    for i, estimate in enumerate(mean + (windows[1] - mean) @ gain):
        r, c = divmod(i, 6)
        expected[r : r + 6, c : c + 6] += estimate.reshape(6, 6)
        total[r : r + 6, c : c + 6] += 1
    np.testing.assert_allclose(values / weights, expected / total, atol=0.05)
    np.testing.assert_allclose(weights, total / (1 + (gain**2).sum()), rtol=1e-3)


def test_smooth_filling_reproduces_a_plane_of_constant_slope():
    rows, columns = np.mgrid[:30, :41].astype(np.float32)
    truth = 3 * rows + 2 * columns
    missing = np.random.default_rng(0).random(truth.shape) < 0.6
    filled = smooth_fill(np.where(missing, np.nan, truth), missing)
    np.testing.assert_array_equal(filled[~missing], truth[~missing])
    assert np.abs(filled - truth)[4:-4, 4:-4].max() < 2


@pytest.mark.parametrize("shape", [(8, 8), (9, 30), (33, 20)])
def test_reference_patches_cover_every_pixel(shape):
    covered = np.zeros(shape, bool)
    for row, column in reference_patches(shape, 8, 5, (3, 2)):
        covered[row : row + 8, column : column + 8] = True
    assert covered.all()
