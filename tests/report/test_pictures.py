import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from sparsight.images import Image, as_image
from sparsight.report.annotations import annotate, round_length
from sparsight.report.colours import TOP, colour_bar, css_colour, heat_colours, over_threshold, scale_position
from sparsight.report.drawing import (
    heat_map,
    outline,
    overlay,
    shrink_by_maximum,
    shrink_picture,
    small_view,
    view,
    within,
)
from sparsight.report.thumbnails import Thumbnails, thumbnail_side


def lightness(colours):
    return colours.astype(float) @ [0.2126, 0.7152, 0.0722]


def test_colours_are_anchored_at_the_threshold():
    """The same multiple of the threshold has the same colour, whatever else is in the image."""
    quiet, loud = np.float32([[0.5, 1.0]]), np.float32([[0.5, 1.0, 90.0]])
    assert np.array_equal(
        heat_colours(over_threshold(quiet, 2.0)), heat_colours(over_threshold(10 * loud, 20.0))[:, :2]
    )


def test_lightness_rises_throughout_and_leaps_at_the_threshold():
    ratio = np.float32(np.concatenate([np.linspace(0, 1, 200), np.geomspace(1.001, TOP, 200)]))
    steps = np.diff(lightness(heat_colours(ratio)))
    assert np.all(steps >= -0.5)
    assert np.argmax(steps) == 199
    assert steps[199] > 20 * np.median(steps)


def test_what_was_not_observed_is_grey_and_like_no_score():
    colours = heat_colours(np.float32([np.nan, 0, 1, 2, np.inf]))
    assert np.ptp(colours[0].astype(int)) < 20
    assert all(np.abs(colours[0].astype(int) - other).max() > 30 for other in colours[1:].astype(int))
    assert np.array_equal(colours[4], heat_colours(np.float32(TOP)))


def test_a_threshold_of_zero_leaves_nothing_undefined():
    ratio = over_threshold(np.float32([0, 1, np.nan]), 0.0)
    assert ratio[0] == 0
    assert ratio[1] > TOP
    assert np.isnan(ratio[2])


def test_colour_bar_is_the_scale_of_the_heat_maps():
    bar = colour_bar()
    assert (50, "threshold") in bar["ticks"]
    for part in bar["gradient"].removeprefix("linear-gradient(to right, ").removesuffix(")").split(", "):
        colour, percent = part.split(" ")
        position = float(percent.rstrip("%")) / 100
        ratio = 2 * position if position <= 0.5 else TOP ** (2 * position - 1)
        if position != 0.5:  # where two colours meet
            assert scale_position(ratio) == pytest.approx(position)
            drawn = [int(css_colour(ratio)[i : i + 2], 16) for i in (1, 3, 5)]
            wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            assert np.allclose(drawn, wanted, atol=3)


def test_eight_bit_images_are_shown_as_they_are():
    pixels = np.random.default_rng(0).integers(0, 255, (5, 6, 3), dtype=np.uint8)
    assert np.array_equal(view(as_image(pixels)), pixels)
    assert np.array_equal(view(as_image(pixels[:, :, 0]))[:, :, 2], pixels[:, :, 0])


def test_images_of_more_bits_are_stretched_to_be_seen():
    pixels = np.linspace(1000, 1400, 300 * 200).reshape(300, 200).astype(np.uint16)
    shown = view(as_image(pixels))
    assert (shown.min(), shown.max()) == (0, 255)
    assert np.all(np.diff(shown[:, 0, 0].astype(int)) >= 0)


@pytest.mark.parametrize("n_channels", [2, 5])
def test_images_of_many_channels_are_shown_as_their_mean(n_channels):
    pixels = np.random.default_rng(0).random((8, 9, n_channels))
    shown = view(Image(pixels, (0, 1)))
    assert shown.shape == (8, 9, 3)
    order = np.argsort(pixels.mean(axis=2), axis=None)
    assert np.all(np.diff(shown[:, :, 0].ravel()[order].astype(int)) >= 0)


def test_constant_images_can_be_shown():
    assert np.all(view(Image(np.full((4, 4), 0.3), (0, 1))) == 0)


def test_outline_runs_around_a_defect_and_leaves_the_rest(make_inspection):
    found = make_inspection(pixel_size_um=None)
    picture = view(found.image)
    drawn = outline(picture, heat_map(found)[found.mask], found.mask)
    changed = np.any(drawn != picture, axis=2)
    assert changed[20:30, 40:55].all()
    assert changed[16, 40:55].all()
    assert not changed[18, 42:53].any()
    assert not changed[:14].any()
    assert not changed[:, :34].any()


def test_overlay_of_a_good_image_is_the_image(make_inspection):
    found = make_inspection(peak=0.0, pixel_size_um=None)
    assert np.array_equal(overlay(found), view(found.image))


