import json

import numpy as np
import pytest
from PIL import Image as PillowImage

from sparsight import AnomalyDetector
from sparsight.evaluation import evaluate
from sparsight.images import write_image

FIGURES = ["pixel_auroc", "pixel_auroc_pooled", "pixel_ap", "aupro", "tpr", "fpr"]


def test_figures_are_those_of_the_protocol(sparsight, data, tmp_path):
    file = tmp_path / "figures.json"
    words = ["--images", data / "new", "--masks", data / "truth", "--json", file]
    ended = sparsight("evaluate", data / "model.sparsight", *words)
    assert ended.code == 0
    figures = json.loads(file.read_text(encoding="utf-8"))
    names = ["cut.tif", "dent.tif", "fine.png"]
    expected = evaluate(
        AnomalyDetector.load(data / "model.sparsight"),
        [data / "new" / name for name in names],
        [data / "truth" / "cut_gt.png", data / "truth" / "dent_gt.png", None],
    )
    for name in FIGURES:
        assert figures[name] == pytest.approx(getattr(expected, name))
    for name in FIGURES[:4]:
        assert f"{getattr(expected, name):.4f}" in ended.out
    assert figures["pixel_auroc"] > 0.95
    assert figures["n_images"] == 3
    assert figures["n_images_without_mask"] == 1
    assert figures["seconds"] > 0
    assert [image["name"] for image in figures["per_image"]] == ["cut", "dent", "fine"]
    assert figures["per_image"][2]["pixel_auroc"] is None


def test_what_a_reader_should_know_is_said(sparsight, data):
    ended = sparsight(
        "evaluate", data / "model.sparsight", "--images", data / "new", "--masks", data / "truth"
    )
    assert ended.code == 0
    first, second = ended.err.splitlines()
    assert "1 image without a mask" in first
    assert "1 image with only one kind of pixel" in second


@pytest.mark.parametrize("words", [["--json", "a.json"], ["--plot", "a.png"], ["--plot", "a.svg"]])
def test_the_roc_curve_is_drawn(sparsight, data, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    folders = ["--images", data / "new", "--masks", data / "truth"]
    ended = sparsight("evaluate", data / "model.sparsight", *folders, *words)
    assert ended.code == 0
    assert "ROC curve: a." in ended.out
    if words[-1] == "a.svg":
        assert "<svg" in (tmp_path / "a.svg").read_text()
    else:
        with PillowImage.open(tmp_path / "a.png") as picture:
            assert np.ptp(np.asarray(picture.convert("L"))) > 200


def test_masks_may_lie_beside_their_images(sparsight, data, tmp_path, write_damaged):
    for name in ("a", "b"):
        mask = write_damaged(tmp_path / f"{name}.png")
        write_image(tmp_path / f"{name}_mask.png", mask)
    file = tmp_path / "figures.json"
    words = ["--images", tmp_path, "--masks", tmp_path, "--json", file]
    assert sparsight("evaluate", data / "model.sparsight", *words).code == 0
    assert json.loads(file.read_text())["n_images"] == 2


def test_ignored_pixels_are_not_measured(sparsight, data, tmp_path):
    write_image(tmp_path / "ignore.png", np.ones((96, 112), bool) & (np.indices((96, 112))[0] >= 30))
    words = ["--images", data / "new", "--masks", data / "truth", "--json", tmp_path / "f.json"]
    ended = sparsight("evaluate", data / "model.sparsight", *words, "--ignore", tmp_path / "ignore.png")
    assert ended.code == 0
    assert json.loads((tmp_path / "f.json").read_text())["pixel_auroc"] is None


def test_bad_input(refused, data, tmp_path):
    model, images, truth = data / "model.sparsight", data / "new", data / "truth"
    (tmp_path / "empty").mkdir()
    write_image(tmp_path / "other.png", np.eye(96, dtype=bool))
    small = tmp_path / "small"
    small.mkdir()
    write_image(small / "cut.png", np.eye(20, dtype=bool))
    for folders, named in (
        (["--images", tmp_path / "no", "--masks", truth], "no"),
        (["--images", images, "--masks", tmp_path / "empty"], "empty"),
        (["--images", images, "--masks", tmp_path], "masks"),
        (["--images", images, "--masks", small], "cut"),
        (["--images", images, "--masks", truth, "--json", tmp_path / "no" / "f.json"], "does not exist"),
    ):
        assert named in refused("evaluate", model, *folders)


def test_a_plot_of_unknown_format_is_refused_before_the_work(refused, data, tmp_path):
    folders = ["--images", data / "new", "--masks", data / "truth"]
    said = refused("evaluate", data / "model.sparsight", *folders, "--plot", tmp_path / "roc.xyz")
    assert ".png" in said
    assert not (tmp_path / "roc.xyz").exists()
