"""What each method and quality of inpainting does."""

from __future__ import annotations

from dataclasses import dataclass

from ._dictionary import DictionarySchedule
from ._nonlocal import NonlocalSchedule
from ._structured import StructuredSchedule

METHODS = ("auto", "structured", "nonlocal", "ksvd", "cosine")
QUALITIES = ("fast", "balanced", "best")

_LITTLE = 0.02  # share of missing pixels below which the mixture alone is as good, and quicker
_SPARSE = 0.6  # above it the smooth filling misleads the search for similar patches
_SCATTERED = 0.2  # below it losses are text, scratches and holes, whose start must be better than smooth


@dataclass(frozen=True)
class Plan:
    """Stages to run, one after another; several non-local schedules each begin anew, and their mean is taken."""

    structured: StructuredSchedule | None = None
    nonlocal_: tuple[NonlocalSchedule, ...] = ()
    dictionary: DictionarySchedule | None = None

    @property
    def steps(self) -> int:
        """Number of steps reported for a plane."""
        steps = self.structured.passes if self.structured else 0
        steps += sum(schedule.passes for schedule in self.nonlocal_)
        if self.dictionary:
            steps += 2 if self.dictionary.iterations else 1
        return steps


def plan_for(method: str, quality: str, missing_rate: float) -> Plan:
    """Choose the stages for a share of missing pixels between 0 and 1."""
    if method == "auto":
        method = "structured" if quality == "fast" and missing_rate < _LITTLE else "nonlocal"
    if method == "structured":
        return Plan(structured=_STRUCTURED[quality])
    if method == "nonlocal":
        return _nonlocal_plan(quality, missing_rate)
    return Plan(dictionary=(_COSINE if method == "cosine" else _KSVD)[quality])


def _nonlocal_plan(quality: str, missing_rate: float) -> Plan:
    # The more is missing, the less the smooth filling says about which patches are alike: more passes are needed,
    # and they begin more cautiously.
    if missing_rate > _SPARSE:
        return {
            "fast": Plan(
                StructuredSchedule(2, 0.2, 0.4, 16), (NonlocalSchedule(6, 7, 12, 48, 16, (60.0, 2.0)),)
            ),
            "balanced": Plan(
                StructuredSchedule(6, 0.2, 0.5, 32), (NonlocalSchedule(12, 6, 12, 48, 24, (60.0, 1.0)),)
            ),
            "best": Plan(
                StructuredSchedule(10, 0.3, 1.0, 40), (NonlocalSchedule(16, 5, 12, 48, 32, (100.0, 1.0)),)
            ),
        }[quality]
    if missing_rate < _SCATTERED:
        return {
            "fast": Plan(
                StructuredSchedule(4, 0.15, 0.5, 24), (NonlocalSchedule(3, 5, 12, 32, 24, (8.0, 1.0)),)
            ),
            "balanced": Plan(
                StructuredSchedule(10, 0.15, 0.35, 40), (NonlocalSchedule(4, 5, 16, 64, 32, (8.0, 1.0)),)
            ),
            "best": Plan(
                StructuredSchedule(10, 0.3, 1.0, 40), (NonlocalSchedule(4, 4, 16, 64, 32, (8.0, 1.0)),)
            ),
        }[quality]
    return {
        "fast": Plan(None, (NonlocalSchedule(5, 7, 12, 48, 16, (60.0, 2.0)),)),
        "balanced": Plan(None, (NonlocalSchedule(12, 6, 12, 64, 24, (60.0, 0.5)),)),
        "best": Plan(
            None,
            # Groups of two sizes err in different ways.
            (
                NonlocalSchedule(14, 4, 12, 64, 32, (60.0, 0.5)),
                NonlocalSchedule(14, 4, 12, 32, 24, (60.0, 0.5)),
            ),
        ),
    }[quality]


_STRUCTURED = {
    "fast": StructuredSchedule(4, 0.15, 0.6, 24),
    "balanced": StructuredSchedule(8, 0.2, 0.6, 40),
    "best": StructuredSchedule(10, 0.3, 1.0, 64),
}
_KSVD = {
    "fast": DictionarySchedule(4, 64, 3000, 8, 0.5),
    "balanced": DictionarySchedule(5, 64, 5000, 9, 1.0),
    "best": DictionarySchedule(15, 64, 12_000, 10, 1.0),
}
_COSINE = {
    "fast": DictionarySchedule(0, 144, 0, 8, 0.15),
    "balanced": DictionarySchedule(0, 256, 0, 12, 0.4),
    "best": DictionarySchedule(0, 256, 0, 12, 1.0),
}
