"""When, with which version and from which images a model was trained."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sparsight
from sparsight.images import Image


def provenance(images: list[Image], seconds: float) -> dict[str, Any]:
    """Describe the training, JSON-able."""
    return {
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "sparsight_version": sparsight.__version__,
        "seconds": round(seconds, 3),
        "images": [{"name": image.name, "shape": list(image.pixels.shape)} for image in images],
        "pixel_sizes_um": sorted({i.pixel_size_um for i in images if i.pixel_size_um is not None}),
    }


def names_of(images: list[Image]) -> list[str]:
    """What to call each image: the name of its file, or its number, from 1."""
    return [image.name if image.path else f"number {n}" for n, image in enumerate(images, start=1)]


def doubt_about(images: list[Image], provenance: dict[str, Any]) -> str | None:
    """Warn if a model is to be calibrated on images that it was trained on."""
    trained = {(entry["name"], *entry["shape"]) for entry in provenance["images"]}
    both = [i.name for i in images if i.path is not None and (i.name, *i.pixels.shape) in trained]
    if not both:
        return None
    return (
        f"The model seems to have been trained on some of these images ({', '.join(both[:3])}): their scores "
        "are too low, so expect more false alarms than promised."
    )
