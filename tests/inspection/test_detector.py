import numpy as np
import pytest
from sklearn.base import clone

from sparsight.errors import ImageError, ModelError, ParameterError
from sparsight.images import Image, write_image
from sparsight.inspection import AnomalyDetector
from sparsight.models import save_model

SETTINGS = {
    "universal": {},
    "reconstruction": {},
    "single-scale": dict(patch_size=16, stride=4, n_components=20),
}


def texture(seed, shape=(128, 160)):
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    waves = np.sin(rows / 3 + 0.3 * np.sin(columns / 17 + seed)) * 40
    return np.clip(120 + waves + rng.normal(0, 4, shape), 0, 255).astype(np.uint8)


def damaged(seed):
    image, truth = texture(seed), np.zeros((128, 160), bool)
    truth[30:48, 40:60] = truth[90:104, 110:130] = True
    noise = np.random.default_rng(seed).integers(0, 255, image.shape)
    return np.where(truth, noise, image).astype(np.uint8), truth


@pytest.fixture(scope="module", params=list(SETTINGS))
def detector(request):
    good = [texture(seed) for seed in range(3)]
    return AnomalyDetector(method=request.param, **SETTINGS[request.param]).fit(good)


def test_finds_the_damage_and_measures_it(detector):
    image, truth = damaged(7)
    found = detector.inspect(Image(image, (0, 255), pixel_size_um=0.5))
    assert found.verdict == "defective"
    assert found.score_map.shape == image.shape
    assert found.score_map.dtype == np.float32
    largest = sorted(found.defects, key=lambda defect: defect.area_px)[-2:]
    centres = sorted(defect.centroid for defect in largest)
    assert np.allclose(centres, [(38.5, 49.5), (96.5, 119.5)], atol=4)
    assert [defect.label for defect in found.defects] == list(range(1, len(found.defects) + 1))
    for defect in found.defects:
        top, left, bottom, right = defect.bounding_box
        assert top <= defect.centroid[0] < bottom
        assert left <= defect.centroid[1] < right
        assert defect.area_um2 == pytest.approx(defect.area_px * 0.25)
        assert defect.peak_score >= defect.mean_score > found.threshold
    assert found.mask.sum() == sum(defect.area_px for defect in found.defects)
    assert found.area_fraction == pytest.approx(found.mask.mean())
    assert found.mask[truth].mean() > 0.4


def test_an_image_that_is_marked_all_over_is_doubted(detector):
    other = np.random.default_rng(0).integers(0, 255, (128, 160)).astype(np.uint8)
    found = detector.inspect(other)
    assert found.area_fraction > 0.25
    assert found.doubt.startswith(f"{100 * found.area_fraction:.0f} % of it is marked. ")
    assert detector.inspect(damaged(7)[0]).doubt is None


def test_promised_false_alarm_rate_holds_on_unseen_good_images(detector):
    scores = np.stack([detector.score_map(texture(seed)) for seed in range(20, 26)])
    assert (scores > detector.threshold_).mean() < 5 * detector.false_alarm_rate
    assert detector.calibration_.n_images == 3
    assert detector.calibration_.how == "leave-one-image-out"
    assert "too few, for a rate of 0.001" in detector.calibration_.warning


def test_saved_model_scores_the_same(detector, tmp_path):
    detector.save(tmp_path / "model.sparsight")
    loaded = AnomalyDetector.load(tmp_path / "model.sparsight")
    image, _ = damaged(8)
    assert np.array_equal(loaded.score_map(image), detector.score_map(image))
    assert loaded.threshold_ == detector.threshold_
    assert loaded.calibration_ == detector.calibration_
    assert loaded.provenance_ == detector.provenance_
    assert loaded.get_params() == detector.get_params()


def test_masked_pixels_are_ignored(detector):
    image, truth = damaged(9)
    found = detector.inspect(image, mask=np.pad(truth, 0) | np.roll(truth, 1, 0) | np.roll(truth, -1, 0))
    assert np.isnan(found.score_map[truth]).all()
    assert not found.mask[truth].any()
    assert found.mask.mean() < 0.08  # patches beside the damage still see part of it


def test_training_masks_keep_damage_out_of_the_model():
    image, truth = damaged(3)
    wide = np.zeros_like(truth)
    wide[24:54, 34:66] = wide[84:110, 104:136] = True
    settings = dict(method="reconstruction", random_state=0)
    masked = AnomalyDetector(**settings).fit([image, texture(1)], masks=[wide, None])
    assert masked.inspect(image).mask[truth].mean() > 0.4
    assert masked.threshold_ < AnomalyDetector(**settings).fit([image, texture(1)]).threshold_