def test_defects_are_numbered_and_known_sizes_get_a_scale_bar(make_inspection):
    found = make_inspection(shape=(200, 300))
    bare = np.zeros((200, 300, 3), dtype=np.uint8)
    numbered = annotate(bare, found.defects)
    assert numbered[:20, 25:40].any()
    assert not numbered[100:].any()
    with_bar = annotate(bare, [], pixel_size_um=0.5)
    white = np.all(with_bar == 255, axis=2)
    # A quarter of the 150 µm that the image is wide holds a bar of 20 µm, 40 pixels.
    assert white.sum(axis=1).max() == pytest.approx(40, abs=1)


@pytest.mark.parametrize(("longest", "length"), [(37.5, 20), (50, 50), (0.19, 0.1), (1, 1), (9.99, 5)])
def test_scale_bars_have_round_lengths(longest, length):
    assert round_length(longest) == pytest.approx(length)


@pytest.mark.parametrize(("pixel_size", "shape"), [(1e-4, (30, 40)), (5000.0, (64, 64)), (0.05, (8, 8))])
def test_scale_bars_fit_any_size(pixel_size, shape):
    annotate(np.zeros((*shape, 3), dtype=np.uint8), [], pixel_size_um=pixel_size)


def test_shrinking_keeps_peaks():
    scores = np.zeros((101, 77), dtype=np.float32)
    scores[50, 33] = 7
    scores[:20] = np.nan
    small = shrink_by_maximum(scores, (20, 15))
    assert np.nanmax(small) == 7
    assert np.isnan(small[0]).all()
    assert shrink_by_maximum(scores == 7, (20, 15)).sum() == 1


@pytest.mark.parametrize("shape", [(2000, 10), (10, 2000), (600, 400)])
def test_pictures_shrink_to_the_longer_side(shape):
    picture = np.zeros((*shape, 3), dtype=np.uint8)
    assert max(shrink_picture(picture, 300).shape) == 300
    assert shrink_picture(picture, 5000) is picture


def test_thumbnails_of_many_images_fit_the_page(make_inspection):
    assert thumbnail_side(1) == 720
    assert thumbnail_side(100) < 500
    noisy = make_inspection(shape=(1000, 1400))  # noise compresses worst
    hundred = 100 * Thumbnails.of(noisy, thumbnail_side(100)).n_bytes
    assert hundred < 30e6


def test_a_good_image_is_not_shown_twice(make_inspection):
    assert Thumbnails.of(make_inspection(peak=0.0), 100).image is None
    assert Thumbnails.of(make_inspection(), 100).image is not None


def test_large_images_are_drawn_smaller_in_rows_at_a_time():
    rows, columns = np.indices((1000, 1300))
    image = as_image((100 + 60 * np.sin(rows / 90) * np.cos(columns / 70)).astype(np.uint8))
    small, direct = small_view(image, 200), shrink_picture(view(image), 200)
    assert small.shape == direct.shape == (154, 200, 3)
    assert np.abs(small.astype(int) - direct).max() <= 4
    assert np.array_equal(small_view(image, 5000), view(image))


def test_a_large_overlay_shows_the_defects_where_they_are(make_inspection, monkeypatch):
    monkeypatch.setattr("sparsight.report.drawing.SIDE_OF_LARGE", 300)
    found = make_inspection(shape=(600, 900), pixel_size_um=None)
    assert overlay(found).shape == (600, 900, 3)
    monkeypatch.setattr("sparsight.report.drawing.LARGEST_OVERLAY", 500_000)
    drawn = overlay(found)
    assert drawn.shape == (200, 300, 3)
    changed = np.any(drawn != small_view(found.image, 300), axis=2)
    assert changed[7:10, 14:18].all()
    assert not changed[40:].any()


@pytest.mark.parametrize("limits", [(2, 3, 4), (3, 30, 31)])
def test_distances_are_those_of_the_whole_mask(monkeypatch, limits):
    monkeypatch.setattr("sparsight.inspection.regions._PIXELS_AT_A_TIME", 500)
    mask = np.zeros((70, 60), bool)
    mask[[5, 40, 69], [3, 30, 59]] = True
    distance = distance_transform_edt(~mask)
    for near, limit in zip(within(mask, limits), limits, strict=True):
        assert np.array_equal(near, distance <= limit)
    assert not np.any(within(np.zeros((9, 9), bool), limits))


def test_no_line_is_drawn_inside_of_a_ring():
    mask = np.zeros((120, 120), bool)
    mask[20:100, 20:100] = True
    mask[40:80, 40:80] = False
    picture = np.full((120, 120, 3), 50, np.uint8)
    drawn = outline(picture, np.full((mask.sum(), 3), 50, np.uint8), mask)
    changed = np.any(drawn != picture, axis=2)
    assert changed[15:17].any()
    assert not changed[25:95, 25:95].any()
    assert not changed[:10].any()
