import base64
import csv
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image as PillowImage

from sparsight.images import as_image
from sparsight.inspection import Explanation
from sparsight.report import InspectionRun
from sparsight.report.evidence import evidence, how_many_to_explain, size_in_words


class Text(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.images, self.folded, self.text = [], 0, ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.folded += tag == "details"
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data):
        self.text = " ".join((self.text + data).split()) + " "


def reported(tmp_path, card, inspection, explanations):
    run = InspectionRun(tmp_path / "found", card, 1)
    run.add("part", tmp_path / "part.png", inspection, explanations)
    return Text(run.finish().read_text(encoding="utf-8")), run.folder


def decoded(uri):
    with PillowImage.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
        return np.asarray(picture)


def test_the_page_says_why(tmp_path, card, make_inspection, explanation):
    page, _ = reported(tmp_path, card, make_inspection(), [explanation])
    for told in ("brighter than normal", "60 %", "unusual contrast", "30 %", "half size", "75 %"):
        assert told in page.text, told
    assert "magnification 0.76" in page.text
    patches = [image for image in page.images if "rebuilt" in image["alt"] or "as seen" in image["alt"]]
    assert [image["src"].partition(";")[0] for image in patches] == ["data:image/png"] * 2


def test_patches_are_drawn_in_the_levels_of_their_image(make_inspection, explanation):
    pixels = np.linspace(50, 100.9, 40_000).reshape(200, 200).astype(np.uint8)
    inspection = make_inspection()
    (why,) = evidence(as_image(pixels), inspection.defects, [explanation])
    seen, rebuilt, difference = (decoded(uri) for uri in (why.seen, why.rebuilt, why.difference))
    assert seen.shape == rebuilt.shape == difference.shape == (8, 8)
    assert seen[3, 3] == pytest.approx(255 * (90 - 50) / 50, abs=2)
    assert rebuilt[3, 3] == pytest.approx(255 * (62 - 50) / 50, abs=2)
    assert difference[0, 0] == pytest.approx(127.5 - 255 * 2 / 50, abs=2)  # 2 darker than rebuilt
    assert why.n_bytes < 3000


def test_colour_stays_colour(make_inspection, explanation):
    colour = {"patch": np.zeros((8, 8, 3), np.float32), "reconstruction": np.zeros((8, 8, 3), np.float32)}
    colour["patch"][..., 0] = 200
    explained = Explanation(**{**vars(explanation), **colour})
    image = as_image(np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8))
    (why,) = evidence(image, make_inspection().defects, [explained])
    red, green, _ = decoded(why.seen)[0, 0]
    assert (red > 150, green < 50) == (True, True)


def test_many_are_folded_and_how_many_is_said(tmp_path, card, make_inspection, explanation):
    found = make_inspection()
    many = type(found)(
        found.image, found.score_map, found.threshold, found.mask, found.defects * 9, found.seconds
    )
    page, _ = reported(tmp_path, card, many, [explanation] * 5)
    assert "the 5 strongest of 9 defects" in page.text
    assert "Why: 2 more defects" in page.text
    assert page.folded == 1
    page, _ = reported(tmp_path, card, found, [explanation])
    assert "strongest of" not in page.text
    assert page.folded == 0


def test_tables_and_json_say_why(tmp_path, card, make_inspection, explanation):
    found = make_inspection()
    two = type(found)(
        found.image, found.score_map, found.threshold, found.mask, found.defects * 2, found.seconds
    )
    _, folder = reported(tmp_path, card, two, [explanation])
    with (folder / "defects.csv").open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert first["reason"] == "brighter than normal"
    assert (first["indicator"], first["scale"], first["judged_at"]) == ("brightness", "0.5", "0.76")
    assert (float(first["reason_share"]), float(first["scale_share"])) == (0.6, 0.75)
    assert (first["peak_row"], first["peak_column"]) == ("22", "45")
    assert float(first["area_px"]) == 150
    assert second["reason"] == second["scale"] == ""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    one, other = results["images"][0]["defects"]
    assert one["explanation"]["indicators"] == {"brightness": 0.6, "contrast": 0.3, "error": 0.1}
    assert one["explanation"]["scales"] == {"1": 0.25, "0.5": 0.75}
    assert one["explanation"]["atoms"] == [[3, 12.5], [7, -2.0]]
    assert other["explanation"] is None


def test_pictures_of_patches_count_for_the_pages_budget(tmp_path, card, make_inspection, explanation):
    run = InspectionRun(tmp_path / "found", card, 2)
    run.add("bare", tmp_path / "bare.png", make_inspection())
    run.add("told", tmp_path / "told.png", make_inspection(), [explanation])
    bare, told = run.entries
    assert told.n_bytes - bare.n_bytes == sum(each.n_bytes for each in told.evidence) > 0


def test_the_more_images_the_fewer_defects_of_each_are_explained():
    numbers = [how_many_to_explain(n) for n in (1, 100, 200, 10_000)]
    assert numbers == [6, 6, 3, 1]


def test_sizes_have_words():
    assert [size_in_words(scale) for scale in (1.0, 0.5, 0.67)] == [
        "full size",
        "half size",
        "0.67 of the size",
    ]
