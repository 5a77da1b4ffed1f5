import json

import numpy as np
import pytest
from PIL import Image as PillowImage

from sparsight import AnomalyDetector
from sparsight.cli import demo


def test_info_tells_where_a_model_comes_from(sparsight, data):
    ended = sparsight("info", data / "model.sparsight")
    assert ended.code == 0
    for told in (
        "2 good images: good0, good1",
        "reconstruction",
        "0 to 255",
        "96 × 112",
        "0.1 % of the pixels",
    ):
        assert told in ended.out


def test_info_for_programs(sparsight, data):
    ended = sparsight("info", data / "model.sparsight", "--json")
    assert json.loads(ended.out)["threshold"] == AnomalyDetector.load(data / "model.sparsight").threshold_


def test_info_of_what_is_no_model(refused, tmp_path):
    assert "no_such" in refused("info", tmp_path / "no_such")


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "sparsight-demo"


def test_demo_does_the_whole_job(sparsight, demo_folder, monkeypatch):
    monkeypatch.setattr(demo, "SHAPE", (192, 256))
    ended = sparsight("demo", demo_folder)
    assert ended.code == 0
    for command in ("train", "inspect", "evaluate"):
        assert f"$ sparsight {command} " in ended.out
    report = demo_folder / "found" / "report.html"
    assert report.resolve().as_uri() in ended.out
    assert "Inspection report" in report.read_text(encoding="utf-8") or report.stat().st_size > 100_000
    figures = json.loads((demo_folder / "figures.json").read_text())
    assert figures["n_images"] == len(demo.DEFECTS)
    assert figures["pixel_auroc"] > 0.6
    with PillowImage.open(demo_folder / "truth" / f"fibres_{len(demo.DEFECTS)}_mask.png") as mask:
        assert not np.asarray(mask).any()
