"""What a run found, as plain figures: for JSON, for spreadsheets and for the report."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsight.files import atomic_path

from .colours import over_threshold

if TYPE_CHECKING:
    from sparsight.inspection import Explanation, Inspection


@dataclass(frozen=True)
class ImageRecord:
    """Figures of one image; all but the first three are None for an image that failed.

    Attributes
    ----------
    name
        Unique in the run; the image's output files begin with it.
    file
        Path of the image as it was given.
    error
        Why the image could not be inspected, or None.
    peak_over_threshold
        Peak score in multiples of the threshold.
    outputs
        Names of the files made of this image.
    """

    name: str
    file: str
    error: str | None = None
    verdict: str | None = None
    height: int | None = None
    width: int | None = None
    pixel_size_um: float | None = None
    magnification: float | None = None
    doubt: str | None = None
    area_px: int | None = None
    area_fraction: float | None = None
    area_um2: float | None = None
    peak_score: float | None = None
    peak_over_threshold: float | None = None
    threshold: float | None = None
    seconds: float | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    defects: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_defective(self) -> bool:
        """Whether a defect was found."""
        return self.verdict == "defective"

    @property
    def severity(self) -> tuple[bool, bool, float, float]:
        """Sorts the worst last: failed below normal below defective, then by area, then by peak."""
        peak = self.peak_over_threshold if self.peak_over_threshold is not None else math.inf
        return self.is_defective, self.error is None, self.area_fraction or 0.0, peak

    @classmethod
    def from_inspection(
        cls,
        name: str,
        file: Path,
        inspection: Inspection,
        outputs: dict[str, str],
        explanations: Sequence[Explanation] = (),
    ) -> ImageRecord:
        """Take the figures of an inspection, and of the explanations of its first defects."""
        area = int(inspection.mask.sum())
        pixel_size = inspection.pixel_size_um
        height, width = inspection.mask.shape
        peak = inspection.peak_score
        return cls(
            name=name,
            file=str(file),
            verdict=inspection.verdict,
            height=height,
            width=width,
            pixel_size_um=pixel_size,
            magnification=inspection.magnification,
            doubt=inspection.doubt,
            area_px=area,
            area_fraction=inspection.area_fraction,
            area_um2=None if pixel_size is None else area * pixel_size**2,
            peak_score=peak,
            peak_over_threshold=float(over_threshold(peak, inspection.threshold)),
            threshold=inspection.threshold,
            seconds=inspection.seconds,
            outputs=outputs,
            defects=[
                {**asdict(defect), "explanation": None if explained is None else explained.to_dict()}
                for defect, explained in zip_longest(inspection.defects, explanations)
            ],
        )


def strict_json(content: Any) -> str:
    """Write strict JSON: a number that is not finite becomes null."""
    return json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False)


def write_json(path: Path, content: Any) -> None:
    """Write a file of strict JSON, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(strict_json(content) + "\n", encoding="utf-8")


def write_image_table(path: Path, records: Iterable[ImageRecord]) -> None:
    """Write one row for each image, for a spreadsheet."""
    header = [
        "image",
        "verdict",
        "defects",
        "area_px",
        "area_percent",
        "area_um2",
        "peak_score",
        "peak_over_threshold",
        "threshold",
        "seconds",
        "file",
        "error",
    ]
    rows = [
        [
            record.name,
            record.verdict or "not inspected",
            len(record.defects) if record.error is None else None,
            record.area_px,
            None if record.area_fraction is None else 100 * record.area_fraction,
            record.area_um2,
            record.peak_score,
            record.peak_over_threshold,
            record.threshold,
            record.seconds,
            record.file,
            record.error,
        ]
        for record in records
    ]
    _write_table(path, header, rows)


def write_defect_table(path: Path, records: Iterable[ImageRecord]) -> None:
    """Write one row for each defect, for a spreadsheet."""
    header = [
        "image",
        "defect",
        "centroid_row",
        "centroid_column",
        "first_row",
        "first_column",
        "end_row",
        "end_column",
        "area_px",
        "area_um2",
        "peak_score",
        "mean_score",
        "peak_row",
        "peak_column",
        "reason",
        "reason_share",
        "indicator",
        "indicator_share",
        "scale",
        "scale_share",
        "judged_at",
    ]
    rows = [
        [
            record.name,
            defect["label"],
            *defect["centroid"],
            *defect["bounding_box"],
            *(defect[name] for name in ("area_px", "area_um2", "peak_score", "mean_score")),
            *defect["peak"],
            *_reason(defect["explanation"]),
        ]
        for record in records
        for defect in record.defects
    ]
    _write_table(path, header, rows)


def _reason(explanation: dict[str, Any] | None) -> list[Any]:
    names = ("reason", "share", "indicator", "indicator_share", "scale", "scale_share", "judged_at")
    return [None if explanation is None else explanation[name] for name in names]


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with (
        atomic_path(path) as temporary,
        # The byte order mark tells spreadsheets that names with accents are UTF-8.
        temporary.open("w", newline="", encoding="utf-8-sig") as file,
    ):
        table = csv.writer(file)
        table.writerow(header)
        table.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    """Floats with six digits that count; nothing for what is not finite."""
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else None
    return value


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
