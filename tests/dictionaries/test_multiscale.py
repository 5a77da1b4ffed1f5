import pickle

import numpy as np
import pytest
from skimage import data
from skimage.transform import rescale
from sklearn.base import clone

from sparsight.coding import sparse_group
from sparsight.dictionaries import KSVD, BPDNDictionary, MultiscaleDictionary, OnlineDictionary
from sparsight.dictionaries._random_patches import random_patches
from sparsight.errors import ImageError, ParameterError
from sparsight.features import cosine_features
from sparsight.patches import PatchGrid


def small(**settings):
    chosen = dict(
        scales=(1, 0.75, 0.5),
        patch_size=10,
        n_coefs=40,
        learner=OnlineDictionary(30, transform_n_nonzero_coefs=4, max_iter=4),
        max_patches=2000,
        random_state=0,
    )
    return MultiscaleDictionary(**{**chosen, **settings})


@pytest.fixture(scope="module")
def texture():
    return data.gravel()[:256, :256]


@pytest.fixture(scope="module")
def fitted(texture):
    return small().fit([texture])


def test_dictionaries_of_all_scales_lie_side_by_side(fitted):
    assert fitted.components_.shape == (90, 40)
    assert fitted.components_.dtype == np.float32
    assert fitted.groups_.tolist() == [0] * 30 + [1] * 30 + [2] * 30
    assert np.allclose(np.linalg.norm(fitted.components_, axis=1), 1, atol=1e-5)
    for number, learner in enumerate(fitted.learners_):
        assert np.array_equal(fitted.components_[fitted.groups_ == number], learner.components_)


def test_patches_of_a_scale_are_coded_best_by_its_own_atoms(texture):
    """Even of an image that was not learned from, and by a coder that knows nothing of scales."""
    other = data.gravel()[256:, 256:]
    fitted = small(scales=(1, 0.4)).fit([texture])
    errors = np.empty((2, 2))
    for i, scale in enumerate((1, 0.4)):
        image = rescale(other, scale, anti_aliasing=True, preserve_range=True)
        patches = PatchGrid(image.shape, 10, 5).extract(image)
        features = fitted.features(patches)
        for j, learner in enumerate(fitted.learners_):
            rest = features - learner.inverse_transform(learner.transform(features))
            errors[i, j] = np.square(rest).sum() / np.square(features).sum()
    assert errors[0, 0] < errors[0, 1]
    assert errors[1, 1] < errors[1, 0]


def test_the_coder_knows_the_groups(fitted, texture):
    features = fitted.features(texture[None, :10, :10].astype(np.float32) / 255)
    codes = fitted.coder(penalty=0.01, group_penalty=0.05).fit_transform(features)
    expected = sparse_group(
        features, fitted.components_, penalty=0.01, group_penalty=0.05, groups=fitted.groups_
    ).codes
    assert np.array_equal(codes, expected)


@pytest.mark.parametrize(
    "learner",
    [KSVD(12, max_iter=2), BPDNDictionary(12, max_iter=2), OnlineDictionary(12, max_iter=1)],
    ids=lambda learner: type(learner).__name__,
)
def test_any_learner_serves_and_is_left_alone(texture, learner):
    multiscale = small(learner=learner).fit([texture])
    assert multiscale.components_.shape == (36, 40)
    assert not hasattr(learner, "components_")
    states = {fitted.random_state for fitted in multiscale.learners_}
    assert len(states) == 3


def test_the_default_is_the_papers(texture):
    multiscale = MultiscaleDictionary((1.0,), max_patches=400, random_state=0)
    multiscale.fit([texture])
    assert isinstance(multiscale.learners_[0], BPDNDictionary)
    assert multiscale.components_.shape == (150, 225)


def test_random_state_reproduces_and_images_stay_unchanged(texture):
    copy = texture.copy()
    first, second, other = (small(random_state=seed).fit([texture]).components_ for seed in (3, 3, 4))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert np.array_equal(texture, copy)
    assert clone(small()).get_params()["patch_size"] == 10


