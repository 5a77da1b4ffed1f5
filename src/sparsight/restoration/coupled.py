"""Super-resolution with coupled dictionaries: interpolate, code what is seen, add what the code means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sparsight.dictionaries import CoupledDictionaries
from sparsight.restoration.cells import BLOCK_CELLS, WINDOW_CELLS, gradient_operator, padded, squares
from sparsight.restoration.degradation import Degradation
from sparsight.restoration.progress import STEPS, Progress
from sparsight.restoration.training_pairs import training_pairs

MAX_CELLS = 200_000
_FLATTEST = 0.1


class CoupledUpscaler:
    """Codes the window of every cell over one dictionary and corrects its block from the other.

    Parameters
    ----------
    scale : int
    dictionaries : CoupledDictionaries, optional
        Unfitted.
    features : {"gradients", "pixels"}
    """

    def __init__(self, scale: int, dictionaries: CoupledDictionaries | None, features: str) -> None:
        self.scale = scale
        self.features = features
        self.dictionaries: CoupledDictionaries = clone(dictionaries or CoupledDictionaries())

    @property
    def reach(self) -> int:
        """How many low-resolution pixels away an input can influence an output."""
        return (WINDOW_CELLS + BLOCK_CELLS) // 2 - 1

    def fit(
        self,
        images: Sequence[NDArray[np.float32]],
        degradation: Degradation,
        random_state: np.random.RandomState,
        n_threads: int,
        progress: Progress | None,
    ) -> CoupledUpscaler:
        """Learn both dictionaries from high-resolution images with intensities from 0 to 1."""
        pairs = training_pairs(images, self.scale, degradation, 1, random_state)
        n_cells = sum(pair.truth.size // self.scale**2 for pair in pairs)
        share = min(1.0, MAX_CELLS / n_cells)
        low, high = [], []
        for pair in pairs:
            windows = squares(pair.estimate, self.scale, WINDOW_CELLS)
            blocks = squares(pair.truth - pair.estimate, self.scale, BLOCK_CELLS)
            chosen = random_state.rand(*windows.shape[:2]) < share
            low.append(self._described(windows[chosen]))
            high.append(blocks[chosen].reshape(-1, (BLOCK_CELLS * self.scale) ** 2))
        described, missing = np.concatenate(low), np.concatenate(high)
        length = np.linalg.norm(described, axis=1)
        steep = length > np.quantile(length, _FLATTEST)
        self.dictionaries.set_params(n_threads=n_threads, random_state=random_state, progress=progress)
        self.dictionaries.fit(described[steep], missing[steep])
        self.dictionaries.set_params(random_state=0, progress=None)
        if progress is not None:
            progress(STEPS, STEPS, "dictionaries")
        return self

    def refine(
        self, estimate: NDArray[np.float32], n_stages: int | None, n_threads: int
    ) -> NDArray[np.float32]:
        """Add to an interpolated image what its codes tell is missing; there is but one stage."""
        del n_stages
        self.dictionaries.set_params(n_threads=n_threads)
        scale, block = self.scale, BLOCK_CELLS * self.scale
        # A ring of cells outside the image is corrected too, so that every pixel has its full share.
        windows = squares(padded(estimate, scale), scale, WINDOW_CELLS)
        rows, columns = windows.shape[:2]
        output = padded(estimate, 2 * scale)
        for row in range(rows):
            blocks = self.dictionaries.predict(self._described(windows[row]))
            blocks = blocks.reshape(columns, block, BLOCK_CELLS, scale) / BLOCK_CELLS**2
            band = output[row * scale : row * scale + block]
            for offset in range(BLOCK_CELLS):
                shifted = blocks[:, :, offset].transpose(1, 0, 2).reshape(block, columns * scale)
                band[:, offset * scale : (offset + columns) * scale] += shifted
        return np.ascontiguousarray(output[2 * scale : -2 * scale, 2 * scale : -2 * scale])

    def to_model(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Settings and arrays to store."""
        names = ("components_", "low_dictionary_", "high_dictionary_")
        settings = {"features": self.features, "n_nonzero_coefs": self.dictionaries.n_nonzero_coefs}
        return settings, {name: getattr(self.dictionaries, name) for name in names}

    def from_model(self, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> CoupledUpscaler:
        """Restore what `to_model` gave."""
        self.features = str(settings["features"])
        self.dictionaries = CoupledDictionaries(n_nonzero_coefs=int(settings["n_nonzero_coefs"]))
        for name in ("components_", "low_dictionary_", "high_dictionary_"):
            setattr(self.dictionaries, name, arrays[name])
        return self

    def _described(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Descriptions of windows of shape (n, edge, edge)."""
        if self.features == "gradients":
            operator = gradient_operator(self.scale).astype(np.float32)
            return np.asarray(windows.reshape(len(windows), -1) @ operator.T)
        inner = windows[:, self.scale : -self.scale, self.scale : -self.scale].reshape(len(windows), -1)
        return np.asarray(inner - inner.mean(axis=1, keepdims=True))
