import numpy as np
import pytest

from sparsight.errors import ParameterError
from sparsight.inspection import AnomalyDetector


def texture(seed):
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((160, 192))
    waves = np.sin(rows / 3 + 0.3 * np.sin(columns / 17 + seed)) * 30
    return np.clip(120 + waves + rng.normal(0, 4, waves.shape), 0, 255)


@pytest.fixture(scope="module")
def detector():
    return AnomalyDetector(n_components=32, threshold=6.0).fit(
        [texture(s).astype(np.uint8) for s in range(3)]
    )


def explained(detector, change):
    image = texture(9)
    image[70:90, 100:120] = change(image[70:90, 100:120])
    image = np.clip(image, 0, 255).astype(np.uint8)
    found = detector.inspect(image)
    assert found.defects
    return image, detector.explain(found)[0]


def test_what_differs_is_what_is_named(detector):
    _, bright = explained(detector, lambda values: values + 60)
    assert max(bright.indicators, key=bright.indicators.get) == "brightness"
    noise = np.random.default_rng(0).normal(0, 40, (20, 20))
    _, rough = explained(detector, lambda values: values + noise)
    assert rough.indicators["brightness"] < bright.indicators["brightness"]
    for explanation in (bright, rough):
        assert sum(explanation.indicators.values()) == pytest.approx(1)
        assert sum(explanation.scales.values()) == pytest.approx(1)
        assert set(explanation.scales) == {1.0, 0.5}
        assert min(explanation.indicators.values()) >= 0


def test_the_patch_stands_beside_its_best_sparse_reconstruction(detector):
    image, explanation = explained(detector, lambda values: values + 60)
    row, column = explanation.corner
    np.testing.assert_array_equal(explanation.patch, image[row : row + 8, column : column + 8])
    assert 64 <= row <= 92
    assert 94 <= column <= 122
    codes = [abs(code) for _, code in explanation.atoms]
    assert codes == sorted(codes, reverse=True)
    error = explanation.patch - explanation.reconstruction
    assert np.linalg.norm(error) < np.linalg.norm(explanation.patch - explanation.patch.mean()) + 1e-3


def test_a_universal_model_of_several_scales_says_that_it_does_not_explain():
    image = texture(0).astype(np.uint8)
    detector = AnomalyDetector(scales=(1, 0.8), n_components=16, threshold=4.0).fit([image])
    with pytest.raises(ParameterError, match="does not explain"):
        detector.explain(detector.inspect(image))
