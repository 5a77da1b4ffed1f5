"""Anchored regression: each cell is corrected by the linear map of the anchor that it resembles most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparsight.restoration.cells import BLOCK_CELLS, WINDOW_CELLS, padded

if TYPE_CHECKING:
    from sparsight._kernels import AnchoredStage


@dataclass(frozen=True, eq=False)
class AnchoredRegression:
    r"""One stage that improves an estimate of the high-resolution image.

    The window *w* around a cell is described by :math:`f = P^T w`, matched with the atom
    :math:`a = \arg\max_k |d_k^T f|` of a dictionary of unit-norm anchors, and corrected by
    :math:`R_a^T f`; the corrections of overlapping blocks are added. As *f* enters linearly, its sign
    needs no regression of its own.

    Parameters
    ----------
    scale : int
        Edge of a cell in high-resolution pixels.
    projection : float32 array of shape (window pixels, n_features)
        P; its columns sum to zero, so that brightness plays no part.
    anchors : float32 array of shape (n_anchors, n_features)
        The dictionary.
    regressors : float32 array of shape (n_anchors, n_features, block pixels)
        The regressions, already divided by the number of blocks that cover a pixel.

    References
    ----------
    R. Timofte, V. De Smet, L. Van Gool, "A+: Adjusted anchored neighborhood regression for fast
    super-resolution", ACCV 2014.
    """

    scale: int
    projection: NDArray[np.float32]
    anchors: NDArray[np.float32]
    regressors: NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_kernel", self._compile())

    def refine(self, estimate: NDArray[np.float32], n_threads: int) -> NDArray[np.float32]:
        """Return the corrected estimate, of shape (H, W): multiples of the scale."""
        # A ring of cells outside the image is corrected too, so that every pixel has its full share.
        source = padded(estimate, (WINDOW_CELLS - 1) // 2 * self.scale + self.scale)
        margin = (BLOCK_CELLS - 1) // 2 * self.scale + self.scale
        output = padded(estimate, margin)
        kernel: AnchoredStage = object.__getattribute__(self, "_kernel")
        kernel.correct(source, output, n_threads)
        return np.ascontiguousarray(output[margin:-margin, margin:-margin])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays to store: regressors as 8-bit integers with a scale for each feature of each anchor."""
        peak = np.abs(self.regressors).max(axis=2, keepdims=True).astype(np.float16).astype(np.float32)
        peak = np.maximum(peak, np.finfo(np.float16).tiny)
        return {
            "projection": self.projection,
            "anchors": self.anchors.astype(np.float16),
            "regressors": np.clip(np.rint(self.regressors / peak * 127), -127, 127).astype(np.int8),
            "regressor_peaks": peak[:, :, 0].astype(np.float16),
        }

    @classmethod
    def from_arrays(cls, scale: int, arrays: dict[str, NDArray[Any]]) -> AnchoredRegression:
        """Inverse of `to_arrays`."""
        steps = arrays["regressor_peaks"].astype(np.float32)[:, :, None] / 127
        return cls(
            scale,
            np.ascontiguousarray(arrays["projection"], dtype=np.float32),
            np.ascontiguousarray(arrays["anchors"], dtype=np.float32),
            np.asarray(arrays["regressors"] * steps, dtype=np.float32),
        )

    def _compile(self) -> AnchoredStage:
        from sparsight._kernels import AnchoredStage

        return AnchoredStage(
            self.projection, self.anchors, self.regressors, cell=self.scale, scale=self.scale, n_nearest=1
        )