def test_colour_images_and_files(tmp_path, texture):
    from sparsight.images import write_image

    colour = np.stack([texture, texture[::-1], texture.T], axis=-1)
    write_image(tmp_path / "colour.png", colour)
    from_file = small().fit([tmp_path / "colour.png"])
    assert from_file.n_channels_ == 3
    assert from_file.components_.shape == (90, 120)
    assert np.array_equal(from_file.components_, small().fit([colour]).components_)
    assert from_file.features(colour[None, :10, :10]).shape == (1, 120)


def test_what_is_masked_has_no_influence(texture):
    mask = np.zeros(texture.shape, bool)
    mask[:, 120:] = True
    mask[40:43, :100] = True
    spoilt = np.where(mask, 255, texture).astype(np.uint8)
    learned = small().fit([texture], masks=[mask])
    assert np.array_equal(learned.components_, small().fit([spoilt], masks=[mask]).components_)
    assert not np.array_equal(learned.components_, small().fit([texture]).components_)


def test_random_patches_lie_where_the_image_is_observed():
    image = np.arange(400.0).reshape(20, 20)
    everything, hidden = random_patches(image, None, 5, 1000, np.random.RandomState(0))
    assert hidden is None
    assert np.array_equal(everything, PatchGrid((20, 20), 5, 1).extract(image))
    missing = image % 20 >= 10
    patches, hidden = random_patches(image, missing, 5, 30, np.random.RandomState(0))
    assert patches.shape == hidden.shape == (30, 5, 5)
    assert np.array_equal(hidden, patches % 20 >= 10)
    assert (hidden.mean(axis=(1, 2)) < 0.5).all()
    assert len(np.unique(patches[:, 0, 0])) == 30


def test_features_are_those_of_the_training(fitted, texture):
    patches = PatchGrid((256, 256), 10).extract(texture.astype(np.float32))
    assert np.array_equal(fitted.features(patches), cosine_features(patches, 40))
    mask = np.zeros(patches.shape, bool)
    mask[:, :2] = True
    assert np.array_equal(fitted.features(patches, mask=mask), cosine_features(patches, 40, mask))


def test_progress_runs_through_all_scales_and_the_result_can_be_stored(texture):
    calls = []
    learner = OnlineDictionary(30, transform_n_nonzero_coefs=4, max_iter=2, tol=0)
    found = small(scales=(1, 0.5), learner=learner, progress=lambda *call: calls.append(call)).fit([texture])
    shares = [done / total for done, total, _ in calls]
    assert shares == [0.25, 0.5, 0.5, 0.75, 1, 1]
    assert calls[3][2].startswith("scale 0.5: objective")
    assert calls[5] == (2, 2, "scale 0.5 learned")
    found.set_params(progress=None)
    assert np.array_equal(pickle.loads(pickle.dumps(found)).components_, found.components_)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (dict(scales=()), ParameterError, "scales must be"),
        (dict(scales=(1, 1.5)), ParameterError, "scales must be"),
        (dict(scales=0.5), ParameterError, "scales must be"),
        (dict(scales=(0.03,)), ImageError, "rescaled by 0.03, is smaller"),
        (dict(patch_size=1), ParameterError, "patch_size"),
        (dict(n_coefs=101), ParameterError, "n_coefs"),
        (dict(max_patches=0), ParameterError, "max_patches"),
    ],
)
def test_impossible_parameters_are_refused(texture, settings, error, message):
    with pytest.raises(error, match=message):
        small(**settings).fit([texture])


def test_bad_images_and_masks_are_refused(texture, fitted):
    with pytest.raises(ImageError, match="No training images"):
        small().fit([])
    with pytest.raises(ImageError, match="differ in their number of channels"):
        small().fit([texture, np.stack([texture] * 3, axis=-1)])
    with pytest.raises(ParameterError, match="1 images but 2 masks"):
        small().fit([texture], masks=[None, None])
    with pytest.raises(ParameterError, match="mask of image has shape"):
        small().fit([texture], masks=[np.zeros((3, 3), bool)])
    with pytest.raises(ParameterError, match="at least half observed"):
        small().fit([texture], masks=[np.ones(texture.shape, bool)])
    with pytest.raises(ParameterError, match="Expected patches of 10×10"):
        fitted.features(np.zeros((3, 8, 8)))
