"""The public face: one call, one synthetic micrograph with its ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sparsight._checks import check_choice, check_integer, check_number
from sparsight.errors import ParameterError
from sparsight.images import Image

from .acquisition import SUPERSAMPLING, acquire, majority_label
from .mat import weave_mat
from .scene import build_scene

KINDS = ("bead", "clot", "film", "hole")
DENSITIES = {"sparse": 0.3, "middle": 1.0, "dense": 2.5}
_DEFECTS_PER_AREA = 6 / 512**2  # of the mat, in world units: pixels at magnification 1


@dataclass(frozen=True, eq=False)
class NanofibreSample:
    """A synthetic micrograph and what is wrong with it.

    Attributes
    ----------
    image : Image
        Grey 8-bit image with its pixel size.
    mask : ndarray of bool, shape (H, W)
        True where at least half of a pixel shows a defect. Not part of it: fibres that cross above
        the defect, and its shadow, which ends 4.5 fibre diameters away.
    labels : ndarray of int32, shape (H, W)
        Number of the defect that a pixel shows, 0 for none.
    kinds : list of str
        ``kinds[i]`` is the kind of the defect numbered ``i + 1`` in `labels`.
    """

    image: Image
    mask: NDArray[np.bool_]
    labels: NDArray[np.int32]
    kinds: list[str]


def nanofibres(
    shape: tuple[int, int] = (512, 512),
    *,
    magnification: float = 1.0,
    density: Literal["sparse", "middle", "dense"] | float = "dense",
    fibre_diameter: float = 9.0,
    diameter_spread: float = 0.16,
    defects: Sequence[str] | None = KINDS,
    n_defects: int | None = None,
    pixel_size_um: float = 0.05,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
) -> NanofibreSample:
    """Make a micrograph of electrospun nanofibres, with defects and their exact masks.

    Fibres are bent random lines at random depths of a mat; each pixel shows the topmost one,
    darker the deeper it lies and the more of its surroundings rise above it. Beam width and noise
    act on the pixels of the image, not of the mat: a lower magnification is a larger field seen
    through the same instrument, not a rescaled image.

    Parameters
    ----------
    shape : (int, int), default=(512, 512)
        Height and width of the image in pixels.
    magnification : float, default=1.0
        Apparent size relative to magnification 1. At 0.5 a fibre is half as many pixels wide and
        the image shows four times the area.
    density : {"sparse", "middle", "dense"} or float, default="dense"
        Mean number of fibres above a point of the ground: 0.3, 1.0 and 2.5 for the names. A share
        ``exp(-density)`` of the ground is not covered.
    fibre_diameter : float, default=9.0
        Median diameter of a fibre, in pixels at magnification 1.
    diameter_spread : float, default=0.16
        Standard deviation of the logarithm of the fibres' diameters.
    defects : sequence of {"bead", "clot", "film", "hole"} or None, default=all four
        Kinds to choose from: a fibre swollen to a spindle; a cluster of grains; a membrane between
        fibres; a region where the upper fibres are missing. None or an empty sequence: no defects.
    n_defects : int, optional
        Number of defects, the kinds taking turns from a random one on. By default 6 for each 512 × 512 pixels of mat
        seen at magnification 1, and at least one. Fewer are made where there is no fibre for a
        bead to sit on.
    pixel_size_um : float, default=0.05
        Edge of a pixel at magnification 1, in micrometres.
    random_state : int, Generator, RandomState or None, default=None
        The same integer gives the same sample. With and without defects it gives the same mat and
        the same noise, so that the images differ by the defects and their shadows only.

    Returns
    -------
    NanofibreSample
        Image, mask, labels and kinds.

    Raises
    ------
    ParameterError
        If a parameter is out of its range or a kind of defect is not known.

    Examples
    --------
    >>> from sparsight.datasets import nanofibres
    >>> sample = nanofibres((128, 160), defects=["clot", "film"], n_defects=2, random_state=0)
    >>> sample.image.pixels.shape, sample.image.pixels.dtype
    ((128, 160), dtype('uint8'))
    >>> sample.kinds
    ['film', 'clot']
    >>> nanofibres((128, 160), magnification=0.5, random_state=0).image.pixel_size_um
    0.1
    """
    height, width = _checked_shape(shape)
    magnification = check_number("magnification", magnification, minimum=0, inclusive=False)
    pixel_size = check_number("pixel_size_um", pixel_size_um, minimum=0, inclusive=False)
    field = (height / magnification, width / magnification)
    mat_random, noise_random, defect_random = _generator(random_state).spawn(3)
    wanted = _wanted_kinds(defects, n_defects, field, defect_random)
    mat = weave_mat(
        field,
        density=_mean_density(density),
        fibre_diameter=check_number("fibre_diameter", fibre_diameter, minimum=0, inclusive=False),
        diameter_spread=check_number("diameter_spread", diameter_spread, minimum=0),
        random=mat_random,
    )
    surface, made = build_scene(
        mat,
        (height * SUPERSAMPLING, width * SUPERSAMPLING),
        magnification * SUPERSAMPLING,
        wanted,
        defect_random,
    )
    pixels = acquire(surface, noise_random)
    labels, kinds = _number_visible(majority_label(surface.label), made)
    return NanofibreSample(
        image=Image(pixels, (0, 255), pixel_size_um=pixel_size / magnification),
        mask=labels > 0,
        labels=labels,
        kinds=kinds,
    )


def _checked_shape(shape: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = shape
    except (TypeError, ValueError):
        raise ParameterError(f"shape must be the height and width of the image, got {shape!r}.") from None
    return check_integer("shape", height, minimum=8), check_integer("shape", width, minimum=8)


def _wanted_kinds(
    defects: Sequence[str] | None,
    n_defects: int | None,
    field: tuple[float, float],
    random: np.random.Generator,
) -> list[str]:
    """Kinds of the defects to make, taking turns from a random one on."""
    if defects is None:
        return []
    if isinstance(defects, str):
        raise ParameterError(f"defects must be a sequence of kinds, e.g. [{defects!r}], got a string.")
    kinds = [check_choice("defects", kind, KINDS) for kind in defects]
    if n_defects is not None:
        n_defects = check_integer("n_defects", n_defects, minimum=0)
    else:
        n_defects = max(1, round(_DEFECTS_PER_AREA * field[0] * field[1]))
    if not kinds:
        return []
    first = int(random.integers(len(kinds)))
    return [kinds[(first + i) % len(kinds)] for i in range(n_defects)]


def _number_visible(labels: NDArray[np.int32], made: list[str]) -> tuple[NDArray[np.int32], list[str]]:
    """Number the defects that show in the image from 1 without gaps."""
    shown = [label for label in range(1, len(made) + 1) if (labels == label).any()]
    number = np.zeros(len(made) + 1, dtype=np.int32)
    number[shown] = np.arange(1, len(shown) + 1)
    return number[labels], [made[label - 1] for label in shown]


def _mean_density(density: str | float) -> float:
    """Mean number of fibres above a point."""
    if isinstance(density, str):
        return DENSITIES[check_choice("density", density, tuple(DENSITIES))]
    return check_number("density", density, minimum=0, inclusive=False)


def _generator(
    random_state: int | np.random.Generator | np.random.RandomState | None,
) -> np.random.Generator:
    """Generator for any of the usual forms of a random state."""
    if isinstance(random_state, np.random.RandomState):
        random_state = int(random_state.randint(2**31))
    elif random_state is not None and not isinstance(random_state, np.random.Generator):
        random_state = check_integer("random_state", random_state, minimum=0)
    return np.random.default_rng(random_state)
