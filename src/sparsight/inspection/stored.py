"""What a model file says of a detector, beside the arrays of its scorer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsight.inspection.calibration import Calibration

if TYPE_CHECKING:
    from sparsight.inspection.detector import AnomalyDetector


def settings_of(detector: AnomalyDetector) -> dict[str, Any]:
    """Return what is not an array, JSON-able."""
    parameters = detector.get_params()
    if not (parameters["random_state"] is None or isinstance(parameters["random_state"], int)):
        parameters["random_state"] = None
    for name in ("scales", "defects"):
        if parameters[name] is not None and not isinstance(parameters[name], str):
            parameters[name] = list(parameters[name])
    return {
        "parameters": parameters,
        "threshold": detector.threshold_,
        "calibration": detector.calibration_.to_dict(),
        "intensity_range": list(detector.intensity_range_),
        "n_channels": detector.n_channels_,
        "pixel_sizes_um": detector.pixel_sizes_um_,
        "provenance": detector.provenance_,
    }


def restore_settings(detector: AnomalyDetector, settings: dict[str, Any]) -> None:
    """Take back what `settings_of` returned, but for the parameters."""
    detector.threshold_ = float(settings["threshold"])
    detector.calibration_ = Calibration(**settings["calibration"])
    low, high = settings["intensity_range"]
    detector.intensity_range_ = (float(low), float(high))
    detector.n_channels_ = int(settings["n_channels"])
    detector.pixel_sizes_um_ = list(settings["pixel_sizes_um"])
    detector.provenance_ = dict(settings["provenance"])
