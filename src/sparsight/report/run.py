"""The results of one run over many images: files for each image as it is done, the rest at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sparsight
from sparsight.files import atomic_path
from sparsight.images import write_image

from .drawing import overlay
from .evidence import evidence, how_many_to_explain
from .histogram import ScoreHistogram
from .page import ReportEntry, render_report
from .records import ImageRecord, write_defect_table, write_image_table, write_json
from .thumbnails import Thumbnails, thumbnail_side

if TYPE_CHECKING:
    from sparsight.inspection import Explanation, Inspection


class InspectionRun:
    """Write the results of a run; only figures and small pictures are kept of images that are done.

    Parameters
    ----------
    folder
        Where the files go; made when the first one is written.
    card
        Description of the model, see :func:`~sparsight.report.model_card.model_card`.
    n_images
        About how many images there will be: the more, the smaller their pictures in the report.

    Attributes
    ----------
    n_explained
        Of how many defects of each image the report has room to say why they were found.
    """

    def __init__(self, folder: Path, card: dict[str, Any], n_images: int) -> None:
        self.folder = folder
        self.thumbnail_side = thumbnail_side(n_images)
        self.n_explained = how_many_to_explain(n_images)
        self.card = card
        self.started = datetime.now().astimezone()
        self.entries: list[ReportEntry] = []

    def add(
        self,
        name: str,
        file: Path,
        inspection: Inspection,
        explanations: Sequence[Explanation] = (),
    ) -> ImageRecord:
        """Write overlay, mask and scores of an image, and keep its figures for the report.

        `explanations` are those of the first defects, `n_explained` of them or fewer.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        outputs = {
            "overlay": f"{name}_overlay.png",
            "mask": f"{name}_mask.png",
            "score": f"{name}_score.tif",
        }
        write_image(self.folder / outputs["overlay"], overlay(inspection))
        write_image(self.folder / outputs["mask"], inspection.mask)
        write_image(
            self.folder / outputs["score"],
            inspection.score_map,
            pixel_size_um=inspection.pixel_size_um,
        )
        record = ImageRecord.from_inspection(name, file, inspection, outputs, explanations)
        self.entries.append(
            ReportEntry(
                record,
                Thumbnails.of(inspection, self.thumbnail_side),
                ScoreHistogram.of(inspection.score_map, inspection.threshold),
                evidence(inspection.image, inspection.defects, explanations),
            )
        )
        return record

    def add_failure(self, name: str, file: Path, reason: str) -> None:
        """Note that an image could not be inspected, and why."""
        self.entries.append(ReportEntry(ImageRecord(name, str(file), error=reason)))

    @property
    def records(self) -> list[ImageRecord]:
        """Figures of all images, in the order inspected."""
        return [entry.record for entry in self.entries]

    def summary(self) -> dict[str, Any]:
        """Figures of the whole run."""
        done = [record for record in self.records if record.error is None]
        observed = sum(entry.histogram.counts.sum() for entry in self.entries)
        area = sum(record.area_px or 0 for record in done)
        areas_um2 = [record.area_um2 for record in done if record.area_um2 is not None]
        return {
            "n_images": len(self.records),
            "n_defective": sum(record.is_defective for record in done),
            "n_failed": len(self.records) - len(done),
            "n_defects": sum(len(record.defects) for record in done),
            "area_px": area,
            "area_fraction": float(area / max(1, observed)),
            "area_um2": sum(areas_um2) if done and len(areas_um2) == len(done) else None,
            "seconds": sum(record.seconds or 0.0 for record in done),
        }

    def finish(self) -> Path:
        """Write results.json, results.csv, defects.csv and report.html; return the report's path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        results = {
            "sparsight_version": sparsight.__version__,
            "inspected": self.started.isoformat(timespec="seconds"),
            "model": self.card,
            "summary": self.summary(),
            "images": [asdict(record) for record in self.records],
        }
        write_json(self.folder / "results.json", results)
        write_image_table(self.folder / "results.csv", self.records)
        write_defect_table(self.folder / "defects.csv", self.records)
        report = self.folder / "report.html"
        with atomic_path(report) as temporary:
            temporary.write_text(render_report(self), encoding="utf-8")
        return report
