"""Measuring side by side: every contender in turn (A, B, C, A, B, C, …), in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Timing:
    """CPU seconds of each round for the whole workload, and what the last round returned."""

    seconds: list[float]
    result: Any

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def ratio_to(self, other: Timing) -> str:
        """How many times as long this took as the other, round by round."""
        ratios = [a / b for a, b in zip(self.seconds, other.seconds, strict=True)]
        return f"**{statistics.median(ratios):.1f}×** ({min(ratios):.1f} to {max(ratios):.1f})"


def cpu_seconds(run: Callable[[], object]) -> float:
    """CPU seconds that a task takes."""
    started = time.process_time()
    run()
    return time.process_time() - started


def in_turn(contenders: Mapping[str, tuple[Callable[[], Any], float]], rounds: int = 5) -> dict[str, Timing]:
    """Run all contenders in turn, after one round to warm up.

    Each contender comes with the share of the workload that it does, so that the slow ones can do a part;
    their seconds are extrapolated linearly.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    results: dict[str, Any] = {}
    for turn in range(rounds + 1):
        for name, (run, share) in contenders.items():
            started = time.process_time()
            results[name] = run()
            if turn:
                seconds[name].append((time.process_time() - started) / share)
    return {name: Timing(seconds[name], results[name]) for name in contenders}


def elapsed(run: Callable[[], Any]) -> float:
    """Seconds by the wall clock."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
