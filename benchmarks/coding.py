"""The coders beside those of other packages, into docs/benchmarks.md.

    OMP_NUM_THREADS=1 python -m benchmarks.coding              # all of it
    OMP_NUM_THREADS=1 python -m benchmarks.coding lasso peak   # only these

One thread but where said; CPU time; contenders in turn. Patches and dictionaries come from scikit-image's photographs:
8×8 pixels for the pursuits, 15×15 for the convex coders. The slow contenders do a part of the patches, their time is
extrapolated linearly. The error or objective is computed in float64 for all alike. `pip install spams-bin spm-image
skglm` gives the packages measured against; without skglm its rows are left out.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import _coding_peers as peers
from benchmarks._coding_data import (
    learned_dictionary,
    mean_squared_error,
    natural_patches,
    objective,
    random_mask,
)
from benchmarks._documents import table, write_section
from benchmarks._timing import Timing, in_turn
from benchmarks._two_threads import gain_of_two_threads
from sparsight.coding import lasso, orthogonal_matching_pursuit, sparse_group

ROUNDS = 3
PENALTY, GROUP_PENALTY, GROUP_SIZE = 0.1, 0.05, 150


@dataclass(frozen=True)
class Contender:
    """A coder: ours if `ours`, to be compared with ours in the same precision."""

    name: str
    precision: str
    run: Callable[[], Any]  # returns codes, one row per patch
    share: float = 1.0
    ours: bool = False


def compare(contenders: list[Contender]) -> Mapping[Contender, tuple[Timing, str]]:
    """Timings, and how many times as long as ours in the same precision."""
    with threadpool_limits(1):
        timings = in_turn({f"{c.name}, {c.precision}": (c.run, c.share) for c in contenders}, ROUNDS)
    reference = {c.precision: timings[f"{c.name}, {c.precision}"] for c in contenders if c.ours}
    found = {}
    for c in contenders:
        timing = timings[f"{c.name}, {c.precision}"]
        found[c] = timing, "1" if c.ours else timing.ratio_to(reference[c.precision])
    return found


def in_both_precisions(*arrays: NDArray[Any]) -> list[tuple[str, tuple[NDArray[Any], ...]]]:
    return [(dtype, tuple(a.astype(dtype) for a in arrays)) for dtype in ("float64", "float32")]


def codes_of(coder: Callable[..., Any], *arrays: NDArray[Any], **options: Any) -> Callable[[], Any]:
    return lambda: coder(*arrays, output="sparse", n_threads=1, **options).codes


ERRORS = ("10⁴ × squared error", "ours on the same patches")


def errors_of(
    codes: Any,
    ours: Any,
    patches: NDArray[Any],
    dictionary: NDArray[Any],
    mask: NDArray[np.bool_] | None = None,
) -> list[str]:
    """Of the patches that were coded, and of our codes of just those."""
    both = (codes, ours[: codes.shape[0]])
    return [f"{1e4 * mean_squared_error(patches, x, dictionary, mask):.3f}" for x in both]


def pursuit() -> None:
    """W1: orthogonal matching pursuit."""
    patches, dictionary = (
        natural_patches(100_000, 8, unit_norm=False),
        learned_dictionary(256, 8, unit_norm=False),
    )
    rows = []
    for k in (5, 10):
        for rule in ("order-recursive", "orthogonal"):
            contenders = [
                Contender(
                    "sparsight",
                    dtype,
                    codes_of(orthogonal_matching_pursuit, *pair, n_nonzero_coefs=k, rule=rule),
                    ours=True,
                )
                for dtype, pair in in_both_precisions(patches, dictionary)
            ]
            if rule == "order-recursive":
                contenders.append(
                    Contender("SPAMS `omp`", "float64", peers.spams_omp(patches, dictionary, k))
                )
            else:
                part = patches[:2000]
                run = peers.sklearn_omp(part, dictionary, k)
                contenders.append(
                    Contender("scikit-learn `sparse_encode`", "float64", run, len(part) / len(patches))
                )
            ours = contenders[0].run()
            for c, (timing, ratio) in compare(contenders).items():
                errors = errors_of(timing.result, ours, patches, dictionary)
                rows.append([str(k), rule, c.name, c.precision, milliseconds(timing), *errors, ratio])
                print(rows[-1], flush=True)
    header = ["non-zeros", "rule", "coder", "precision", "CPU time", *ERRORS, "times ours"]
    write_section("benchmarks.md", "pursuit", table(header, rows))


def masked_pursuit() -> None:
    """W5: orthogonal matching pursuit of patches of which half the pixels are missing."""
    patches = natural_patches(50_000, 8, unit_norm=False)
    mask = random_mask(patches.shape)
    rows = []
    for n_atoms in (256, 64):
        dictionary = learned_dictionary(n_atoms, 8, unit_norm=False)
        options = {"mask": mask, "n_nonzero_coefs": 5}
        contenders = [
            Contender("sparsight", dtype, codes_of(orthogonal_matching_pursuit, *pair, **options), ours=True)
            for dtype, pair in in_both_precisions(patches, dictionary)
        ]
        contenders.append(
            Contender("SPAMS `ompMask`", "float64", peers.spams_masked_omp(patches, dictionary, 5, mask))
        )
        part = slice(0, 500)
        run = peers.spmimage_masked_omp(patches[part], dictionary, 5, mask[part])
        contenders.append(
            Contender("spm-image `sparse_encode_with_mask`", "float64", run, 500 / len(patches))
        )
        ours = contenders[0].run()
        for c, (timing, ratio) in compare(contenders).items():
            errors = errors_of(timing.result, ours, patches, dictionary, mask)
            rows.append([str(n_atoms), c.name, c.precision, milliseconds(timing), *errors, ratio])
            print(rows[-1], flush=True)
    header = ["atoms", "coder", "precision", "CPU time", *ERRORS, "times ours"]
    write_section("benchmarks.md", "masked", table(header, rows))


def convex(name: str, coder: Callable[..., Any], group_penalty: float) -> None:
    """W2 and W3: what all that minimise the same objective have in common."""
    patches = natural_patches(20_000, 15, unit_norm=True)
    rows = []
    for n_atoms in (450, 900):
        dictionary = learned_dictionary(n_atoms, 15, unit_norm=True)
        options: dict[str, Any] = {"penalty": PENALTY}
        if group_penalty:
            options |= {"group_penalty": group_penalty, "groups": np.arange(n_atoms) // GROUP_SIZE}
        value = partial(
            objective,
            patches,
            dictionary=dictionary,
            penalty=PENALTY,
            group_penalty=group_penalty,
            group_size=GROUP_SIZE,
        )
        optimum = value(coder(patches, dictionary, output="sparse", tolerance=1e-9, **options).codes)
        contenders = []
        for dtype, pair in in_both_precisions(patches, dictionary):
            contenders.append(Contender("sparsight", dtype, codes_of(coder, *pair, **options), ours=True))
            contenders += convex_peers(dtype, pair[0], pair[1], group_penalty)
        for c, (timing, ratio) in compare(contenders).items():
            found = value(timing.result)
            best = optimum[: len(found)]
            excess = [f"{found.mean() / best.mean() - 1:.0e}", f"{(found / best - 1).max():.0e}"]
            used = np.count_nonzero(
                timing.result.toarray() if hasattr(timing.result, "toarray") else timing.result
            )
            cells = [
                str(n_atoms),
                c.name,
                c.precision,
                milliseconds(timing),
                *excess,
                f"{used / len(found):.1f}",
                ratio,
            ]
            rows.append(cells)
            print(cells, flush=True)
    header = [
        "atoms",
        "coder",
        "precision",
        "CPU time",
        "objective above the optimum: mean",
        "worst",
        "non-zeros",
        "times ours",
    ]
    write_section("benchmarks.md", name, table(header, rows))


def convex_peers(
    dtype: str, patches: NDArray[Any], dictionary: NDArray[Any], group_penalty: float
) -> list[Contender]:
    problem = (PENALTY, group_penalty, GROUP_SIZE)

    def part(n: int) -> NDArray[Any]:
        return patches[:n]

    found: list[tuple[str, Callable[[], Any] | None, int]] = []
    if dtype == "float32":
        found.append(("batched ADMM in NumPy", peers.numpy_admm(part(400), dictionary, *problem), 400))
    if group_penalty and dtype == "float64":
        found.append(("SPAMS `fistaFlat`", peers.spams_sparse_group(part(20), dictionary, *problem), 20))
        found.append(("skglm `GroupBCD`", peers.skglm_sparse_group(part(5), dictionary, *problem), 5))
    if not group_penalty:
        found.append(("SPAMS `lasso`", peers.spams_lasso(patches, dictionary, PENALTY), len(patches)))
        if dtype == "float64":
            found.append(
                ("scikit-learn `lasso_cd`", peers.sklearn_lasso(part(200), dictionary, PENALTY), 200)
            )
    return [Contender(name, dtype, run, n / len(patches)) for name, run, n in found if run is not None]


def peak() -> None:
    """How much of a coder's time the machine's own matrix product would need for the correlations DᵀY alone."""
    rng = np.random.default_rng(0)
    rows = []
    for dtype in ("float32", "float64"):
        a = rng.standard_normal((2000, 2000)).astype(dtype)
        for n_atoms in (450, 900):
            patches = natural_patches(20_000, 15, unit_norm=True).astype(dtype)
            atoms = learned_dictionary(n_atoms, 15, unit_norm=True).astype(dtype)
            groups = np.arange(n_atoms) // GROUP_SIZE
            share = n_atoms * 225 * 20_000 / 2000**3
            runs: dict[str, tuple[Callable[[], Any], float]] = {
                "gemm": (partial(np.matmul, a, a), 1),
                "pursuit": (codes_of(orthogonal_matching_pursuit, patches, atoms, n_nonzero_coefs=5), 1),
                "lasso": (codes_of(lasso, patches, atoms, penalty=PENALTY), 1),
                "sparse-group": (
                    codes_of(
                        sparse_group,
                        patches,
                        atoms,
                        penalty=PENALTY,
                        group_penalty=GROUP_PENALTY,
                        groups=groups,
                    ),
                    1,
                ),
            }
            with threadpool_limits(1):
                timings = in_turn(runs, ROUNDS)
            gemm = timings.pop("gemm").median
            fractions = [f"{100 * share * gemm / t.median:.0f} %" for t in timings.values()]
            rows.append([dtype, str(n_atoms), f"{2 * 2000**3 / gemm / 1e9:.0f} GF/s", *fractions])
            print(rows[-1], flush=True)
    header = [
        "precision",
        "atoms",
        "NumPy's matrix product",
        "pursuit (5 non-zeros)",
        "lasso",
        "sparse-group",
    ]
    write_section("benchmarks.md", "peak", table(header, rows))


def threads() -> None:
    """Elapsed time on one thread and on two, while two threads that share nothing gain as they should."""
    small, atoms = natural_patches(100_000, 8, unit_norm=False), learned_dictionary(256, 8, unit_norm=False)
    large, wide = natural_patches(20_000, 15, unit_norm=True), learned_dictionary(450, 15, unit_norm=True)
    mask = random_mask(small.shape)
    groups = np.arange(450) // GROUP_SIZE
    penalties: dict[str, Any] = {"penalty": PENALTY, "group_penalty": GROUP_PENALTY, "groups": groups}
    omp = partial(orthogonal_matching_pursuit, n_nonzero_coefs=5, output="sparse")
    runs: dict[str, Callable[[int], Any]] = {
        "orthogonal matching pursuit": lambda n: omp(small, atoms, n_threads=n),
        "order-recursive": lambda n: omp(small, atoms, rule="order-recursive", n_threads=n),
        "masked pursuit": lambda n: omp(small[:50_000], atoms, mask=mask[:50_000], n_threads=n),
        "lasso": lambda n: lasso(large, wide, penalty=PENALTY, output="sparse", n_threads=n),
        "sparse-group": lambda n: sparse_group(large, wide, **penalties, output="sparse", n_threads=n),
    }
    rows = []
    with threadpool_limits(1):
        for name, run in runs.items():
            rows.append([name, gain_of_two_threads(run)])
            print(rows[-1], flush=True)
    write_section(
        "benchmarks.md", "threads", table(["coder, float64", "one thread / two threads, elapsed"], rows)
    )


def milliseconds(timing: Timing) -> str:
    return f"{1e3 * timing.median:,.0f} ms"


PARTS: dict[str, Callable[[], None]] = {
    "pursuit": pursuit,
    "masked": masked_pursuit,
    "lasso": partial(convex, "lasso", lasso, 0.0),
    "sparse-group": partial(convex, "sparse-group", sparse_group, GROUP_PENALTY),
    "peak": peak,
    "threads": threads,
}


def main() -> None:
    warnings.simplefilter("ignore")
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
