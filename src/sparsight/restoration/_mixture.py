"""A Gaussian mixture over image patches: the prior of structured restoration, trained once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsight._checks import check_integer
from sparsight.errors import ParameterError
from sparsight.images import as_image
from sparsight.models import load_model, save_model

from ._planes import to_planes

KIND = "patch-mixture"
PATCH = 8
SIZE = PATCH * PATCH
_FLOOR = 0.1  # variance added to every pixel, in units of an image whose white is 255
_FLATTEST = 2.0  # patches of a smaller standard deviation teach nothing

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class GaussianMixturePrior:
    r"""What patches of images look like: a mixture of zero-mean Gaussians on 8×8 patches less their mean.

    .. math:: p(x) = \sum_k w_k \, \mathcal N(x; 0, \Sigma_k)

    A patch takes the Gaussian that explains it best; its covariance is an orthogonal basis with a variance
    per direction, so choosing one of K bases is a structured form of sparsity (Yu, Sapiro, Mallat: Solving
    inverse problems with piecewise linear estimators, IEEE Transactions on Image Processing 21(5), 2012).
    Intensities are those of an image whose black is 0 and white 255.

    Attributes
    ----------
    covariances : float32 array of shape (n_components, 64, 64)
    weights : float32 array of shape (n_components,)
        Share of each class; they sum to one.

    Examples
    --------
    >>> from sparsight.restoration import default_prior
    >>> default_prior().covariances.shape
    (64, 64, 64)
    """

    covariances: Array
    weights: Array

    def __post_init__(self) -> None:
        shape = np.shape(self.covariances)
        if len(shape) != 3 or shape[0] == 0 or shape[1:] != (SIZE, SIZE):
            raise ParameterError(
                f"covariances must have the shape (n_components, {SIZE}, {SIZE}), got {shape}."
            )
        if np.shape(self.weights) != shape[:1]:
            raise ParameterError(f"weights must have the shape ({shape[0]},), got {np.shape(self.weights)}.")

    @classmethod
    def fit(
        cls,
        images: Sequence[ArrayLike | Any],
        *,
        n_components: int = 64,
        n_patches: int = 80_000,
        max_iter: int = 12,
        random_state: int | np.random.Generator | None = 0,
    ) -> GaussianMixturePrior:
        """Learn a prior from images of the kind to be restored, by expectation-maximisation.

        Parameters
        ----------
        images : sequence of arrays, Images or paths
            Good images; colour is turned to grey. Each serves in four sizes, mirrored and turned.
        n_components : int
            Number of classes.
        n_patches : int
            Patches to learn from.
        max_iter : int
            Iterations.
        random_state : int, Generator or None
            Fixes the choice of patches and of the first classes.
        """
        n_components = check_integer("n_components", n_components, minimum=1)
        n_patches = check_integer("n_patches", n_patches, minimum=n_components)
        rng = np.random.default_rng(random_state)
        greys = [to_planes(as_image(image)).grey() for image in images]
        patches = _training_patches(greys, n_patches, rng)
        if len(patches) < n_components:
            raise ParameterError(
                f"The images give {len(patches)} textured patches for {n_components} classes; give more images."
            )
        shares = _first_shares(patches, n_components, rng)
        for _ in range(max_iter):
            covariances, weights = _maximise(patches, shares)
            shares = _expect(patches, covariances, weights)
        covariances, weights = _maximise(patches, shares)
        return cls(covariances.astype(np.float32), weights.astype(np.float32))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the prior as a model file; covariances in half precision and only their lower triangles."""
        rows, columns = np.tril_indices(SIZE)
        roots = np.linalg.cholesky(self.covariances.astype(float))
        arrays: dict[str, NDArray[Any]] = {
            "roots": roots[:, rows, columns].astype(np.float16),
            "weights": self.weights,
        }
        save_model(path, KIND, {"patch": PATCH, "n_components": len(self.weights)}, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GaussianMixturePrior:
        """Read a prior written by `save`."""
        arrays = load_model(path, KIND).arrays
        rows, columns = np.tril_indices(SIZE)
        roots = np.zeros((len(arrays["weights"]), SIZE, SIZE), np.float32)
        roots[:, rows, columns] = arrays["roots"]
        return cls(roots @ roots.transpose(0, 2, 1), arrays["weights"])


@lru_cache(maxsize=1)
def default_prior() -> GaussianMixturePrior:
    """Return the prior that comes with the package, trained on public-domain photographs only."""
    return GaussianMixturePrior.load(Path(__file__).parent / "data" / "photographs.safetensors")


def _training_patches(greys: list[Array], n_patches: int, rng: np.random.Generator) -> Array:
    from skimage.transform import rescale

    sources = [
        grey if scale == 1 else rescale(grey, scale, anti_aliasing=True)
        for grey in greys
        for scale in (1, 0.7, 0.5, 0.35)
    ]
    sources = [source for source in sources if min(source.shape) >= PATCH]
    found = []
    for source in sources:
        windows = np.lib.stride_tricks.sliding_window_view(source, (PATCH, PATCH))
        wanted = n_patches // len(sources) + 1
        rows, columns = (rng.integers(0, extent, 4 * wanted) for extent in windows.shape[:2])
        patches = windows[rows, columns]
        patches = patches[patches.std(axis=(1, 2)) > _FLATTEST][:wanted]
        for part, (flip, turn) in zip(np.array_split(patches, 8), _SYMMETRIES, strict=True):
            found.append(np.rot90(part[:, ::flip], turn, (1, 2)))
    gathered = np.concatenate([part.reshape(-1, SIZE) for part in found]) if found else np.empty((0, SIZE))
    centred: Array = (gathered - gathered.mean(axis=1, keepdims=True)).astype(np.float32)
    return centred


_SYMMETRIES = [(flip, turn) for flip in (1, -1) for turn in range(4)]


def _first_shares(patches: Array, n_components: int, rng: np.random.Generator) -> Array:
    """Classes by direction up to sign; the flattest patches are a class of their own."""
    norms = np.linalg.norm(patches, axis=1)
    flat = norms < np.quantile(norms, 0.15)
    labels = np.zeros(len(patches), np.intp)
    if n_components > 1:
        directions = patches[~flat] / norms[~flat, None]
        centres = directions[rng.choice(len(directions), n_components - 1)]
        for _ in range(15):
            cosines = directions @ centres.T
            nearest = np.abs(cosines).argmax(axis=1)
            signs = np.sign(cosines[np.arange(len(nearest)), nearest])
            for k in range(len(centres)):
                total = (directions[nearest == k] * signs[nearest == k, None]).sum(axis=0)
                length = np.linalg.norm(total)
                centres[k] = total / length if length > 0 else directions[rng.integers(len(directions))]
        labels[~flat] = nearest + 1
    shares = np.zeros((len(patches), n_components), np.float32)
    shares[np.arange(len(patches)), labels] = 1
    return shares


def _maximise(patches: Array, shares: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    counts = shares.sum(axis=0, dtype=float)
    covariances = np.empty((shares.shape[1], SIZE, SIZE))
    for k in range(shares.shape[1]):
        own = shares[:, k] > 1e-3
        covariances[k] = (patches[own] * shares[own, k, None]).T @ patches[own] / max(counts[k], 1.0)
    return covariances + _FLOOR * np.eye(SIZE), counts / counts.sum()


def _expect(patches: Array, covariances: NDArray[np.float64], weights: NDArray[np.float64]) -> Array:
    logs = np.empty((len(patches), len(weights)), np.float32)
    for k, covariance in enumerate(covariances):
        root = np.linalg.cholesky(covariance)
        whitened = patches @ np.linalg.inv(root).T.astype(np.float32)
        constant = np.log(max(weights[k], 1e-8)) - np.log(np.diag(root)).sum()
        logs[:, k] = constant - 0.5 * np.einsum("ij,ij->i", whitened, whitened)
    logs -= logs.max(axis=1, keepdims=True)
    shares: Array = np.exp(logs)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares
