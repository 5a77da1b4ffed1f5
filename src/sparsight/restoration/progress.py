"""Progress of a task that consists of parts."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
STEPS = 100


def part_of(progress: Progress | None, index: int, n_parts: int) -> Progress | None:
    """Report the progress of part `index` of `n_parts` equal ones as that of the whole, in hundredths."""
    if progress is None:
        return None

    def report(done: int, total: int, text: str) -> None:
        progress(round(STEPS * (index + done / max(total, 1)) / n_parts), STEPS, text)

    return report
