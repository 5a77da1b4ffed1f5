"""What a second thread gains, measured while the machine has a second processor to give.

A virtual machine is not granted all of its processors at all times. Right before and after each round two threads that
share nothing multiply matrices, for some hundredths of a second; a round counts where both times they gain at least
1.7. What is measured in between has no part in that choice.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks._timing import elapsed

LEAST_GRANTED = 1.7
ROUNDS, MOST_ROUNDS = 15, 80


def gain_of_two_threads(run: Callable[[int], object]) -> str:
    """Elapsed time on one thread over that on two, and the machine's own gain around it; `run` takes their number.

    To be called with the threads of BLAS limited to one.
    """
    gains: list[float] = []
    granted: list[float] = []
    n_rounds = 0
    while len(gains) < ROUNDS and n_rounds < MOST_ROUNDS:
        n_rounds += 1
        before = gain_of_the_machine()
        gain = elapsed(partial(run, 1)) / elapsed(partial(run, 2))
        after = gain_of_the_machine()
        if min(before, after) >= LEAST_GRANTED:
            gains.append(gain)
            granted += [before, after]
    if not gains:
        return f"the machine was too busy in all of {n_rounds} rounds"
    return (
        f"{statistics.median(gains):.2f}× ({min(gains):.2f} to {max(gains):.2f}), the machine's own "
        f"{statistics.median(granted):.2f}×; {len(gains)} of {n_rounds} rounds"
    )


def gain_of_the_machine() -> float:
    """The same of products of matrices that share nothing."""
    return elapsed(partial(_multiply, 1)) / elapsed(partial(_multiply, 2))


def _multiply(n_threads: int) -> None:
    a = np.random.default_rng(0).standard_normal((500, 500))

    def products() -> None:
        for _ in range(12 // n_threads):
            a @ a

    workers = [threading.Thread(target=products) for _ in range(n_threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