def test_reproducible_and_inputs_unchanged():
    images = [texture(0), texture(1)]
    copies = [image.copy() for image in images]
    first = AnomalyDetector(random_state=3).fit(images)
    second = clone(first).fit(images)
    assert first.threshold_ == second.threshold_
    assert np.array_equal(first.score_map(images[0]), second.score_map(images[0]))
    assert all(np.array_equal(image, copy) for image, copy in zip(images, copies, strict=True))


def test_one_image_is_calibrated_on_its_strips_with_a_warning():
    detector = AnomalyDetector().fit([texture(0)])
    assert detector.calibration_.how == "strips of one image"
    assert "one image" in detector.calibration_.warning
    assert detector.inspect(damaged(5)[0]).verdict == "defective"


def test_small_single_image_is_calibrated_on_itself_with_a_warning():
    detector = AnomalyDetector(method="reconstruction", n_components=3).fit([texture(0, (24, 24))])
    assert detector.calibration_.how == "the training images themselves"
    assert "too small" in detector.calibration_.warning


def test_threshold_can_be_given_and_overridden():
    detector = AnomalyDetector(threshold=10).fit([texture(0)])
    assert detector.threshold_ == 10
    assert detector.calibration_.false_alarm_rate is None
    image, _ = damaged(5)
    assert detector.inspect(image, threshold=1e6).verdict == "normal"
    assert np.array_equal(detector.inspect(image, threshold=1e6).score_map, detector.inspect(image).score_map)


def test_colour_and_many_channels_and_sixteen_bits():
    for n_channels, dtype, gain in ((3, np.uint8, 1), (5, np.uint16, 256)):
        good = np.stack([texture(k, (224, 288)) for k in range(n_channels)], axis=-1).astype(dtype) * dtype(
            gain
        )
        bad = good.copy()
        bad[40:60, 40:60] = np.iinfo(dtype).max
        detector = AnomalyDetector().fit([good])
        assert len(detector.inspect(bad).defects) == 1
        with pytest.raises(ImageError, match=r"1 channel.*training images have"):
            detector.inspect(good[..., 0])


def test_progress_is_reported():
    calls = []
    AnomalyDetector().fit([texture(0), texture(1)], progress=lambda *call: calls.append(call))
    assert [call[0] for call in calls] == [0, 1, 2, 3]
    assert {call[1] for call in calls} == {3}


def test_paths_are_accepted(tmp_path):
    for seed in range(2):
        write_image(tmp_path / f"good{seed}.png", texture(seed))
    detector = AnomalyDetector().fit([tmp_path / "good0.png", str(tmp_path / "good1.png")])
    assert [image["name"] for image in detector.provenance_["images"]] == ["good0", "good1"]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "No training images"),
        ([np.full((64, 64), 7, np.uint8)], "constant"),
        ([np.zeros((7, 64), np.uint8)], r"7×64 pixels, smaller than a 8×8 patch"),
        ([np.full((64, 64), np.nan)], "NaN"),
        ([np.eye(64), np.full((64, 64), np.inf)], "infin"),
        ([texture(0), np.stack([texture(0)] * 3, -1)], r"3 channel.*have 1"),
        ([texture(0), texture(1).astype(np.uint16)], r"intensities from 0 to 65535"),
    ],
)
def test_bad_training_images_are_refused(images, message):
    with pytest.raises(ImageError, match=message):
        AnomalyDetector().fit(images)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(method="magic"), "method must be one of 'universal', 'reconstruction', 'group-coding'"),
        (dict(false_alarm_rate=0), "false_alarm_rate"),
        (dict(false_alarm_rate=1.0), "false_alarm_rate must be below 1"),
        (dict(patch_size=0), "patch_size"),
        (dict(stride=99), "uncovered"),
        (dict(method="reconstruction", n_components=1000), r"80 patches.*1000 atoms"),
        (dict(min_area=0), "min_area"),
    ],
)
def test_bad_parameters_are_refused(settings, message):
    with pytest.raises(ParameterError, match=message):
        AnomalyDetector(**settings).fit([texture(0)])


def test_a_single_image_instead_of_a_list_is_refused():
    with pytest.raises(ParameterError, match="Give a list of training images"):
        AnomalyDetector().fit(texture(0))


def test_bad_masks_are_refused(detector):
    with pytest.raises(ParameterError, match="2 masks were given for 1 images"):
        AnomalyDetector().fit([texture(0)], masks=[None, None])
    with pytest.raises(ImageError, match=r"mask of .* has shape \(3, 3\)"):
        detector.inspect(texture(0), mask=np.zeros((3, 3), bool))
    with pytest.raises(ImageError, match="hides every pixel"):
        detector.inspect(texture(0), mask=np.ones((128, 160), bool))


def test_incomplete_model_is_refused(tmp_path):
    save_model(tmp_path / "model", "anomaly-detector", {"threshold": 1.0}, {"dictionary": np.zeros(3)})
    with pytest.raises(ModelError, match="lacks parts"):
        AnomalyDetector.load(tmp_path / "model")
