"""The report: one HTML page that holds all it shows and asks nothing of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

import jinja2

import sparsight

from .colours import TOP, colour_bar, scale_position
from .evidence import Evidence
from .histogram import ScoreHistogram
from .model_card import caution, counted, facts, percent, promise
from .records import ImageRecord
from .thumbnails import PICTURE_BUDGET, Thumbnails

if TYPE_CHECKING:
    from .run import InspectionRun

MAX_DEFECTS_SHOWN = 12
"""Rows of a defect table before the rest is folded away."""

N_EVIDENCE_OPEN = 3
"""Explained defects of an image before the rest is folded away."""


@dataclass(frozen=True)
class ReportEntry:
    """One image in the report: figures, small pictures, how its scores spread, and what speaks for its defects."""

    record: ImageRecord
    thumbnails: Thumbnails | None = None
    histogram: ScoreHistogram = field(default_factory=ScoreHistogram)
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def n_bytes(self) -> int:
        """Room that the pictures take in the page."""
        small = self.thumbnails.n_bytes if self.thumbnails else 0
        return small + sum(each.n_bytes for each in self.evidence)


def render_report(run: InspectionRun) -> str:
    """Render the page of a finished run."""
    entries = sorted(run.entries, key=lambda entry: entry.record.severity, reverse=True)
    inspected = [entry for entry in entries if entry.record.error is None]
    cards = _within_budget(inspected)
    return _template().render(
        version=sparsight.__version__,
        started=run.started,
        summary=run.summary(),
        entries=inspected,
        failures=[entry.record for entry in entries if entry.record.error is not None],
        cards=cards,
        n_without_card=len(inspected) - len(cards),
        colour_bar=colour_bar(),
        histogram=sum((entry.histogram for entry in inspected), ScoreHistogram()),
        card=run.card,
        promise=promise(run.card),
        caution=caution(run.card),
        facts=facts(run.card),
        max_defects_shown=MAX_DEFECTS_SHOWN,
        n_evidence_open=N_EVIDENCE_OPEN,
        top=TOP,
    )


def _within_budget(entries: list[ReportEntry]) -> list[ReportEntry]:
    """The first entries whose pictures fit the page; the others stand in the table only."""
    room = PICTURE_BUDGET
    for index, entry in enumerate(entries):
        room -= entry.n_bytes
        if room < 0:
            return entries[:index]
    return entries


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sparsight.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent,
        counted=counted,
        number=_number,
        times=_times,
        over=_over,
        link=quote,
        scale_percent=lambda ratio: 100 * min(1.0, float(scale_position(ratio))),
    )
    return environment.get_template("report.html.jinja")


def _number(value: float | None) -> str:
    """Write a figure with three digits that count, or all before the point; a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, int) or abs(value) >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:#.3g}"


def _times(ratio: float | None) -> str:
    """Write a multiple of the threshold."""
    if ratio is None:
        return "–"
    return f"{ratio:.2f} ×" if ratio < 100 else f"{ratio:,.0f} ×" if math.isfinite(ratio) else "∞ ×"


def _over(score: float, threshold: float) -> float:
    return score / threshold if threshold else math.inf
