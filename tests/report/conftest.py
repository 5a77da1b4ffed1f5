import numpy as np
import pytest

from sparsight.images import as_image
from sparsight.inspection import Explanation, Inspection, find_defects

THRESHOLD = 2.0


@pytest.fixture
def make_inspection():
    """An inspection as a detector returns it, of an image with one bright spot at a score of `peak`."""

    def make(peak=5.0, shape=(60, 90), pixel_size_um=0.5, name="part", dtype=np.uint8, unseen=False):
        random = np.random.default_rng(0)
        pixels = random.integers(40, 90, shape).astype(dtype)
        scores = random.random(shape).astype(np.float32)
        scores[20:30, 40:55] = peak
        scores[22, 45] = peak * 1.1
        if unseen:
            scores[:5] = np.nan
        image = as_image(pixels, name=name)
        image = type(image)(pixels, image.intensity_range, pixel_size_um=pixel_size_um, name=name)
        mask, defects = find_defects(scores, THRESHOLD, min_area=4, pixel_size_um=pixel_size_um)
        return Inspection(image, scores, THRESHOLD, mask, defects, 0.25)

    return make


@pytest.fixture
def explanation():
    """What a detector says of the spot of such an image."""
    patch = np.full((8, 8), 60, np.float32)
    patch[2:5, 2:6] = 90
    return Explanation(
        corner=(18, 41),
        indicators={"brightness": 0.6, "contrast": 0.3, "error": 0.1},
        deviations={"brightness": 5.0, "contrast": 0.2, "error": 2.0},
        scales={1.0: 0.25, 0.5: 0.75},
        atoms=[(3, 12.5), (7, -2.0)],
        patch=patch,
        reconstruction=np.full((8, 8), 62, np.float32),
        judged_at=0.76,
    )


@pytest.fixture
def card():
    return {
        "file": "wood.sparsight",
        "settings": {"method": "reconstruction", "patch_size": 16, "false_alarm_rate": 0.001},
        "threshold": THRESHOLD,
        "threshold_in_use": THRESHOLD,
        "calibration": {
            "false_alarm_rate": 0.001,
            "n_images": 7,
            "n_pixels": 123456,
            "how": "folds of images",
            "warning": None,
        },
        "intensity_range": [0.0, 255.0],
        "n_channels": 1,
        "provenance": {
            "trained": "2026-01-02T03:04:05+00:00",
            "sparsight_version": "0.1.0",
            "seconds": 1.5,
            "images": [{"name": f"good_{k}", "shape": [60, 90]} for k in range(7)],
            "pixel_sizes_um": [0.5],
        },
    }
