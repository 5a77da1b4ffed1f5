import numpy as np
import pytest

from sparsight.inspection import AnomalyDetector
from sparsight.inspection.explanations import WORDS, by_name, in_words
from sparsight.inspection.methods import METHODS
from sparsight.inspection.scorers import Observed

CHANGES = {
    "bright": lambda values: values + 60,
    "dark": lambda values: values - 60,
    "rough": lambda values: values + np.random.default_rng(0).normal(0, 40, values.shape),
    "smooth": lambda values: np.full_like(values, values.mean()),
}


def texture(seed, shape=(160, 192)):
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    waves = np.sin(rows / 3 + 0.3 * np.sin(columns / 17 + seed)) * 30
    return np.clip(120 + waves + rng.normal(0, 4, waves.shape), 0, 255)


def grey(seed, shape=(160, 192)):
    return texture(seed, shape).astype(np.uint8)


def damaged(change, box=(slice(70, 90), slice(100, 120))):
    image = texture(9)
    image[box] = CHANGES[change](image[box])
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def detector():
    return AnomalyDetector(n_components=32, threshold=6.0, n_threads=1).fit([grey(s) for s in range(3)])


def explained(detector, image):
    found = detector.inspect(image)
    assert found.defects
    return detector.explain(found)[0]


@pytest.mark.parametrize(
    ("change", "told", "summary"),
    [
        ("bright", "brighter than normal", None),
        ("dark", "darker than normal", None),
        ("rough", "harder to rebuild", "harder to rebuild than normal"),
        ("smooth", "less coarse structure", "smoother than normal"),
    ],
)
def test_what_differs_is_what_is_named(detector, change, told, summary):
    explanation = explained(detector, damaged(change))
    said = [in_words(name, explanation.deviations[name]) for name in list(explanation.indicators)[:2]]
    assert any(words.startswith(told) for words in said), explanation
    assert summary in (None, explanation.reason)
    assert sum(explanation.indicators.values()) == pytest.approx(1)
    assert sum(explanation.scales.values()) == pytest.approx(1)
    assert set(explanation.scales) == {1.0, 0.5}
    assert min(explanation.indicators.values()) >= 0
    assert explanation.reason in str(explanation)


def test_the_patch_stands_beside_its_best_sparse_reconstruction(detector):
    image = damaged("bright")
    explanation = explained(detector, image)
    (row, column), side = explanation.corner, len(explanation.patch)
    assert side == explanation.patch.shape[1] >= 4 * detector.scorer_.patch_size
    np.testing.assert_array_equal(explanation.patch, image[row : row + side, column : column + side])
    assert row < 80 < row + side
    assert column < 110 < column + side
    codes = [abs(code) for _, code in explanation.atoms]
    assert codes == sorted(codes, reverse=True)
    error = explanation.patch - explanation.reconstruction
    assert np.linalg.norm(error) < 0.5 * np.linalg.norm(explanation.patch - explanation.patch.mean())


@pytest.mark.parametrize("place", [(0, 0), (159, 191), (80, 3), (70, 100)])
def test_what_is_explained_is_what_was_scored(detector, place):
    """A part of the image does for the features of a place, even at its border."""
    scorer = detector.scorer_
    image = Observed(texture(9).astype(np.float32))
    part, (top, left) = image.around(place, scorer.extents.reach, 8)
    grid, whole = scorer.levels[0].grid(part), np.concatenate(list(scorer._strips(image)))
    row = np.argmin(np.abs(grid.rows + 3.5 - place[0] + top))
    column = np.argmin(np.abs(grid.columns + 3.5 - place[1] + left))
    features, _, _ = scorer._judged_by(part, (int(row), int(column)))
    every = scorer.levels[0].grid(image)
    at = (
        np.flatnonzero(every.rows == grid.rows[row] + top)[0],
        np.flatnonzero(every.columns == grid.columns[column] + left)[0],
    )
    np.testing.assert_array_equal(features, whole[at])


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_explains(method):
    settings = {"universal": {"n_components": 16}, "reconstruction": {}}.get(
        method, {"n_components": 12, "patch_size": 16}
    )
    detector = AnomalyDetector(method=method, threshold=0.0, n_threads=1, **settings)
    detector.fit([grey(s) for s in range(2)])
    found = detector.inspect(damaged("bright"))
    found = detector.inspect(found.image, threshold=0.5 * found.peak_score)
    (explanation, *_) = detector.explain(found, at_most=1)
    assert sum(explanation.indicators.values()) == pytest.approx(1)
    assert set(explanation.indicators) <= set(WORDS)
    assert sum(explanation.scales.values()) == pytest.approx(1)
    assert explanation.patch.shape == explanation.reconstruction.shape
    peak = found.defects[0].peak
    for at, start, side in zip(peak, explanation.corner, explanation.patch.shape, strict=True):
        assert start <= at < start + side
    assert explanation.to_dict()["reason"] == explanation.reason


def test_every_feature_has_words(detector):
    for level in detector.scorer_.levels:
        assert set(level.feature_names(7)) <= set(WORDS)


def test_what_cannot_be_rebuilt_is_brightness_or_structure():
    detector = AnomalyDetector(method="reconstruction", patch_size=8, threshold=30.0, n_threads=1)
    detector.fit([grey(s) for s in range(2)])
    rough = explained(detector, damaged("rough"))
    assert rough.main_indicator == "structure"
    bright = explained(detector, damaged("bright"))
    assert bright.indicators["level"] > rough.indicators["level"]
    assert bright.deviations["level"] > 0
    error = (bright.patch - bright.reconstruction).astype(float)
    share = error.var() / np.mean(np.square(error))
    assert bright.indicators["structure"] == pytest.approx(share, rel=1e-4)


def test_a_model_of_several_magnifications_says_which_it_took_a_place_for():
    detector = AnomalyDetector(scales=(1, 0.5), n_components=16, threshold=3.0, n_threads=1)
    detector.fit([grey(s, (240, 240)) for s in range(2)])
    image = texture(5, (240, 240))
    image[100:120, 100:120] += 70
    found = detector.inspect(np.clip(image, 0, 255).astype(np.uint8))
    explanation = detector.explain(found, at_most=1)[0]
    scorer = detector.scorer_
    judged_at = scorer.scale_of(detector._observed(found.image, None))
    assert explanation.judged_at == pytest.approx(judged_at)
    assert explanation.deviations["brightness"] > 2


def test_of_several_channels_that_differ_both_ways_the_colour_is_named():
    names = ["brightness"] * 3 + ["contrast"]
    shares = np.array([[0.3, 0.3, 0.2, 0.2]])
    indicators, deviations = by_name(names, shares, np.array([[5.0, -4.0, 0.0, 1.0]]))
    assert list(indicators.items()) == [("colour", pytest.approx(0.8)), ("contrast", pytest.approx(0.2))]
    assert deviations == {"colour": 5.0, "contrast": 1.0}
    indicators, _ = by_name(names, shares, np.array([[5.0, 4.0, 0.0, 1.0]]))
    assert "brightness" in indicators


def test_only_the_strongest_are_explained_when_asked(detector):
    image = damaged("bright")
    image[20:30, 20:30] = 255
    found = detector.inspect(image)
    assert len(found.defects) > 1
    assert len(detector.explain(found)) == len(found.defects)
    (only,) = detector.explain(found, at_most=1)
    assert only.corner == detector.explain(found)[0].corner
    assert detector.explain(detector.inspect(grey(8), threshold=1e6)) == []
