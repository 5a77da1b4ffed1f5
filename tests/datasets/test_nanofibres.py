from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sparsight.datasets import nanofibres
from sparsight.errors import ParameterError

KINDS = ("bead", "clot", "film", "hole")


def apparent_diameter(magnification: float) -> float:
    """Width of a strip in pixels, from its area and its perimeter by Cauchy and Crofton's formula."""
    area = perimeter = 0.0
    for seed in range(5):
        sample = nanofibres(
            (256, 256),
            magnification=magnification,
            density=0.25,
            fibre_diameter=10,
            diameter_spread=0,
            defects=None,
            random_state=seed,
        )
        fibres = sample.image.pixels > 70
        area += float(fibres.sum())
        perimeter += np.pi / 4 * sum(float(np.diff(fibres, axis=axis).sum()) for axis in (0, 1))
    return 2 * area / perimeter


@pytest.mark.parametrize("shape", [(64, 64), (65, 97), (120, 41), (8, 8)])
def test_shapes_and_types_follow_the_request(shape: tuple[int, int]) -> None:
    sample = nanofibres(shape, random_state=0)
    assert sample.image.pixels.shape == sample.mask.shape == sample.labels.shape == shape
    assert sample.image.pixels.dtype == np.uint8
    assert sample.image.intensity_range == (0, 255)
    assert sample.mask.dtype == bool
    assert sample.labels.dtype == np.int32


def test_the_same_seed_gives_the_same_sample() -> None:
    first, second = (nanofibres((96, 128), random_state=3) for _ in range(2))
    np.testing.assert_array_equal(first.image.pixels, second.image.pixels)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.kinds == second.kinds
    other = nanofibres((96, 128), random_state=4)
    assert np.mean(first.image.pixels != other.image.pixels) > 0.5


def test_a_generator_moves_on_and_can_be_repeated() -> None:
    for make in (np.random.default_rng, np.random.RandomState):
        random = make(7)
        first, second = (nanofibres((48, 48), random_state=random) for _ in range(2))
        again = nanofibres((48, 48), random_state=make(7))
        assert (first.image.pixels != second.image.pixels).any()
        np.testing.assert_array_equal(first.image.pixels, again.image.pixels)


def test_without_defects_the_mask_is_empty() -> None:
    for sample in (
        nanofibres((64, 64), defects=None, random_state=0),
        nanofibres((64, 64), defects=(), random_state=0),
        nanofibres((64, 64), n_defects=0, random_state=0),
    ):
        assert not sample.mask.any()
        assert sample.kinds == []


