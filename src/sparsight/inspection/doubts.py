"""Why not to rely on what was found in an image, told from what was found."""

from __future__ import annotations

#: Defects are what is rare: no promise of a rate, and hardly a product, survives more.
_LARGE_SHARE = 0.25


def share_doubt(area_fraction: float) -> str | None:
    """Say that so much of an image is marked that the image may be unlike the good ones as a whole; else None."""
    if area_fraction <= _LARGE_SHARE:
        return None
    return (
        f"{100 * area_fraction:.0f} % of it is marked. If it is not defective all over, it was taken in another light, "
        "focus or magnification than the good images: calibrate, or train, on good images like it."
    )
