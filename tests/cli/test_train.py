import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from sparsight import AnomalyDetector
from sparsight.cli.train import Recipe
from sparsight.images import write_image
from sparsight.inspection.methods import METHODS


@pytest.fixture
def model(tmp_path):
    return tmp_path / "model.sparsight"


def write_texture(path, shape=(96, 112), seed=0, dtype=np.uint8):
    random = np.random.default_rng(seed)
    pixels = np.clip(random.normal(120, 20, shape), 0, 255)
    write_image(path, (pixels / 255 if np.dtype(dtype).kind == "f" else pixels).astype(dtype))
    return path


def test_recipes_are_those_of_the_detector():
    assert {recipe.value for recipe in Recipe} == set(METHODS)


def test_a_model_is_learned_and_explained(sparsight, data, model):
    ended = sparsight("train", data / "good", "-o", model, "--patch-size", 8)
    assert (ended.code, model.is_file()) == (0, True)
    assert "from 2 images in " in ended.out
    assert "0.1 % of the pixels" in ended.out
    assert "2 good images" in ended.out
    assert f"sparsight inspect {model}" in ended.out
    assert ended.err.startswith("warning: The threshold rests on 2 good images only")
    detector = AnomalyDetector.load(model)
    assert f"Threshold {detector.threshold_:.4g}." in ended.out
    assert detector.patch_size == 8


def test_options_reach_the_detector(sparsight, data, model):
    words = ["--recipe", "single-scale", "--patch-size", 12, "--false-alarm-rate", 0.01, "--seed", 3]
    assert sparsight("train", data / "good", "-o", model, *words).code == 0
    detector = AnomalyDetector.load(model)
    assert (detector.method, detector.patch_size) == ("single-scale", 12)
    assert (detector.false_alarm_rate, detector.random_state) == (0.01, 3)


def test_the_same_seed_gives_the_same_model(sparsight, data, tmp_path):
    thresholds = []
    for name in ("a", "b"):
        sparsight("train", data / "good", "-o", tmp_path / name, "--seed", 5)
        thresholds.append(AnomalyDetector.load(tmp_path / name).threshold_)
    assert thresholds[0] == thresholds[1]


def test_a_threshold_by_hand_promises_nothing(sparsight, data, model):
    ended = sparsight("train", data / "good", "-o", model, "--threshold", 10)
    assert AnomalyDetector.load(model).threshold_ == 10
    assert "no false-alarm rate is promised" in ended.out
    assert ended.err == ""


def test_one_image_is_enough_with_a_warning(sparsight, data, model):
    ended = sparsight("train", data / "good" / "good0.png", "-o", model)
    assert ended.code == 0
    assert "from 1 image in " in ended.out
    assert ended.err.startswith("warning: ")


@pytest.mark.parametrize("as_folder", [False, True])
def test_ignored_parts_are_not_learned(sparsight, data, tmp_path, model, as_folder):
    pixels = read(data / "good" / "good0.png").copy()
    random = np.random.default_rng(0)
    caption = np.zeros(pixels.shape, dtype=bool)
    caption[80:] = True
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a", "b"):
        pixels[80:] = np.where(random.random((16, 112)) < 0.3, 255, 0)  # unlike any texture
        write_image(folder / f"{name}.png", pixels)
    masks = tmp_path / "masks"
    masks.mkdir()
    for name in ("a_mask", "b_mask"):
        write_image(masks / f"{name}.png", caption)
    ignore = masks if as_folder else masks / "a_mask.png"

    thresholds = []
    for words in ([], ["--ignore", ignore]):
        assert sparsight("train", folder, "-o", model, *words).code == 0
        thresholds.append(AnomalyDetector.load(model).threshold_)
    assert thresholds[1] < 0.6 * thresholds[0]


def read(path):
    with PillowImage.open(path) as image:
        return np.asarray(image)


def _text(folder):
    (folder / "x.png").write_text("not an image")


