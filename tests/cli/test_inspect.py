import json
import shutil

import numpy as np
import pytest
from PIL import Image as PillowImage

from sparsight import AnomalyDetector
from sparsight.images import write_image

PER_IMAGE = ("overlay.png", "mask.png", "score.tif")
PER_RUN = ["defects.csv", "report.html", "results.csv", "results.json"]


@pytest.fixture
def found(tmp_path):
    return tmp_path / "found"


def read(path):
    with PillowImage.open(path) as image:
        return np.asarray(image)


def results_in(folder):
    def refuse(name):
        pytest.fail(f"{name} is not JSON")

    text = (folder / "results.json").read_text(encoding="utf-8")
    return json.loads(text, parse_constant=refuse)


def test_everything_promised_is_written(sparsight, files_in, data, found):
    ended = sparsight("inspect", data / "model.sparsight", data / "new", "-o", found)
    assert (ended.code, ended.err) == (0, "")
    images = [f"{name}_{part}" for name in ("cut", "dent", "fine") for part in PER_IMAGE]
    assert files_in(found) == sorted(images + PER_RUN)
    assert "2 of 3 images defective" in ended.out
    assert str(found / "report.html") in ended.out


def test_masks_and_scores_are_those_of_the_detector(sparsight, data, found):
    sparsight("inspect", data / "model.sparsight", data / "new", "-o", found)
    detector = AnomalyDetector.load(data / "model.sparsight")
    for name in ("cut.tif", "fine.png"):
        inspection = detector.inspect(data / "new" / name)
        stem = name.split(".")[0]
        mask, scores = read(found / f"{stem}_mask.png"), read(found / f"{stem}_score.tif")
        assert (mask.dtype, scores.dtype) == (np.uint8, np.float32)
        assert set(np.unique(mask)) <= {0, 255}
        assert np.array_equal(mask > 0, inspection.mask)
        assert np.array_equal(scores, inspection.score_map, equal_nan=True)
        assert read(found / f"{stem}_overlay.png").shape == (96, 112, 3)


def test_results_agree_with_the_truth(sparsight, data, found):
    sparsight("inspect", data / "model.sparsight", data / "new", "-o", found)
    results = results_in(found)
    verdicts = {image["name"]: image["verdict"] for image in results["images"]}
    assert verdicts == {"cut": "defective", "dent": "defective", "fine": "normal"}
    (cut,) = (image for image in results["images"] if image["name"] == "cut")
    row, column = cut["defects"][0]["centroid"]
    assert (40 <= row < 54, 60 <= column < 74) == (True, True)
    assert cut["area_um2"] == pytest.approx(0.25 * cut["area_px"])
    assert results["model"]["threshold"] == AnomalyDetector.load(data / "model.sparsight").threshold_


def test_it_is_said_what_speaks_for_each_defect(sparsight, data, found):
    ended = sparsight("inspect", data / "model.sparsight", data / "new", "-o", found)
    (cut,) = (image for image in results_in(found)["images"] if image["name"] == "cut")
    (defect,) = cut["defects"]
    reason = defect["explanation"]["reason"]
    assert reason in ("brighter than rebuilt", "structure that is not rebuilt")
    assert reason in " ".join(ended.out.split())
    assert reason in (found / "defects.csv").read_text(encoding="utf-8-sig")
    assert reason in (found / "report.html").read_text(encoding="utf-8")
    assert len(defect["explanation"]["corner"]) == 2


def test_images_of_the_same_name_keep_apart(sparsight, files_in, tmp_path, data, found, write_damaged):
    files = [
        tmp_path / "monday" / "part.png",
        tmp_path / "friday" / "part.png",
        tmp_path / "friday" / "part.tif",
    ]
    for file in files:
        file.parent.mkdir(exist_ok=True)
    write_damaged(files[0])
    for file in files[1:]:
        write_image(file, read(data / "new" / "fine.png"))
    assert sparsight("inspect", data / "model.sparsight", *files, "-o", found).code == 0
    images = results_in(found)["images"]
    assert len({image["name"] for image in images}) == 3
    assert [image["verdict"] for image in images] == ["defective", "normal", "normal"]
    for image in images:
        assert all((found / file).is_file() for file in image["outputs"].values())
    assert len(files_in(found)) == 3 * len(PER_IMAGE) + len(PER_RUN)
    assert read(found / images[0]["outputs"]["mask"]).any()
    assert not read(found / images[1]["outputs"]["mask"]).any()


@pytest.fixture
def mixed(tmp_path, data):
    """A folder with one defective, one fine and several unusable images."""
    folder = tmp_path / "mixed"
    shutil.copytree(data / "new", folder)
    (folder / "text.png").write_text("not an image")
    write_image(folder / "small.png", np.eye(5, dtype=np.uint8))
    write_image(
        folder / "colour.png", np.random.default_rng(0).integers(0, 255, (96, 112, 3), dtype=np.uint8)
    )
    write_image(folder / "flat.png", np.full((96, 112), 7, np.uint8))
    return folder


def test_an_image_that_cannot_be_read_does_not_stop_the_others(sparsight, data, mixed, found):
    ended = sparsight("inspect", data / "model.sparsight", mixed, "-o", found, "--fail-on-defect")
    assert ended.code == 1
    assert "2 of 3 images defective" in ended.out
    lines = ended.err.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("warning: not inspected: ") for line in lines)
    errors = {image["name"]: image["error"] for image in results_in(found)["images"]}
    assert {name for name, error in errors.items() if error} == {"text", "small", "colour", "flat"}
    assert "not inspected" in (found / "results.csv").read_text(encoding="utf-8-sig")
    assert "could not be inspected" in (found / "report.html").read_text(encoding="utf-8")
    assert not list(found.glob("text_*"))


