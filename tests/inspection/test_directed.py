import numpy as np
import pytest

from sparsight.errors import ParameterError
from sparsight.evaluation import pixel_auroc
from sparsight.inspection import AnomalyDetector


def texture(seed):
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((128, 160))
    waves = np.sin(rows / 3 + 0.3 * np.sin(columns / 17 + seed)) * 40
    return np.clip(120 + waves + rng.normal(0, 4, waves.shape), 0, 255).astype(np.uint8)


def faulty(seed, change):
    image, mask = texture(seed).astype(float), np.zeros((128, 160), bool)
    mask[40:60, 30 + 5 * (seed % 7) : 50 + 5 * (seed % 7)] = True
    image[mask] = change(image[mask])
    return np.clip(image, 0, 255).astype(np.uint8), mask


def separation(detector, image, mask):
    return pixel_auroc([detector.score_map(image)], [mask])


@pytest.fixture(scope="module")
def good():
    return [texture(seed) for seed in range(2)]


def detector(**settings):
    return AnomalyDetector(n_components=32, threshold=3.0, **settings)


def test_what_is_declared_is_seen_better_and_its_opposite_worse(good):
    bright, mask = faulty(5, lambda values: values + 2.5)
    gains = [
        separation(detector(defects=declared).fit(good), bright, mask)
        for declared in ("bright", None, "dark")
    ]
    assert gains[0] > gains[1] > gains[2]


def test_marked_defects_teach_what_to_look_for(good, tmp_path):
    marked = [faulty(seed, lambda values: values + 2.5) for seed in (11, 12, 13, 14)]
    plain = detector().fit(good)
    taught = detector().fit(good, defects=[i for i, _ in marked], defect_masks=[m for _, m in marked])
    note = taught.provenance_["notes"]["marked_defects"]
    assert note["auroc_with"] > note["auroc_without"]
    image, mask = faulty(5, lambda values: values + 2.5)
    assert separation(taught, image, mask) > separation(plain, image, mask)
    taught.save(tmp_path / "m.sparsight")
    restored = AnomalyDetector.load(tmp_path / "m.sparsight")
    np.testing.assert_array_equal(restored.score_map(image), taught.score_map(image))


def test_marks_that_do_not_help_are_refused(good):
    random = np.random.default_rng(0)
    masks = [np.kron(random.random((8, 10)) < 0.2, np.ones((16, 16))).astype(bool) for _ in range(3)]
    with pytest.raises(ParameterError, match=r"do not help.*0\.\d+ without and 0\.\d+ with"):
        detector().fit(good, defects=[texture(seed) for seed in (3, 4, 5)], defect_masks=masks)


@pytest.mark.parametrize(
    ("settings", "given", "message"),
    [
        ({"defects": "shiny"}, {}, "bright, dark, rough, smooth"),
        ({"defects": "dark", "scales": (1, 0.5)}, {}, "together with scales"),
        ({"method": "reconstruction", "defects": "dark"}, {}, "no parameter defects"),
        ({}, {"defects": [0]}, "defect_masks"),
        ({}, {"defects": [0], "defect_masks": [0, 0]}, "2 masks were given for 1"),
        ({}, {"defects": [0], "defect_masks": [0]}, "two marked images at least"),
    ],
)
def test_what_cannot_be_done_is_refused(good, settings, given, message):
    image, mask = faulty(5, lambda values: values + 5)
    given = {
        name: [{"defects": image, "defect_masks": mask}[name] for _ in values]
        for name, values in given.items()
    }
    with pytest.raises(ParameterError, match=message):
        AnomalyDetector(threshold=1.0, **settings).fit(good[:1], **given)
