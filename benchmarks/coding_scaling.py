"""How the coders' time grows with the problem, into docs/pictures/coding_scaling.png.

    OMP_NUM_THREADS=1 python -m benchmarks.coding_scaling

One thread, float32, CPU time, the best of three. One of n, M, P and the number of non-zeros changes at a time, the
others being 10,000 patches of 12×12 pixels over 288 atoms with 5 non-zeros; the convex coders get their number of
non-zeros, which is the mean over the patches, from the penalty.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks._coding_data import learned_dictionary, natural_patches
from benchmarks._documents import DOCS
from sparsight.coding import Coding, lasso, orthogonal_matching_pursuit, sparse_group

N_PATCHES, SIZE, N_ATOMS, K, PENALTY = 10_000, 12, 288, 5, 0.2
SIZES = {
    "patches n": (300, 1000, 3000, 10_000, 30_000, 100_000),
    "atoms M": (72, 144, 288, 576, 1152),
    "values per patch P": (5, 8, 12, 18, 27),  # squared
    "non-zeros k": (2, 4, 8, 16, 32),
}
PENALTIES = (0.4, 0.25, 0.15, 0.08, 0.04)


def coders(k: int, penalty: float, n_atoms: int) -> dict[str, Callable[..., Coding]]:
    groups = np.arange(n_atoms) // (n_atoms // 3)
    return {
        "OMP": lambda *problem, **form: orthogonal_matching_pursuit(*problem, n_nonzero_coefs=k, **form),
        "OMP, order-recursive": lambda *problem, **form: orthogonal_matching_pursuit(
            *problem, n_nonzero_coefs=k, rule="order-recursive", **form
        ),
        "lasso": lambda *problem, **form: lasso(*problem, penalty=penalty, **form),
        "sparse-group": lambda *problem, **form: sparse_group(
            *problem, penalty=penalty, group_penalty=penalty / 2, groups=groups, **form
        ),
    }


def measure(along: str, value: int, penalty: float) -> dict[str, tuple[float, float]]:
    """Where on the axis each coder lies, and its seconds."""
    n = value if along == "patches n" else N_PATCHES
    size = value if along == "values per patch P" else SIZE
    n_atoms = value if along == "atoms M" else N_ATOMS
    patches = natural_patches(n, size, unit_norm=True).astype(np.float32)
    atoms = learned_dictionary(n_atoms, size, unit_norm=True).astype(np.float32)
    found = {}
    for name, coder in coders(value if along == "non-zeros k" else K, penalty, n_atoms).items():
        seconds = []
        for _ in range(3):
            started = time.process_time()
            coding = coder(patches, atoms, output="sparse", n_threads=1)
            seconds.append(time.process_time() - started)
        at: float = size * size if along == "values per patch P" else value
        found[name] = (float(coding.n_nonzero.mean()) if along == "non-zeros k" else at), min(seconds)
    return found


def main() -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    warnings.simplefilter("ignore")
    figure, panels = plt.subplots(1, 4, figsize=(15, 4), sharey=True, layout="constrained")
    for panel, (along, values) in zip(panels, SIZES.items(), strict=True):
        lines: dict[str, list[Any]] = {}
        for i, value in enumerate(values):
            penalty = PENALTIES[i] if along == "non-zeros k" else PENALTY
            with threadpool_limits(1):
                measured = measure(along, value, penalty)
            print(
                along,
                value,
                {name: f"{x:.1f}: {1e3 * s:.1f} ms" for name, (x, s) in measured.items()},
                flush=True,
            )
            for name, point in measured.items():
                lines.setdefault(name, []).append(point)
        for (name, points), marker in zip(lines.items(), "os^D", strict=True):
            panel.loglog(*zip(*points, strict=True), marker=marker, markersize=4, label=name)
        panel.set_xlabel(along)
        panel.xaxis.set_minor_formatter("")
        panel.grid(which="both", alpha=0.25)
    panels[0].set_ylabel("CPU seconds, one thread")
    panels[0].legend(fontsize=8)
    figure.savefig(DOCS / "pictures" / "coding_scaling.png", dpi=110)


if __name__ == "__main__":
    main()
