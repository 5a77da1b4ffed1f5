"""Priors and restorers: learned, saved, loaded, and of use."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sparsight.errors import ModelError, ParameterError
from sparsight.restoration import Denoiser, GaussianMixturePrior, Inpainter, default_prior, denoise, inpaint


@pytest.fixture(scope="module")
def weave() -> np.ndarray:
    rows, columns = np.mgrid[:120, :160]
    return 0.5 + 0.25 * np.sin(rows / 1.5) * np.sign(np.sin(columns / 4)) + 0.1 * np.sin(columns * rows / 900)


@pytest.fixture(scope="module")
def prior(weave) -> GaussianMixturePrior:
    return GaussianMixturePrior.fit([weave], n_components=8, n_patches=4000, max_iter=4)


def test_prior_is_a_mixture(prior):
    assert prior.covariances.shape == (8, 64, 64)
    assert prior.weights.sum() == pytest.approx(1)
    assert np.linalg.eigvalsh(prior.covariances.astype(float)).min() > 0.05


def test_prior_survives_saving(prior, tmp_path):
    prior.save(tmp_path / "weave.sparsight")
    again = GaussianMixturePrior.load(tmp_path / "weave.sparsight")
    scale = np.abs(prior.covariances).max()
    np.testing.assert_allclose(again.covariances, prior.covariances, atol=3e-3 * scale)
    np.testing.assert_array_equal(again.weights, prior.weights)


def test_restorers_do_what_the_functions_do_with_their_prior(weave, tmp_path):
    mask = np.random.default_rng(0).random(weave.shape) < 0.6
    inpainter = Inpainter(n_components=8, method="structured", quality="fast").fit([weave])
    filled = inpainter.inpaint(weave, mask)
    expected = inpaint(weave, mask, method="structured", quality="fast", prior=inpainter.prior_)
    np.testing.assert_array_equal(filled, expected)
    default = inpaint(weave, mask, method="structured", quality="fast")
    assert np.square(filled - weave).mean() < np.square(default - weave).mean()

    inpainter.save(tmp_path / "model")
    denoiser = Denoiser().load(tmp_path / "model")
    noisy = weave + 0.1 * np.random.default_rng(1).standard_normal(weave.shape)
    np.testing.assert_array_equal(denoiser.denoise(noisy, 0.1), denoise(noisy, 0.1, prior=denoiser.prior_))


def test_restorers_are_estimators():
    for restorer in (Inpainter(quality="best"), Denoiser(gain=2.0)):
        assert clone(restorer).get_params() == restorer.get_params()
    with pytest.raises(NotFittedError):
        Denoiser().denoise(np.zeros((20, 20)), 0.1)


def test_the_prior_that_ships_is_complete_and_small():
    prior = default_prior()
    assert prior.weights.sum() == pytest.approx(1, abs=1e-4)
    assert np.isfinite(prior.covariances).all()


def test_bad_input(tmp_path):
    with pytest.raises(ParameterError, match="textured patches"):
        GaussianMixturePrior.fit([np.full((30, 30), 0.5)])
    with pytest.raises(ParameterError, match="n_components"):
        GaussianMixturePrior.fit([np.eye(30)], n_components=0)
    (tmp_path / "text").write_text("no model")
    with pytest.raises(ModelError):
        GaussianMixturePrior.load(tmp_path / "text")
