import numpy as np
import pytest

from sparsight._kernels import AnchoredStage

RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("n_nearest", [1, 2, 3, 4])
@pytest.mark.parametrize(("cell", "window", "scale", "block"), [(2, 10, 2, 6), (3, 15, 3, 9), (1, 7, 3, 9)])
def test_a_stage_is_what_its_definition_says(cell, window, scale, block, n_nearest):
    rows, columns, n_features, n_anchors = 7, 37, 11, 25
    projection, anchors = random(window**2, n_features), random(n_anchors, n_features)
    regressors = random(n_anchors, n_features, block**2)
    source = random((rows - 1) * cell + window, (columns - 1) * cell + window)
    stage = AnchoredStage(projection, anchors, regressors, cell=cell, scale=scale, n_nearest=n_nearest)

    windows = np.lib.stride_tricks.sliding_window_view(source, (window, window))[::cell, ::cell]
    features = windows.reshape(rows * columns, -1).astype(float) @ projection
    described = stage.describe(source, 1)
    np.testing.assert_allclose(described, features, atol=1e-3)

    likeness = np.abs(described.astype(float) @ anchors.T)
    order = np.argsort(-likeness, axis=1)[:, :n_nearest]
    np.testing.assert_array_equal(stage.nearest(described, 1), order)

    expected = np.ones(((rows - 1) * scale + block, (columns - 1) * scale + block))
    for cell_index, found in enumerate(order):
        top, left = (scale * i for i in divmod(cell_index, columns))
        correction = sum(described[cell_index] @ regressors[a] for a in found)
        expected[top : top + block, left : left + block] += correction.reshape(block, block)
    output = np.ones(expected.shape, np.float32)
    stage.correct(source, output, 1)
    np.testing.assert_allclose(output, expected, rtol=1e-3, atol=2e-2)


def test_the_result_does_not_depend_on_threads():
    stage = AnchoredStage(random(100, 8), random(30, 8), random(30, 8, 36), cell=2, scale=2, n_nearest=2)
    source = random(2 * 299 + 10, 2 * 199 + 10)
    outputs = []
    for n_threads in (1, 2, 5):
        output = np.zeros((299 * 2 + 6, 199 * 2 + 6), np.float32)
        stage.correct(source, output, n_threads)
        outputs.append(output)
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[0], outputs[2])


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        AnchoredStage(random(25, 8), random(30, 9), random(30, 8, 36), cell=1, scale=2, n_nearest=1)
    with pytest.raises(ValueError, match="square window"):
        AnchoredStage(random(24, 8), random(30, 8), random(30, 8, 36), cell=1, scale=2, n_nearest=1)
    with pytest.raises(ValueError, match="n_nearest"):
        AnchoredStage(random(25, 8), random(3, 8), random(3, 8, 36), cell=1, scale=2, n_nearest=4)
    stage = AnchoredStage(random(25, 8), random(30, 8), random(30, 8, 36), cell=1, scale=2, n_nearest=1)
    with pytest.raises(ValueError, match="smaller than a window"):
        stage.describe(random(4, 9), 1)
    with pytest.raises(ValueError, match="too small"):
        stage.correct(random(9, 9), np.zeros((9, 9), np.float32), 1)