def _truncated_tiff(folder):
    tifffile.imwrite(folder / "x.tif", np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))
    content = (folder / "x.tif").read_bytes()
    (folder / "x.tif").write_bytes(content[: len(content) // 2])


def _not_finite(value):
    def make(folder):
        pixels = np.random.default_rng(0).random((64, 64)).astype(np.float32)
        pixels[3, 4] = value
        tifffile.imwrite(folder / "x.tif", pixels)

    return make


def _colour_beside_grey(folder):
    write_texture(folder / "w.png")
    write_texture(folder / "x.png", (96, 112, 3))


def _deep_beside_shallow(folder):
    write_texture(folder / "w.png")
    write_texture(folder / "x.tif", dtype=np.uint16)


BAD_IMAGES = {
    "no images in the folder": (lambda folder: (folder / "readme.txt").touch(), "images"),
    "text named png": (_text, "x.png"),
    "empty file": (lambda folder: (folder / "x.png").touch(), "x.png"),
    "truncated tiff": (_truncated_tiff, "x.tif"),
    "smaller than a patch": (lambda folder: write_texture(folder / "x.png", (10, 40)), "x"),
    "constant": (lambda folder: write_image(folder / "x.png", np.full((64, 64), 9, np.uint8)), "x"),
    "nan": (_not_finite(np.nan), "x.tif"),
    "infinite": (_not_finite(np.inf), "x.tif"),
    "fewer patches than atoms": (lambda folder: write_texture(folder / "x.png", (17, 17)), "atoms"),
    "colour beside grey": (_colour_beside_grey, "x"),
    "16 bits beside 8": (_deep_beside_shallow, "x"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_bad_images_are_named_and_leave_no_model(refused, files_in, tmp_path, model, kind):
    make, named = BAD_IMAGES[kind]
    folder = tmp_path / "images"
    folder.mkdir()
    make(folder)
    before = files_in(tmp_path)
    assert named in refused("train", folder, "-o", model, "--recipe", "reconstruction")
    assert files_in(tmp_path) == before


def test_a_missing_file(refused, tmp_path, model):
    assert "no_such.png" in refused("train", tmp_path / "no_such.png", "-o", model)


def test_a_mask_of_another_size(refused, data, tmp_path, model):
    write_image(tmp_path / "mask.png", np.eye(20, dtype=bool))
    said = refused("train", data / "good", "-o", model, "--ignore", tmp_path / "mask.png")
    assert "mask" in said
    assert "good0" in said
    assert not model.exists()


def test_a_mask_that_hides_everything(refused, data, tmp_path, model):
    write_image(tmp_path / "mask.png", np.ones((96, 112), dtype=bool))
    said = refused("train", data / "good", "-o", model, "--ignore", tmp_path / "mask.png")
    assert "hides every pixel" in said
    assert not model.exists()


def test_where_no_model_can_be_written_nothing_is_learned(refused, data, tmp_path, monkeypatch):
    monkeypatch.setattr(AnomalyDetector, "fit", lambda *_: pytest.fail("it was learned"))
    assert "does not exist" in refused("train", data / "good", "-o", tmp_path / "no" / "model")
    assert "folder" in refused("train", data / "good", "-o", tmp_path)


def test_an_interrupted_training_leaves_the_old_model(sparsight, data, model, monkeypatch):
    sparsight("train", data / "good", "-o", model)
    before = model.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", interrupt)
    ended = sparsight("train", data / "good", "-o", model, "--seed", 1)
    assert ended.code == 130
    assert model.read_bytes() == before
    assert list(model.parent.iterdir()) == [model]


def test_scales_reach_the_detector(sparsight, data, model):
    ended = sparsight(
        "train", data / "good", "-o", model, "--recipe", "all-in-one", "--patch-size", 8, "--scales", "1,0.8"
    )
    assert ended.code == 0
    assert AnomalyDetector.load(model).scales == [1, 0.8]


def test_whether_group_coding_suits_a_texture_is_said(sparsight, data, model):
    words = ["--recipe", "group-coding", "--patch-size", 8, "--threshold", 3]
    trained = sparsight("train", data / "good", "-o", model, *words)
    advice = AnomalyDetector.load(model).provenance_["notes"]["advice"]
    assert advice in trained.out
    assert advice in sparsight("info", model).out


def test_images_shrunk_in_software_are_expected_without_the_noise_of_others(sparsight, data, model):
    arguments = ["train", data / "good", "-o", model, "--shrunk-in-software"]
    ended = sparsight(*arguments, "--scales", "1,0.8")
    assert ended.code == 0, ended.err
    assert AnomalyDetector.load(model).match_noise is False
    refused = sparsight(*arguments)
    assert refused.code != 0
    assert "--shrunk-in-software goes with --scales" in refused.err


def test_scales_that_are_no_numbers_are_refused(sparsight, data, model):
    ended = sparsight("train", data / "good", "-o", model, "--scales", "1;0.5")
    assert ended.code == 2
    assert "Invalid value for '--scales'" in ended.err
    assert not model.exists()


def test_what_is_known_of_defects_reaches_the_detector(sparsight, data, model):
    assert sparsight("train", data / "good", "-o", model, "--defects", "bright,rough").code == 0
    assert AnomalyDetector.load(model).defects == ["bright", "rough"]


def test_examples_are_refused_without_masks_and_when_they_do_not_help(sparsight, data, model):
    assert sparsight("train", data / "good", "-o", model, "--examples", data / "new").code == 2
    words = ["--examples", data / "new", "--example-masks", data / "truth"]
    ended = sparsight("train", data / "good", "-o", model, *words)
    assert ended.code == 1
    assert "on examples left out" in ended.err
    assert not model.exists()
