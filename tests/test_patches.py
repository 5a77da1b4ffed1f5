import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsight.errors import ImageError
from sparsight.patches import PatchGrid


@st.composite
def grids(draw):
    patch = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    shape = draw(st.integers(patch[0], 23)), draw(st.integers(patch[1], 23))
    return PatchGrid(shape, patch, (draw(st.integers(1, patch[0])), draw(st.integers(1, patch[1]))))


@settings(max_examples=60, deadline=None)
@given(grids(), st.sampled_from([(), (1,), (3,)]), st.sampled_from([np.float64, np.float32, np.uint8]))
def test_round_trip_is_exact_and_every_pixel_is_covered(grid, channels, dtype):
    rng = np.random.default_rng(len(grid))
    image = (rng.standard_normal(grid.image_shape + channels) * 100).astype(dtype)
    patches = grid.extract(image)
    assert patches.shape == (len(grid), *grid.patch_size, *channels)
    assert np.array_equal(grid.assemble(patches), image)
    assert grid.coverage.min() >= 1
    assert grid.coverage.sum() == len(grid) * np.prod(grid.patch_size)


def test_last_row_and_column_are_shifted_inwards():
    grid = PatchGrid((10, 11), 4)
    assert grid.rows.tolist() == [0, 4, 6]
    assert grid.columns.tolist() == [0, 4, 7]


def test_strips_give_the_same_patches_as_the_whole():
    image = np.random.default_rng(0).random((31, 23, 2))
    grid = PatchGrid(image.shape, 5, 2)
    parts = [grid.extract(image, rows) for rows in grid.strips(40)]
    assert len(parts) > 1
    assert np.array_equal(np.concatenate(parts), grid.extract(image))


@pytest.mark.parametrize("channels", [(), (2,)])
def test_some_patches_are_those_of_all_with_these_numbers(channels):
    image = np.random.default_rng(0).random((31, 23, *channels))
    grid = PatchGrid(image.shape, 5, 2)
    numbers = np.array([0, 17, 18, len(grid) - 1])
    assert np.array_equal(grid.extract_some(image, numbers), grid.extract(image)[numbers])


def test_assemble_takes_the_mean_where_patches_overlap():
    grid = PatchGrid((1, 3), (1, 2), 1)
    patches = np.array([[[1.0, 2.0]], [[4.0, 8.0]]])
    assert grid.assemble(patches).tolist() == [[1.0, 3.0, 8.0]]


@settings(max_examples=40, deadline=None)
@given(grids(), st.integers(0, 2**32 - 1), st.booleans())
def test_vote_is_the_majority_vote_for_every_threshold(grid, seed, with_abstentions):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, len(grid)).astype(float)
    if with_abstentions:
        values[rng.random(len(grid)) < 0.3] = np.nan
    votes = grid.vote(values)
    for threshold in (-0.5, 0.0, 1.5, 3.0, 4.5):
        anomalous, voters = np.zeros(grid.image_shape), np.zeros(grid.image_shape)
        corners = [(row, column) for row in grid.rows for column in grid.columns]
        for (row, column), value in zip(corners, values, strict=True):
            where = np.s_[row : row + grid.patch_size[0], column : column + grid.patch_size[1]]
            anomalous[where] += value > threshold
            voters[where] += not np.isnan(value)
        assert np.array_equal(votes > threshold, 2 * anomalous > voters)
    assert np.array_equal(np.isnan(votes), voters == 0)


def test_image_smaller_than_a_patch_is_refused():
    with pytest.raises(ImageError, match="5×9 pixels, smaller than a 8×8 patch"):
        PatchGrid((5, 9), 8)


@pytest.mark.parametrize(("patch", "stride"), [(0, 1), (4, 0), (4, 5)])
def test_impossible_sizes_are_refused(patch, stride):
    with pytest.raises(ValueError, match=r"positive|uncovered"):
        PatchGrid((9, 9), patch, stride)


def test_patches_of_another_grid_are_refused():
    grid = PatchGrid((9, 9), 3)
    with pytest.raises(ValueError, match="Expected shape"):
        grid.assemble(np.zeros((8, 3, 3)))
    with pytest.raises(ValueError, match="Expected shape"):
        grid.extract(np.zeros((9, 8)))
