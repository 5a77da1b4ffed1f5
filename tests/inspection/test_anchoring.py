"""Scores of all magnifications, made alike by those of images left out."""

import numpy as np
import pytest

from sparsight.datasets import nanofibres
from sparsight.errors import ParameterError
from sparsight.inspection import AnomalyDetector
from sparsight.inspection.anchoring import Anchors
from sparsight.inspection.scale_steps import ScaleSteps

STEPS = 5


def growing(seed, n_steps=STEPS):
    """Left-out scores, of two images at each step, that grow from step to step."""
    rng = np.random.default_rng(seed)
    return [
        [(1 + 0.1 * step) * rng.standard_normal((60, 80)) + 0.2 * step for _ in range(2)]
        for step in range(n_steps)
    ]


def test_anchored_scores_are_standard_normal_at_every_step():
    anchors = Anchors.of(growing(0))
    for step, maps in enumerate(growing(1)):
        anchored = anchors.apply(np.stack(maps).astype(np.float32), step / (STEPS - 1))
        assert np.quantile(anchored, [0.05, 0.5, 0.95]) == pytest.approx([-1.645, 0, 1.645], abs=0.1)


def test_anchors_keep_order_and_gaps():
    scores = np.append(np.linspace(-40, 40, 501), np.nan).astype(np.float32)
    anchored = Anchors.of(growing(0)).apply(scores, 0.3)
    assert (np.diff(anchored[:-1]) > 0).all()
    assert np.isnan(anchored[-1])


def test_a_step_is_anchored_by_its_neighbours_too():
    maps = growing(0)
    outlier = [*maps[:2], [4 * part for part in maps[2]], *maps[3:]]
    scores = np.float32([2.0])
    alone = Anchors.of([maps[2]] * STEPS).apply(scores, 0.5)
    of_outlier = Anchors.of([outlier[2]] * STEPS).apply(scores, 0.5)
    together = Anchors.of(outlier).apply(scores, 0.5)
    assert of_outlier < together - 0.2 < together < alone


def test_one_step_and_steps_of_which_nothing_is_seen():
    (maps,) = growing(0, 1)
    assert Anchors.of([maps]).apply(np.float32([1.645]), 0.0) == pytest.approx(1.645, abs=0.1)
    nothing = [np.full((4, 4), np.nan)]
    assert np.isfinite(Anchors.of([maps, nothing, maps]).apply(np.float32([1.0]), 0.5)).all()
    with pytest.raises(ParameterError, match="check the masks"):
        Anchors.of([nothing, nothing])


def test_weights_are_even_about_a_scale_and_continuous():
    steps = ScaleSteps.over(1.0, 0.5)
    for scale in (1.0, 0.97, 0.8, 0.7, 0.52, 0.5):
        weights = steps.weights(scale)
        assert sum(weights.values()) == pytest.approx(1)
        middle = sum(step * weight for step, weight in weights.items())
        assert middle == pytest.approx(steps.position(scale), abs=0.13)
    assert steps.weights(1.0) == {0: 1.0}
    assert steps.weights(0.5) == {5: 1.0}
    assert set(steps.weights(steps.factors[2])) == {1, 2, 3}


@pytest.fixture(scope="module")
def good():
    return [nanofibres((192, 208), defects=None, random_state=seed).image for seed in range(3)]


@pytest.fixture(scope="module")
def detector(good):
    settings = dict(scales=(1, 0.6), n_components=32, false_alarm_rate=0.05, n_threads=1)
    return AnomalyDetector(**settings).fit(good)


def test_the_threshold_is_that_of_anchored_scores(detector):
    assert detector.scorer_.anchors is not None
    assert detector.threshold_ == pytest.approx(1.645, abs=0.25)


def test_scores_do_not_depend_on_another_calibration(detector, good, tmp_path):
    image = nanofibres((192, 208), magnification=0.7, random_state=9).image.pixels
    before = detector.score_map(image)
    detector.save(tmp_path / "model")
    loaded = AnomalyDetector.load(tmp_path / "model")
    loaded.calibrate(good[:2])
    assert loaded.threshold_ != detector.threshold_
    np.testing.assert_array_equal(loaded.score_map(image), before)


def test_an_image_unlike_the_others_does_not_run_away_with_the_threshold(detector, monkeypatch):
    n_steps = len(detector.scorer_.factors)
    monkeypatch.setattr(detector.scorer_, "anchors", None)
    folds = [
        [(9 if fold == 2 else 1) * part.astype(np.float32) for part, _ in growing(fold, n_steps)]
        for fold in range(3)
    ]
    anchored = np.stack(detector.scorer_.settled(folds))
    assert np.quantile(anchored, 0.99) == pytest.approx(2.33, abs=0.2)
