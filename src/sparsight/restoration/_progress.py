"""Steps of a long job, counted and passed on to whoever shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int, str], None]


class StepCounter:
    """Call it after each step: it tells `progress` how many of all are done."""

    def __init__(self, total: int, progress: Progress | None, text: str) -> None:
        self.total, self.done, self.progress, self.text = total, 0, progress, text

    def __call__(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total, self.text)
