"""Where a model comes from and what it promises, in figures and in sentences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsight.inspection import AnomalyDetector

FEW_IMAGES = 5
"""With fewer good images than this behind a threshold, its promise is uncertain."""


def model_card(detector: AnomalyDetector, file: Path, *, threshold: float | None = None) -> dict[str, Any]:
    """Describe a trained detector by JSON-able figures, and the threshold to be used if not its own."""
    settings = {name: value for name, value in detector.get_params().items() if value is not None}
    return {
        "file": str(file),
        "settings": settings,
        "threshold": detector.threshold_,
        "threshold_in_use": detector.threshold_ if threshold is None else threshold,
        "calibration": detector.calibration_.to_dict(),
        "intensity_range": list(detector.intensity_range_),
        "n_channels": detector.n_channels_,
        "provenance": detector.provenance_,
    }


def promise(card: dict[str, Any]) -> str:
    """Say in one sentence what the threshold promises and on how much that rests."""
    calibration = card["calibration"]
    rate = calibration["false_alarm_rate"]
    if rate is None or card["threshold_in_use"] != card["threshold"]:
        return "The threshold was set by hand, so no false-alarm rate is promised."
    n_images, n_pixels = calibration["n_images"], calibration["n_pixels"]
    of_images = calibration.get("image_false_alarm_rate")
    too = ""
    if of_images is not None:
        # Fewer images than the rate asks for support no more than one in their number and one.
        supported = max(of_images, 1 / (n_images + 1))
        too = f" A defect is found in {percent(supported)} of good images at most."
    called = calibration.get("n_called_defective")
    seen = "" if called is None else f", in {called or 'none'} of which a defect is found"
    return (
        f"On a good image of the same kind, {percent(rate)} of the pixels are expected above the "
        f"threshold, on average over images.{too} This rests on {counted(n_images, 'good image')} "
        f"({n_pixels:,} pixels; {calibration['how']}){seen}."
    )


def caution(card: dict[str, Any]) -> str | None:
    """Say what a user should know before relying on the promise, or None."""
    if card["threshold_in_use"] != card["threshold"]:
        return None
    calibration = card["calibration"]
    doubts = []
    few = calibration["n_images"] < FEW_IMAGES
    told = calibration["how"] in ("strips of one image", "the training images themselves")
    if few and not told and calibration["false_alarm_rate"] is not None:
        doubts.append(
            f"The threshold rests on {counted(calibration['n_images'], 'good image')} only: a new good "
            "image may differ more than these do from each other. Train or calibrate on more to be surer."
        )
    if calibration["warning"]:
        doubts.append(str(calibration["warning"]))
    return " ".join(doubts) or None


def facts(card: dict[str, Any]) -> list[tuple[str, str]]:
    """Provenance and settings as (what, value), for a person to read."""
    provenance, settings = card["provenance"], dict(card["settings"])
    images = provenance["images"]
    names = [image["name"] for image in images]
    shown = ", ".join(names[:12]) + (f", and {len(names) - 12} more" if len(names) > 12 else "")
    sizes = sorted({" × ".join(str(n) for n in image["shape"][:2]) for image in images})
    low, high = card["intensity_range"]
    method = settings.pop("method")
    rate = card["calibration"]["false_alarm_rate"]
    for told in ("false_alarm_rate", "image_false_alarm_rate", "threshold"):
        settings.pop(told, None)
    pixel_sizes = [f"{size:g} µm" for size in provenance["pixel_sizes_um"]]
    return [
        ("Model file", card["file"]),
        ("Trained", f"{provenance['trained'].replace('T', ' ')} in {provenance['seconds']:.1f} s"),
        ("Trained on", f"{counted(len(images), 'good image')}: {shown}"),
        ("Image size", f"{', '.join(sizes)} pixels (height × width)"),
        ("Pixel size", ", ".join(pixel_sizes) or "not stated by the images"),
        ("Intensities", f"{low:g} to {high:g}, {counted(card['n_channels'], 'channel')}"),
        ("Method", method),
        ("Settings", ", ".join(f"{name} {value}" for name, value in settings.items()) or "defaults"),
        ("Threshold", f"{card['threshold']:.5g}"),
        ("Promised false-alarm rate", "none" if rate is None else f"{percent(rate)} of the pixels"),
        ("Sparsight", provenance["sparsight_version"]),
    ]


def percent(share: float, digits: int = 3) -> str:
    """Write a share as a percentage with digits that count: 0.00123 is 0.123 %."""
    return f"{100 * share:.{digits}g} %" if 100 * share < 10 else f"{100 * share:.1f} %"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: 1 image, 2 images."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
