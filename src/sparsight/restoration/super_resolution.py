"""Super-resolution: what the high-resolution image of a low-resolution one most likely is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

import sparsight
from sparsight._checks import check_choice, check_integer
from sparsight.coding._inputs import check_threads
from sparsight.dictionaries import CoupledDictionaries
from sparsight.errors import ImageError, ModelError, ParameterError
from sparsight.images import as_image
from sparsight.models import load_model, save_model
from sparsight.restoration.cascade import AnchoredCascade
from sparsight.restoration.coupled import CoupledUpscaler
from sparsight.restoration.degradation import Degradation, project_back
from sparsight.restoration.factors import check_factor, check_scale, passes_needed
from sparsight.restoration.luminance import from_unit, luminance, to_unit
from sparsight.restoration.progress import Progress, part_of
from sparsight.restoration.resize import imresize
from sparsight.restoration.tiles import in_tiles
from sparsight.restoration.training_pairs import ImageLike, dihedral, training_images, undo_dihedral

MODEL_KIND = "super-resolver"
QUALITIES = ("fast", "balanced", "best")
_N_ATTITUDES = 8


class SuperResolver(BaseEstimator):
    r"""Upscale images with what was learned from pairs of low- and high-resolution images.

    Parameters
    ----------
    scale : {2, 3, 4}
        How many pixels along an edge each pixel becomes.
    method : {"anchored", "coupled"}
        "anchored" corrects an interpolated image by the regression of the most similar anchor of a learned
        dictionary, stage after stage: better and much faster. "coupled" is the older idea: a code over a
        low-resolution dictionary is also the code of the high-resolution patch over a second one.
    n_stages : int
        Stages of "anchored"; each learns what the stages before it leave wrong.
    n_anchors : int
        Atoms of the dictionary of the first stage; the others have a quarter.
    dictionaries : CoupledDictionaries, optional
        How "coupled" learns its dictionaries, unfitted; by default ``CoupledDictionaries()``.
    features : {"gradients", "pixels"}
        What of a low-resolution patch "coupled" codes: its derivatives, or its pixels without their mean.
    degradation : Degradation, optional
        How low-resolution images come about; by default by :func:`imresize` without blur and noise. Learn
        with the blur and noise that your own images have, and they are removed.
    n_threads : int, optional
        By default all cores. The result does not depend on it.
    random_state : int, RandomState instance or None
        Fixes the choice of training patches and the initial dictionary.

    Attributes
    ----------
    upscaler_ : AnchoredCascade or CoupledUpscaler
        What was learned.
    provenance_ : dict
        When, with which version and from which images the model was trained.

    See Also
    --------
    sparsight.upscale : upscale at once, with the models that come with Sparsight.

    References
    ----------
    R. Timofte, V. De Smet, L. Van Gool, "A+", ACCV 2014; R. Timofte, R. Rothe, L. Van Gool, "Seven ways to
    improve example-based single image super resolution", CVPR 2016 ("anchored").
    J. Yang, J. Wright, T. Huang, Y. Ma, "Image super-resolution via sparse representation", IEEE Transactions
    on Image Processing 19(11), 2010; R. Zeyde, M. Elad, M. Protter, "On single image scale-up using
    sparse-representations", 2010 ("coupled").

    Examples
    --------
    >>> import numpy as np
    >>> from sparsight import SuperResolver, imresize
    >>> rows, columns = np.mgrid[:120, :120]
    >>> rings = 0.5 + 0.5 * np.sin(np.hypot(rows - 20, columns - 60) ** 1.3 / 5)
    >>> resolver = SuperResolver(scale=2, n_anchors=32).fit([rings])
    >>> upscaled = resolver.upscale(imresize(rings, 0.5))
    >>> upscaled.shape
    (120, 120)
    """

    def __init__(
        self,
        scale: int = 2,
        *,
        method: str = "anchored",
        n_stages: int = 3,
        n_anchors: int = 1024,
        dictionaries: CoupledDictionaries | None = None,
        features: str = "gradients",
        degradation: Degradation | None = None,
        n_threads: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.scale = scale
        self.method = method
        self.n_stages = n_stages
        self.n_anchors = n_anchors
        self.dictionaries = dictionaries
        self.features = features
        self.degradation = degradation
        self.n_threads = n_threads
        self.random_state = random_state

    def fit(
        self, images: Sequence[ImageLike], y: Any = None, *, progress: Progress | None = None
    ) -> SuperResolver:
        """Learn from high-resolution images; their low-resolution versions are computed.

        Parameters
        ----------
        images : sequence of images or paths
            High-resolution images of what shall be upscaled, such as other photographs or other specimens
            of the same class. Of colour images the luminance is learned.
        y : ignored
        progress : callable, optional
            Called as ``progress(done, total, text)``.

        Raises
        ------
        ImageError
            If there are no images, or all are too small.
        ParameterError
            If a parameter is out of range, or the images hold too few patches; says how many are needed.
        """
        del y
        self._check_parameters()
        named = training_images(images, self.scale)
        planes = [luminance(to_unit(image)) for image in named]
        self.upscaler_ = self._engine().fit(
            planes, self._degradation, check_random_state(self.random_state), self._threads, progress
        )
        self.provenance_ = {
            "sparsight": sparsight.__version__,
            "trained": datetime.now(UTC).isoformat(timespec="seconds"),
            "images": [{"name": image.name, "shape": list(image.pixels.shape)} for image in named],
        }
        return self

    def upscale(
        self,
        image: ImageLike,
        *,
        factor: float | None = None,
        quality: str = "balanced",
        back_projection: int = 0,
        tile: int | None = 512,
        progress: Progress | None = None,
    ) -> NDArray[Any]:
        """Upscale an image.

        Parameters
        ----------
        image : array of shape (H, W) or (H, W, C), Image or path
            Of a colour image, of three channels, the luminance is upscaled and the chroma interpolated; any
            other number of channels is upscaled channel by channel.
        factor : float, optional
            By default the model's scale. Others are reached by applying the model repeatedly and reducing
            the result.
        quality : {"fast", "balanced", "best"}
            "fast" applies the first stage only, "balanced" all; "best" upscales the image in all eight
            attitudes (turned and mirrored) and takes the mean, for eight times the time.
        back_projection : int
            Iterations that make the result agree with the image when it is degraded again.
        tile : int, optional
            Upscale squares of this edge one after another, which bounds memory; None for all at once. Apart
            from rounding in float arithmetic the result does not depend on it.
        progress : callable, optional
            Called as ``progress(done, total, text)``.

        Returns
        -------
        array of shape (round(factor * H), round(factor * W)) or (..., C)
            Of the image's dtype and range.

        Raises
        ------
        ImageError
            If the image is smaller than 3×3 pixels.
        ParameterError
            If the factor or another parameter is out of range.
        """
        check_is_fitted(self, "upscaler_")
        check_choice("quality", quality, QUALITIES)
        check_integer("back_projection", back_projection, minimum=0, maximum=1000)
        if tile is not None:
            check_integer("tile", tile, minimum=16)
        given = as_image(image)
        if min(given.pixels.shape[:2]) < 3:
            raise ImageError(
                f"'{given.name}' has {given.pixels.shape[0]}×{given.pixels.shape[1]} pixels; "
                "upscaling needs at least 3×3."
            )
        factor = float(self.scale) if factor is None else check_factor(factor)
        unit = to_unit(given)
        shape = tuple(max(1, int(np.floor(n * factor + 0.5))) for n in unit.shape[:2])
        n_passes = passes_needed(factor, self.scale)
        for index in range(n_passes):
            unit = self._upscale_once(
                unit, quality, back_projection, tile, part_of(progress, index, n_passes)
            )
        if unit.shape[:2] != shape:
            unit = imresize(unit, shape=(shape[0], shape[1]))
        return from_unit(unit, given)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the learned model to one file; `load` reads it."""
        check_is_fitted(self, "upscaler_")
        settings, arrays = self.upscaler_.to_model()
        save_model(
            path,
            MODEL_KIND,
            {
                "scale": self.scale,
                "method": self.method,
                "degradation": self._degradation.to_settings(),
                "upscaler": settings,
                "provenance": self.provenance_,
            },
            arrays,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, scale: int | None = None) -> Self:
        """Read a model that `save` wrote.

        Parameters
        ----------
        path : path
        scale : int, optional
            Refuse a model of another scale.

        Raises
        ------
        ModelError
            If the file is not a whole super-resolution model, or of another scale.
        """
        stored = load_model(path, MODEL_KIND)
        try:
            settings = stored.settings
            found = int(settings["scale"])
            if scale is not None and found != scale:
                raise ModelError(f"{path} upscales by {found}, not by {scale}; give a model of that scale.")
            resolver = cls(
                found, method=settings["method"], degradation=Degradation(**settings["degradation"])
            )
            resolver.upscaler_ = resolver._engine().from_model(settings["upscaler"], stored.arrays)
            resolver.provenance_ = settings["provenance"]
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(
                f"{path} does not hold a complete super-resolution model; train it again."
            ) from error
        return resolver

    def _upscale_once(
        self,
        unit: NDArray[np.float32],
        quality: str,
        back_projection: int,
        tile: int | None,
        progress: Progress | None,
    ) -> NDArray[np.float32]:
        """Apply the model once to pixels between 0 and 1."""
        if unit.ndim == 2 or unit.shape[2] == 3:
            bright = luminance(unit)
            sharp = self._upscale_plane(bright, quality, back_projection, tile, progress)
            if unit.ndim == 2:
                return sharp
            # With the chroma interpolated, red, green and blue gain what the luminance gains.
            gain = sharp - imresize(bright, self.scale)
            return np.asarray(imresize(unit, self.scale) + gain[:, :, None])
        n_channels = unit.shape[2]
        planes = [
            self._upscale_plane(
                np.ascontiguousarray(unit[:, :, channel]),
                quality,
                back_projection,
                tile,
                part_of(progress, channel, n_channels),
            )
            for channel in range(n_channels)
        ]
        return np.stack(planes, axis=2)

    def _upscale_plane(
        self,
        low: NDArray[np.float32],
        quality: str,
        back_projection: int,
        tile: int | None,
        progress: Progress | None,
    ) -> NDArray[np.float32]:
        n_stages = 1 if quality == "fast" else None
        attitudes = range(_N_ATTITUDES if quality == "best" else 1)

        def upscale_tile(part: NDArray[np.float32]) -> NDArray[np.float32]:
            total = np.zeros((part.shape[0] * self.scale, part.shape[1] * self.scale), np.float32)
            for attitude in attitudes:
                start = imresize(dihedral(part, attitude), self.scale)
                refined = self.upscaler_.refine(start, n_stages, self._threads)
                total += undo_dihedral(refined, attitude)
            total /= len(attitudes)
            return project_back(total, part, self.scale, self._degradation, back_projection)

        # Cubic interpolation reaches two pixels far, here and in each step of back-projection.
        step = self._degradation.reach(self.scale) + 2
        halo = self.upscaler_.reach + 2 + back_projection * step
        return in_tiles(low, self.scale, tile, halo, upscale_tile, progress)

    def _engine(self) -> AnchoredCascade | CoupledUpscaler:
        if self.method == "coupled":
            return CoupledUpscaler(self.scale, self.dictionaries, self.features)
        return AnchoredCascade(self.scale, n_stages=self.n_stages, n_anchors=self.n_anchors)

    @property
    def _degradation(self) -> Degradation:
        return Degradation() if self.degradation is None else self.degradation

    @property
    def _threads(self) -> int:
        return check_threads(self.n_threads)

    def _check_parameters(self) -> None:
        check_scale(self.scale)
        check_choice("method", self.method, ("anchored", "coupled"))
        check_choice("features", self.features, ("gradients", "pixels"))
        check_integer("n_stages", self.n_stages, minimum=1, maximum=8)
        check_integer("n_anchors", self.n_anchors, minimum=1, maximum=65536)
        if self.degradation is not None and not isinstance(self.degradation, Degradation):
            raise ParameterError(f"degradation must be a Degradation, got {self.degradation!r}.")
