"""The methods of ICIP 2016, section 4: what each is made of, and that it finds what it should."""

import numpy as np
import pytest

from sparsight.coding import Coding
from sparsight.errors import ParameterError
from sparsight.inspection import AnomalyDetector
from sparsight.inspection.group_penalty import choose_group_penalty
from sparsight.inspection.indicators import INDICATORS
from sparsight.inspection.normality import NormalityRegion, Tolerance
from sparsight.inspection.paper_methods import PAPER_METHODS
from sparsight.inspection.rescaling import rescale
from sparsight.inspection.scorers import Observed

SMALL = dict(patch_size=16, stride=8, n_components=12, threshold=3.0)  # given: calibrating takes time


def texture(seed, scale=1.0, shape=(128, 160)):
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape) / scale
    waves = 40 * np.sin(rows / 3 + 0.3 * np.sin(columns / 17 + seed))
    return np.clip(120 + waves + rng.normal(0, 4, shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", list(PAPER_METHODS))
def test_each_method_finds_foreign_texture(name, tmp_path):
    good = [texture(seed) for seed in range(3)]
    bad, truth = texture(7), np.zeros((128, 160), bool)
    truth[40:72, 50:90] = True
    bad[truth] = np.random.default_rng(0).integers(0, 255, truth.sum())
    detector = AnomalyDetector(method=name, **SMALL).fit(good)
    scores = detector.score_map(bad)
    assert np.median(scores[46:66, 56:84]) > 2 * np.median(scores[~truth])
    detector.save(tmp_path / "model.sparsight")
    assert np.array_equal(AnomalyDetector.load(tmp_path / "model.sparsight").score_map(bad), scores)


def test_several_scales_take_a_lower_magnification_for_normal():
    good = [texture(seed) for seed in range(3)]
    far = texture(9, scale=0.5)
    distances = {
        name: np.median(AnomalyDetector(method=name, **SMALL).fit(good).score_map(far))
        for name in ("single-scale", "all-in-one")
    }
    assert distances["all-in-one"] < 2
    assert distances["single-scale"] > 2 * distances["all-in-one"]


def half_empty(seed):
    image = texture(seed)
    image[:, :80] = np.random.default_rng(100 + seed).normal(20, 1, (128, 80))
    return Observed(image.astype(np.float32))


def trained_on_half_empty(**settings):
    scorer = PAPER_METHODS["all-in-one"](patch_size=16, stride=8, n_components=12, **settings)
    return scorer.fit([half_empty(seed) for seed in range(4)], np.random.RandomState(0))


def test_empty_patches_of_good_images_are_normal_and_have_no_part_in_the_rest():
    scorer = trained_on_half_empty()
    score = scorer.score(half_empty(9))
    assert not score[:, :56].any()
    assert score[:, 96:].all()
    assert np.median(score[:, 96:]) < 2


def test_empty_patches_are_coded_like_others_when_told_so():
    spared, like_others = trained_on_half_empty(), trained_on_half_empty(empty_is_normal=False)
    score = like_others.score(half_empty(9))
    assert score.all()
    assert np.median(score) < 2
    noise = half_empty(9).pixels[np.newaxis, :16, :16]
    assert np.linalg.norm(like_others.features(noise)) == pytest.approx(1, abs=1e-3)
    assert np.linalg.norm(spared.features(noise)) < 0.5
    restored = PAPER_METHODS["all-in-one"](patch_size=16, stride=8, n_components=12, empty_is_normal=False)
    restored.restore(like_others.arrays())
    assert np.array_equal(restored.score(half_empty(9)), score)


@pytest.mark.parametrize("empty_is_normal", [None, False])
def test_a_detector_can_be_told_how_to_take_empty_patches(empty_is_normal, tmp_path):
    good = [half_empty(seed).pixels.clip(0, 255).astype(np.uint8) for seed in range(3)]
    detector = AnomalyDetector(method="all-in-one", empty_is_normal=empty_is_normal, **SMALL)
    detector.fit(good).save(tmp_path / "model")
    scores = AnomalyDetector.load(tmp_path / "model").score_map(good[0])
    assert (scores[:, :40] > 0).any() == (empty_is_normal is False)


def test_oracle_is_trained_at_the_scale_that_is_named():
    good = [texture(seed) for seed in range(3)]
    far = texture(9, scale=0.5)
    oracle = AnomalyDetector(method="oracle", scales=(0.5,), **SMALL).fit(good)
    single = AnomalyDetector(method="single-scale", **SMALL).fit(good)
    assert np.median(oracle.score_map(far)) < 0.5 * np.median(single.score_map(far))


def test_indicators_are_the_summands_of_the_objective():
    norms = np.array([[3.0, 4.0], [0.0, 2.0]])
    coding = Coding(None, np.array([1.0, 2.0]), np.array([9.0, 2.0]), np.array([3, 1], np.int32), norms)
    assert {name: of(coding).tolist() for name, of in INDICATORS.items()} == {
        "error": [1, 2],
        "sparsity": [9, 2],
        "spread": [7, 2],
    }


def test_outlier_distance_keeps_the_order_of_errors():
    errors = np.array([[3.0], [1.0], [2.0]])
    assert np.argsort(Tolerance.of(errors).distance(errors)).tolist() == [1, 2, 0]


def coding_with(active_groups):
    norms = np.array([[1.0] * n + [0.0] * (3 - n) for n in active_groups])
    zeros = np.zeros(len(norms))
    return Coding(None, zeros, zeros, zeros.astype(np.int32), norms)


def test_group_penalty_is_the_smallest_that_leaves_clearly_fewer_groups():
    uses = {0.0: [3, 3, 2, 3], 0.05: [3, 3, 2, 2], 0.1: [3, 2, 2, 2], 0.2: [1, 1, 1, 1]}
    penalty, use = choose_group_penalty(lambda xi: coding_with(uses[xi]), 0.1)
    assert penalty == 0.2
    assert (use.without, use.active, use.ratio, use.suitable) == (2.75, 1.0, 2.0, True)
    assert "suits" in use.advice


def test_textures_that_mix_scales_are_told_so():
    penalty, use = choose_group_penalty(lambda _: coding_with([3, 2, 3, 2]), 0.1)
    assert penalty == 0.05
    assert not use.suitable
    assert "mixes scales" in use.advice


def test_group_penalty_never_suppresses_the_codes_themselves():
    uses = {0.0: [3, 3], 0.05: [3, 2], 0.1: [1, 0]}
    penalty, use = choose_group_penalty(lambda xi: coding_with(uses[xi]), 0.1)
    assert penalty == 0.05
    assert not use.suitable


def test_diagnostic_is_stored_with_the_model(tmp_path):
    detector = AnomalyDetector(method="group-coding", **SMALL).fit([texture(seed) for seed in range(3)])
    notes = detector.provenance_["notes"]
    assert 0 < notes["group_use"]["active"] <= notes["group_use"]["without"] <= 3
    detector.save(tmp_path / "model.sparsight")
    assert AnomalyDetector.load(tmp_path / "model.sparsight").provenance_["notes"] == notes


def test_rescaled_image_has_the_size_and_the_mask():
    image = texture(0).astype(np.float32)
    mask = np.zeros(image.shape, bool)
    mask[:, :40] = True
    image[mask] = 1e6
    small = rescale(Observed(image, mask), 0.5)
    assert small.pixels.shape == (64, 80)
    assert small.mask[:, :20].all()
    assert not small.mask[:, 24:].any()
    assert abs(small.pixels[~small.mask]).max() < 300
    assert rescale(Observed(image), 1.0).pixels is image


@pytest.mark.parametrize("scales", [(), (0.5, 0.5), (2,), (0,), "many", 3])
def test_scales_out_of_range_are_refused(scales):
    with pytest.raises(ParameterError, match="scales must be"):
        AnomalyDetector(method="all-in-one", scales=scales, **SMALL).fit([texture(0)])


def test_parameters_that_a_method_does_not_have_are_refused():
    with pytest.raises(ParameterError, match='"reconstruction" has no parameter scales'):
        AnomalyDetector(method="reconstruction", scales=(1, 0.5)).fit([texture(0)])


def test_too_small_at_the_lowest_scale_names_the_remedy():
    with pytest.raises(ParameterError, match=r"At scale 0.5 the training images are smaller"):
        AnomalyDetector(method="all-in-one").fit([texture(0, shape=(60, 60)), texture(1, shape=(60, 60))])


@pytest.mark.parametrize("name", ["group-coding", "outlier-coding"])
def test_explanations_say_which_indicator_and_scale_speak(name):
    good = [texture(seed) for seed in range(3)]
    bad = texture(7)
    bad[40:72, 50:90] = texture(5).T[40:72, 50:90]
    detector = AnomalyDetector(method=name, **SMALL).fit(good)
    found = detector.inspect(bad)
    explanations = detector.explain(found)
    assert len(explanations) == len(found.defects) > 0
    first = explanations[0]
    assert sum(first.indicators.values()) == pytest.approx(1)
    assert set(first.scales) == {1.0, 0.75, 0.5}
    assert sum(first.scales.values()) == pytest.approx(1 if first.atoms else 0)
    top, left = first.corner
    assert np.array_equal(first.patch, bad[top : top + 16, left : left + 16])
    assert 24 < top + 8 < 88
    assert 34 < left + 8 < 106
    names = list(detector.scorer_.indicators)
    assert sorted(first.indicators) == sorted(names)
    shares = list(first.indicators.values())
    assert shares == sorted(shares, reverse=True)


def test_reconstruction_of_a_normal_patch_resembles_it():
    detector = AnomalyDetector(method="group-coding", **SMALL).fit([texture(seed) for seed in range(3)])
    image = texture(8).astype(np.float32)
    explanation = detector.scorer_.explain(Observed(image), (60, 60))
    errors = explanation.reconstruction - explanation.patch
    assert np.sqrt(np.mean(errors**2)) < 0.4 * explanation.patch.std()
    assert explanation.corner == (52, 52)
    assert sum(explanation.scales.values()) == pytest.approx(1)
    codes = [abs(code) for _, code in explanation.atoms]
    assert codes == sorted(codes, reverse=True)
    assert codes


def test_shares_follow_the_indicator_that_deviates():
    rng = np.random.default_rng(0)
    region = NormalityRegion.of(rng.normal(size=(500, 3)) * (1, 10, 100))
    assert region.shares(np.array([0, 80.0, 0])).argmax() == 1
    vector = rng.normal(size=(1, 3)) * (5, 50, 500)
    assert region.shares(vector[0]).sum() == pytest.approx(1)
