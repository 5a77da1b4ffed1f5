import csv
import dataclasses
import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image as PillowImage

from sparsight.errors import SparsightError
from sparsight.report import InspectionRun, caution, facts, model_card, promise, strict_json
from sparsight.report.records import ImageRecord


class Page(HTMLParser):
    """What a page shows and what it asks for."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture
def run(tmp_path, card, make_inspection):
    run = InspectionRun(tmp_path / "found", card, 3)
    run.add("good", tmp_path / "good.png", make_inspection(peak=1.0))
    run.add("bad", tmp_path / "bad.png", make_inspection(unseen=True))
    run.add_failure("torn", tmp_path / "torn.png", "cannot read 'torn.png': the file is damaged")
    return run


def pixels_of(path):
    with PillowImage.open(path) as image:
        return np.asarray(image)


def test_files_of_an_image(run, make_inspection):
    found = make_inspection(unseen=True)
    assert pixels_of(run.folder / "bad_overlay.png").shape == (60, 90, 3)
    mask = pixels_of(run.folder / "bad_mask.png")
    assert mask.shape == (60, 90)
    assert set(np.unique(mask)) == {0, 255}
    assert np.array_equal(mask == 255, found.mask)
    scores = pixels_of(run.folder / "bad_score.tif")
    assert scores.dtype == np.float32
    assert np.array_equal(scores, found.score_map, equal_nan=True)


@pytest.mark.parametrize(
    ("magnification", "doubt"), [(0.624, None), (0.3, "the model is ready for 1"), (None, None)]
)
def test_a_magnification_that_pixel_sizes_tell_is_said(tmp_path, card, make_inspection, magnification, doubt):
    run = InspectionRun(tmp_path / "found", card, 1)
    inspection = dataclasses.replace(make_inspection(), magnification=magnification, doubt=doubt)
    run.add("part", tmp_path / "part.png", inspection)
    text = Page(run.finish().read_text(encoding="utf-8")).text
    said = "times the magnification of the good images, by its pixel size"
    assert (said in text) == (magnification is not None)
    assert magnification is None or f"{magnification:.2g} {said}" in text
    assert ("Do not rely on this: the model is ready for 1" in text) == (doubt is not None)


def test_json_holds_every_figure_and_is_strict(run):
    run.finish()
    text = (run.folder / "results.json").read_text(encoding="utf-8")
    results = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert results["summary"]["n_images"] == 3
    assert results["summary"]["n_defective"] == 1
    assert results["summary"]["n_failed"] == 1
    good, bad, torn = results["images"]
    assert (good["verdict"], bad["verdict"], torn["verdict"]) == ("normal", "defective", None)
    assert torn["error"].startswith("cannot read")
    assert bad["area_px"] == 150 == bad["defects"][0]["area_px"]
    assert bad["area_um2"] == pytest.approx(150 * 0.25)
    assert bad["area_fraction"] == pytest.approx(150 / (55 * 90))
    assert bad["peak_over_threshold"] == pytest.approx(2.75)
    assert bad["defects"][0]["bounding_box"] == [20, 40, 30, 55]
    assert all((run.folder / file).is_file() for file in bad["outputs"].values())


def test_tables_open_in_a_spreadsheet(run):
    run.finish()
    assert (run.folder / "results.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (run.folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        good, bad, torn = csv.DictReader(file)
    assert (good["image"], good["verdict"], good["defects"]) == ("good", "normal", "0")
    assert float(bad["area_percent"]) == pytest.approx(100 * 150 / (55 * 90), rel=1e-5)
    assert (torn["verdict"], torn["area_px"]) == ("not inspected", "")
    assert torn["error"]
    with (run.folder / "defects.csv").open(encoding="utf-8-sig", newline="") as file:
        (defect,) = csv.DictReader(file)
    assert (defect["image"], defect["defect"], defect["area_px"]) == ("bad", "1", "150")
    assert float(defect["centroid_row"]) == pytest.approx(24.5)


def test_page_asks_nothing_of_the_network(run):
    page = Page(run.finish().read_text(encoding="utf-8"))
    assert page.all("img")
    assert all(image["src"].startswith("data:image/") for image in page.all("img"))
    assert not page.all("script")
    assert not page.all("link")
    (policy,) = (meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")
    for link in page.all("a"):  # to places in the page, or to the files beside it
        assert link["href"].startswith("#") or (run.folder / link["href"]).is_file()


def test_page_can_be_read_by_ear(run):
    page = Page(run.finish().read_text(encoding="utf-8"))
    assert page.all("html")[0]["lang"] == "en"
    assert all(image["alt"] for image in page.all("img"))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in page.all("svg"))


def test_page_says_what_matters_worst_first(run):
    page = Page(run.finish().read_text(encoding="utf-8"))
    text = " ".join(page.text.split())
    assert "1 of 2 images is defective" in text
    assert "1 image could not be inspected" in text
    assert "the file is damaged" in text
    assert "37.5" in text  # µm²
    assert "0.1 % of the pixels" in text
    assert "7 good images" in text
    rows = [text.index(name) for name in ("All images, worst first", "bad defective", "good normal")]
    assert rows == sorted(rows)


def test_names_cannot_break_the_page(tmp_path, card, make_inspection):
    run = InspectionRun(tmp_path / "found", card, 1)
    name = 'a "b" <img src=x> & c#1'
    run.add(name, tmp_path / f"{name}.png", make_inspection())
    page = Page(run.finish().read_text(encoding="utf-8"))
    assert name in page.text
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    hrefs = [link["href"] for link in page.all("a") if "overlay" in link["href"]]
    assert hrefs == ["a%20%22b%22%20%3Cimg%20src%3Dx%3E%20%26%20c%231_overlay.png"]


def test_unknown_pixel_sizes_leave_no_square_micrometres(tmp_path, card, make_inspection):
    run = InspectionRun(tmp_path / "found", card, 1)
    run.add("part", tmp_path / "part.png", make_inspection(pixel_size_um=None))
    assert run.summary()["area_um2"] is None
    assert "150 pixels" in Page(run.finish().read_text(encoding="utf-8")).text


def test_a_run_in_which_nothing_could_be_read_is_reported(tmp_path, card):
    run = InspectionRun(tmp_path / "found", card, 1)
    run.add_failure("torn", tmp_path / "torn.png", "it is torn")
    text = Page(run.finish().read_text(encoding="utf-8")).text
    assert "No image could be inspected" in text
    assert "it is torn" in text


def test_pictures_beyond_the_budget_are_left_out_of_the_page(run, monkeypatch):
    monkeypatch.setattr("sparsight.report.page.PICTURE_BUDGET", run.entries[1].thumbnails.n_bytes + 1)
    page = Page(run.finish().read_text(encoding="utf-8"))
    assert len(page.all("article")) == 1
    assert "The pictures of 1 further image" in page.text
    assert {"#image-1"} == {link["href"] for link in page.all("a") if link["href"].startswith("#")}


def test_many_defects_are_folded_away(tmp_path, card, make_inspection):
    found = make_inspection()
    many = type(found)(
        found.image, found.score_map, found.threshold, found.mask, found.defects * 15, found.seconds
    )
    run = InspectionRun(tmp_path / "found", card, 1)
    run.add("part", tmp_path / "part.png", many)
    page = Page(run.finish().read_text(encoding="utf-8"))
    assert "3 more defects" in page.text
    assert len(page.all("details")) == 1


def test_results_cannot_be_written_where_a_file_stands(tmp_path, card, make_inspection):
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "part_overlay.png").mkdir()
    run = InspectionRun(tmp_path / "found", card, 1)
    with pytest.raises(SparsightError, match="part_overlay"):
        run.add("part", tmp_path / "part.png", make_inspection())


def test_what_is_not_finite_is_null():
    assert json.loads(strict_json({"a": [math.nan, (1.5, math.inf)], "b": 1})) == {
        "a": [None, [1.5, None]],
        "b": 1,
    }


def test_severity_orders_by_verdict_area_and_peak():
    def record(**figures):
        return ImageRecord("", "", **figures)

    ordered = [
        record(error="unread"),
        record(verdict="normal", area_fraction=0.0, peak_over_threshold=0.5),
        record(verdict="normal", area_fraction=0.0, peak_over_threshold=0.9),
        record(verdict="defective", area_fraction=0.1, peak_over_threshold=9.0),
        record(verdict="defective", area_fraction=0.2, peak_over_threshold=2.0),
    ]
    assert sorted([ordered[k] for k in (3, 0, 4, 2, 1)], key=lambda each: each.severity) == ordered


def test_the_promise_states_rate_and_sample(card):
    assert "0.1 % of the pixels" in promise(card)
    assert "7 good images (123,456 pixels; folds of images)" in promise(card)
    assert caution(card) is None


def test_few_images_are_a_reason_for_caution(card):
    card["calibration"]["n_images"] = 2
    assert "2 good images only" in caution(card)
    card["calibration"]["warning"] = "one image, cut in two"
    assert caution(card).endswith("one image, cut in two")


@pytest.mark.parametrize("changed", [{"threshold_in_use": 9.0}, {"calibration": {"false_alarm_rate": None}}])
def test_a_threshold_set_by_hand_promises_nothing(card, changed):
    assert "no false-alarm rate is promised" in promise({**card, **changed})


def test_facts_name_images_settings_and_origin(card):
    told = dict(facts(card))
    assert told["Trained on"].startswith("7 good images: good_0, good_1")
    assert told["Image size"] == "60 × 90 pixels (height × width)"
    assert told["Settings"] == "patch_size 16"
    assert "0.5 µm" in told["Pixel size"]


def test_model_card_is_strict_json_of_a_trained_detector():
    from sparsight import AnomalyDetector

    texture = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    detector = AnomalyDetector(patch_size=8).fit([texture, texture[::-1]])
    card = json.loads(strict_json(model_card(detector, "m.sparsight")))
    assert card["threshold"] == card["threshold_in_use"] == detector.threshold_
    assert dict(facts(card))["Method"] == detector.method
    assert "2 good images" in promise(card)