@pytest.mark.parametrize(("image", "code"), [("cut.tif", 3), ("fine.png", 0)])
def test_fail_on_defect(sparsight, data, found, image, code):
    words = ["inspect", data / "model.sparsight", data / "new" / image, "-o", found]
    assert sparsight(*words).code == 0
    assert sparsight(*words, "--fail-on-defect").code == code


@pytest.mark.parametrize("has_browser", [True, False])
def test_the_report_can_be_opened(sparsight, data, found, monkeypatch, has_browser):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda uri: opened.append(uri) or has_browser)
    words = ["inspect", data / "model.sparsight", data / "new" / "fine.png", "-o", found, "--open"]
    ended = sparsight(*words)
    assert ended.code == 0
    assert opened == [(found / "report.html").resolve().as_uri()]
    assert ended.err == "" if has_browser else "no browser" in ended.err


def test_another_threshold_is_used_and_said(sparsight, data, found):
    ended = sparsight("inspect", data / "model.sparsight", data / "new", "-o", found, "--threshold", 1e6)
    assert "0 of 3 images defective" in ended.out
    results = results_in(found)
    assert {image["threshold"] for image in results["images"]} == {1e6}
    assert "set by hand" in (found / "report.html").read_text(encoding="utf-8")


def test_what_is_ignored_is_no_defect(sparsight, data, found, tmp_path):
    write_image(tmp_path / "ignore.png", np.indices((96, 112))[0] >= 30)
    words = ["inspect", data / "model.sparsight", data / "new" / "cut.tif", "-o", found]
    assert sparsight(*words, "--ignore", tmp_path / "ignore.png", "--fail-on-defect").code == 0
    assert np.isnan(read(found / "cut_score.tif")[30:]).all()


def test_a_mask_of_another_size_is_reported(sparsight, data, found, tmp_path):
    write_image(tmp_path / "ignore.png", np.eye(9, dtype=bool))
    words = ["inspect", data / "model.sparsight", data / "new" / "cut.tif", "-o", found]
    ended = sparsight(*words, "--ignore", tmp_path / "ignore.png")
    assert ended.code == 1
    assert "ignore.png" in results_in(found)["images"][0]["error"]


def test_results_do_not_lie_among_the_images(refused, data, tmp_path, files_in):
    folder = tmp_path / "new"
    shutil.copytree(data / "new", folder)
    (folder / "cut_mask.png").write_bytes(b"drawn by hand")
    before = files_in(folder)
    assert "name another folder" in refused("inspect", data / "model.sparsight", folder, "-o", folder)
    assert files_in(folder) == before


def test_a_second_run_replaces_the_first_and_nothing_else(sparsight, data, found, files_in):
    found.mkdir()
    (found / "notes.txt").write_text("mine")
    for _ in range(2):
        assert sparsight("inspect", data / "model.sparsight", data / "new", "-o", found).code == 0
    assert (found / "notes.txt").read_text() == "mine"
    assert len(files_in(found)) == 3 * len(PER_IMAGE) + len(PER_RUN) + 1


def _foreign(path):
    path.write_text("not a model")


def _truncated(path, data):
    path.write_bytes((data / "model.sparsight").read_bytes()[:-10])


@pytest.mark.parametrize("kind", ["missing", "foreign", "truncated", "folder"])
def test_bad_models(refused, data, tmp_path, found, kind):
    model = tmp_path / "bad.sparsight"
    if kind == "foreign":
        model.write_text("not a model")
    elif kind == "truncated":
        model.write_bytes((data / "model.sparsight").read_bytes()[:-10])
    elif kind == "folder":
        model.mkdir()
    assert "bad.sparsight" in refused("inspect", model, data / "new", "-o", found)
    assert not found.exists()


def test_missing_and_empty_places_to_look(refused, data, tmp_path, found):
    model = data / "model.sparsight"
    assert "no_such" in refused("inspect", model, tmp_path / "no_such.png", "-o", found)
    (tmp_path / "empty").mkdir()
    assert "empty" in refused("inspect", model, tmp_path / "empty", "-o", found)
    assert not found.exists()


def test_results_cannot_go_into_a_file(refused, data, tmp_path):
    (tmp_path / "file").touch()
    said = refused("inspect", data / "model.sparsight", data / "new", "-o", tmp_path / "file")
    assert "name a folder" in said


def test_an_interrupted_run_leaves_whole_files_only(sparsight, data, found, monkeypatch):
    inspect = AnomalyDetector.inspect
    seen = []

    def interrupted(self, image, *args, **settings):
        seen.append(image)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return inspect(self, image, *args, **settings)

    monkeypatch.setattr(AnomalyDetector, "inspect", interrupted)
    ended = sparsight("inspect", data / "model.sparsight", data / "new", "-o", found)
    assert (ended.code, ended.out) == (130, "")
    assert sorted(path.name for path in found.iterdir()) == [f"cut_{part}" for part in sorted(PER_IMAGE)]


def test_nothing_but_results_is_printed_to_a_file(sparsight, data, found):
    ended = sparsight("inspect", data / "model.sparsight", data / "new", "-o", found)
    assert "\x1b" not in ended.out + ended.err
    assert "inspecting" not in ended.err
