"""The article's boards: learned from the good one alone, all six defects of the other are found."""

import numpy as np
import pytest
from scipy import ndimage

from sparsight.inspection import AnomalyDetector

# Boxes (first row, first column, last row, last column) around the six visible defects.
DEFECTS = [
    (60, 120, 150, 175),
    (140, 430, 230, 495),
    (45, 715, 240, 775),
    (310, 80, 440, 145),
    (345, 250, 455, 300),
    (388, 668, 525, 710),
]


@pytest.fixture(scope="module")
def boards(real_images):
    return [real_images / "wood" / f"wood-{kind}.jpg" for kind in ("ok", "ng")]


@pytest.mark.parametrize(
    "settings", [{}, {"threshold": 10.0}], ids=["calibrated", "threshold of the article"]
)
def test_six_defects_and_nothing_else(boards, settings):
    good, bad = boards
    detector = AnomalyDetector(method="reconstruction", **settings).fit([good])
    found = detector.inspect(bad)
    inside = np.zeros(found.mask.shape, bool)
    for top, left, bottom, right in DEFECTS:
        box = np.s_[top:bottom, left:right]
        assert found.mask[box].any()
        inside[box] = True
    outside = ~ndimage.binary_dilation(inside, iterations=12)
    assert found.mask[outside].mean() < 0.002
    assert detector.inspect(good).mask.mean() < 0.002
