"""How far the universal detector sees."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

from sparsight.inspection.neighbourhoods import radius

# Standard deviation, in patches, of the neighbourhood that shares its evidence.
_SHARED_OVER = 0.75


@dataclass(frozen=True)
class Extents:
    """Distances in pixels of an image, seen at full size and at halves of it.

    Attributes
    ----------
    patch_size, stride : int
    smoothing : float
        Standard deviation of the weights with which features are averaged, in pixels of each size.
    n_levels : int
        Sizes that the image is looked at.
    """

    patch_size: int
    stride: int
    smoothing: float
    n_levels: int

    @property
    def shared_over(self) -> float:
        """Standard deviation, in positions, of the neighbourhood that shares its evidence."""
        return _SHARED_OVER * self.patch_size / self.stride

    @property
    def features(self) -> int:
        """Extent of what the features of a position depend on for the most part."""
        return round(self.patch_size + 4 * self.smoothing)

    @property
    def score(self) -> int:
        """Extent of what a score depends on for the most part."""
        return round(self.patch_size + 4 * hypot(self.smoothing, self.shared_over * self.stride))

    @property
    def blur(self) -> int:
        """Distance at which a strong anomaly still raises the score."""
        return self.features * self.n_levels // 2 + self.patch_size

    @property
    def shrinkage(self) -> int:
        """Size of the image over the smallest that is looked at."""
        return 1 << (self.n_levels - 1)

    @property
    def step(self) -> int:
        """A stride at the smallest size: parts of an image that begin at multiples of it have the same positions."""
        return self.shrinkage * self.stride

    @property
    def reach(self) -> int:
        """How far the features around a pixel can see, as a multiple of every stride."""
        # At the smallest size: half of a patch, the positions averaged, what shrinking blurs, and a step each where the
        # last position is shifted inwards and between positions; at full size, a step between pixels.
        averaged = radius(self.smoothing / self.stride) * self.stride
        seen = self.shrinkage * (self.patch_size // 2 + averaged + 2) + 2 * self.step + self.stride
        return -(-seen // self.step) * self.step

    @property
    def margin(self) -> int:
        """How far a score can see: as far as the features of the neighbours that it is shared with."""
        shared = radius(self.shared_over) * self.stride
        return self.reach + -(-shared // self.step) * self.step