@pytest.mark.parametrize("magnification", [1.0, 0.5])
@pytest.mark.parametrize("density", ["dense", "sparse"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_changes_its_mask_and_its_shadow_only(kind: str, density: str, magnification: float) -> None:
    options = {"density": density, "magnification": magnification, "random_state": 11}
    sample = nanofibres((256, 256), defects=[kind], n_defects=2, **options)
    twin = nanofibres((256, 256), defects=None, **options)
    difference = sample.image.pixels.astype(int) - twin.image.pixels
    assert sample.kinds == [kind, kind]

    from scipy.ndimage import distance_transform_cdt

    away = distance_transform_cdt(~sample.mask, "chessboard")
    assert not difference[away > 4.5 * 9.0 * magnification + 3].any(), "shadows end there"
    beyond_the_edge = (away > 2) & (np.abs(difference) > 60)
    assert beyond_the_edge.mean() < 0.001, "what changes much lies inside the mask"
    inside = np.abs(difference[sample.mask])
    # The middle of a bead is as bright as the fibre that was there before.
    assert np.mean(inside > 8) > (0.3 if kind == "bead" else 0.5), "the mask shows the defect"


def test_labels_number_the_defects() -> None:
    sample = nanofibres((384, 384), n_defects=9, random_state=5)
    np.testing.assert_array_equal(sample.mask, sample.labels > 0)
    np.testing.assert_array_equal(np.unique(sample.labels), np.arange(len(sample.kinds) + 1))
    assert sorted(set(sample.kinds)) == sorted(KINDS)
    assert len(sample.kinds) == 9


def test_every_one_of_many_holes_is_darker_than_the_mat_was() -> None:
    """Neighbouring holes share fibres: what one has torn must stay torn in the next."""
    sample = nanofibres((192, 192), defects=["hole"], n_defects=12, random_state=1)
    twin = nanofibres((192, 192), defects=None, random_state=1)
    for label in range(1, len(sample.kinds) + 1):
        hole = sample.labels == label
        assert sample.image.pixels[hole].mean() < twin.image.pixels[hole].mean() - 30


def test_a_bead_needs_a_fibre() -> None:
    """On bare ground the other defects are made and beads are left out."""
    sample = nanofibres((32, 32), density=1e-9, defects=KINDS, n_defects=8, random_state=0)
    assert "bead" not in sample.kinds
    assert "film" in sample.kinds
    assert sample.labels.max() == len(sample.kinds)


def test_more_mat_in_view_holds_more_defects() -> None:
    assert len(nanofibres((256, 256), random_state=1).kinds) == 2
    assert len(nanofibres((256, 256), magnification=0.5, random_state=1).kinds) == 6


def test_fibres_look_as_wide_as_the_magnification_says() -> None:
    at_one = apparent_diameter(1.0)
    overlaps = (np.exp(0.25) - 1) / 0.25  # area over perimeter of a Poisson mat against one fibre
    assert at_one == pytest.approx(10 * overlaps, rel=0.15)
    assert apparent_diameter(0.5) / at_one == pytest.approx(0.5, rel=0.15)
    assert apparent_diameter(2.0) / at_one == pytest.approx(2.0, rel=0.15)


def test_pixel_noise_does_not_depend_on_the_magnification() -> None:
    """Low magnification is a larger field through the same instrument, not a shrunk image."""

    def noise_of_bare_ground(magnification: float) -> float:
        pixels = nanofibres(
            (256, 256), magnification=magnification, density=0.1, defects=None, random_state=0
        ).image.pixels.astype(float)
        ground = np.lib.stride_tricks.sliding_window_view(pixels, (5, 5)).max(axis=(2, 3)) < 30
        return float(pixels[2:-2, 2:-2][ground].std())

    assert noise_of_bare_ground(0.5) == pytest.approx(noise_of_bare_ground(1.0), rel=0.15)


def test_pixel_size_scales_with_the_magnification() -> None:
    sample = nanofibres((32, 32), magnification=0.25, pixel_size_um=0.04, random_state=0)
    assert sample.image.pixel_size_um == pytest.approx(0.16)


def test_density_is_the_mean_number_of_fibres_over_a_point() -> None:
    """A Poisson mat leaves exp(-density) of the ground bare."""
    bare = [
        np.mean(nanofibres((256, 256), density=0.5, defects=None, random_state=i).image.pixels < 40)
        for i in range(16)
    ]
    assert np.mean(bare) == pytest.approx(np.exp(-0.5), abs=0.05)


def test_brightness_is_that_of_real_mats() -> None:
    """Real scanning-electron images of dense mats: mean .45 to .55, spread .32 to .36."""
    pixels = np.stack([nanofibres((256, 512), defects=None, random_state=i).image.pixels for i in range(4)])
    assert 0.43 < pixels.mean() / 255 < 0.57
    assert 0.30 < pixels.std() / 255 < 0.38


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shape": (4, 64)}, "shape"),
        ({"shape": (64, 64, 3)}, "shape"),
        ({"shape": 64}, "shape"),
        ({"shape": (64.5, 64)}, "shape"),
        ({"magnification": 0}, "magnification"),
        ({"magnification": np.nan}, "magnification"),
        ({"density": "thick"}, "'dense'"),
        ({"density": -1}, "density"),
        ({"fibre_diameter": 0}, "fibre_diameter"),
        ({"diameter_spread": -0.1}, "diameter_spread"),
        ({"defects": ["scratch"]}, "'clot'"),
        ({"defects": "clot"}, "sequence"),
        ({"n_defects": -1}, "n_defects"),
        ({"n_defects": 1.5}, "n_defects"),
        ({"pixel_size_um": 0}, "pixel_size_um"),
        ({"random_state": "seed"}, "random_state"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        nanofibres(**{"shape": (32, 32), **wrong})


def test_importing_the_datasets_loads_nothing_heavy() -> None:
    script = (
        "import sys, sparsight.datasets\n"
        "sys.exit(bool({'scipy', 'skimage', 'sklearn', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
