"""Dictionary learning beside SPAMS, spm-image and scikit-learn, into docs/benchmarks.md.

    OMP_NUM_THREADS=1 python -m benchmarks.learning online
    OMP_NUM_THREADS=1 python -m benchmarks.learning ksvd
    OMP_NUM_THREADS=1 python -m benchmarks.learning threads

One thread and CPU time, but for the last; contenders in turn. 50,000 patches of 8×8 pixels without their mean, from
six of scikit-image's photographs, are learned with 256 atoms and 5 non-zeros. The error is that of 20,000 patches of
four other photographs, as a fraction of their energy, coded in float64 for all alike, by both rules of pursuit: SPAMS
learns with the order-recursive one, the others with the orthogonal one. In each round all start from the same random
patches, other ones than in the round before. SPAMS (`pip install spams-bin`, GPL) is measured against only. spm-image
learns from a part of the patches, and scikit-learn from another; their times are extrapolated linearly, and their
errors, and those of our K-SVD beside them, are of dictionaries learned from that part.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import spams
from numpy.typing import NDArray
from skimage import data
from sklearn.decomposition import MiniBatchDictionaryLearning
from spmimage.decomposition import KSVD as SpmImageKSVD
from threadpoolctl import threadpool_limits

from benchmarks._documents import table, write_section
from benchmarks._timing import Timing, in_turn
from benchmarks._two_threads import gain_of_two_threads
from sparsight.coding import orthogonal_matching_pursuit
from sparsight.dictionaries import KSVD, OnlineDictionary
from sparsight.dictionaries._atoms import atoms_from_patches
from sparsight.features import remove_mean
from sparsight.patches import PatchGrid

N_PATCHES, N_HELD_OUT, N_ATOMS, N_NONZERO = 50_000, 20_000, 256, 5
K_SVD_ITERATIONS = 10
SPM_IMAGE_SHARE, SCIKIT_LEARN_SHARE = 0.04, 0.1
ROUNDS = 3

SPAMS_ITERATIONS = (100, 400, 1000)  # mini-batches of 512: 1, 4 and 10 passes over the patches
OUR_PASSES = (1, 2, 4)
PRECISIONS = ("float64", "float32")

Patches: TypeAlias = NDArray[Any]
Learn: TypeAlias = Callable[[Patches], Patches]
Errors: TypeAlias = dict[str, float]


def natural_patches(images: list[NDArray[Any]], n: int, seed: int) -> NDArray[np.float64]:
    """Random 8×8 patches of the images' luminance, without their mean."""
    found = []
    for image in images:
        grey = (image @ [0.299, 0.587, 0.114] if image.ndim == 3 else image.astype(np.float64)) / 255
        found.append(PatchGrid(grey.shape, 8, 1).extract(grey).reshape(-1, 64))
    patches = np.concatenate(found)
    chosen = np.random.default_rng(seed).choice(len(patches), n, replace=False)
    return remove_mean(patches[chosen])[0]


class Contender:
    """A learner that in each round starts from other atoms, and keeps the dictionaries it found."""

    def __init__(self, learn: Learn, starts: list[NDArray[Any]]) -> None:
        self.learn = learn
        self.starts: Iterator[NDArray[Any]] = iter(starts)
        self.found: list[NDArray[Any]] = []

    def __call__(self) -> None:
        self.found.append(np.asarray(self.learn(next(self.starts)), np.float64))

    def errors(self, held_out: NDArray[np.float64]) -> Errors:
        """Share of the held-out energy that is not explained, by rule of pursuit; mean over the rounds."""
        energy = np.square(held_out).sum()
        return {
            rule: float(np.mean([unexplained(held_out, atoms, rule) / energy for atoms in self.found[1:]]))
            for rule in ("orthogonal", "order-recursive")
        }


def unexplained(held_out: NDArray[np.float64], atoms: NDArray[np.float64], rule: Any) -> float:
    coding = orthogonal_matching_pursuit(
        held_out, atoms, n_nonzero_coefs=N_NONZERO, rule=rule, output="reductions", n_threads=1
    )
    return float(np.square(coding.residual_norm).sum())


def online(patches: NDArray[Any], passes: int, n_threads: int = 1, batch_size: int = 512) -> Learn:
    return lambda start: (
        OnlineDictionary(
            N_ATOMS,
            transform_n_nonzero_coefs=N_NONZERO,
            max_iter=passes,
            tol=0,
            batch_size=batch_size,
            dictionary_init=start,
            n_threads=n_threads,
            random_state=0,
        )
        .fit(patches)
        .components_
    )


def k_svd(patches: NDArray[Any], n_threads: int = 1) -> Learn:
    return lambda start: (
        KSVD(
            N_ATOMS,
            transform_n_nonzero_coefs=N_NONZERO,
            max_iter=K_SVD_ITERATIONS,
            tol=0,
            dictionary_init=start,
            n_threads=n_threads,
        )
        .fit(patches)
        .components_
    )


def spams_online(patches: NDArray[Any], iterations: int) -> Learn:
    columns = np.asfortranarray(patches.T)
    return lambda start: (
        spams.trainDL(
            columns,
            D=np.asfortranarray(start.T, dtype=patches.dtype),
            lambda1=N_NONZERO,
            mode=3,
            iter=iterations,
            batchsize=512,
            numThreads=1,
            verbose=False,
        ).T
    )


def spm_image_k_svd(patches: NDArray[Any]) -> Learn:
    return lambda start: (
        SpmImageKSVD(
            N_ATOMS,
            max_iter=K_SVD_ITERATIONS,
            tol=0,
            transform_n_nonzero_coefs=N_NONZERO,
            dict_init=start.copy(),
        )
        .fit(patches.copy())
        .components_
    )


def scikit_learn_online(patches: NDArray[Any]) -> Learn:
    return lambda start: (
        MiniBatchDictionaryLearning(
            N_ATOMS,
            alpha=0.1,
            max_iter=1,
            batch_size=256,
            dict_init=start,
            random_state=0,
            n_jobs=1,
        )
        .fit(patches)
        .components_
    )


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("section", choices=("online", "ksvd", "threads"))
    training = [data.astronaut(), data.camera(), data.chelsea(), data.coins(), data.stereo_motorcycle()[0]]
    patches = natural_patches([*training, data.rocket()], N_PATCHES, seed=0)
    held_out = natural_patches([data.coffee(), data.gravel(), data.moon(), data.retina()], N_HELD_OUT, seed=1)
    sections = {
        "online": lambda: compare_online(patches, held_out),
        "ksvd": lambda: compare_k_svd(patches, held_out),
        "threads": lambda: compare_threads(patches),
    }
    section = parser.parse_args().section
    name = "learning-threads" if section == "threads" else section
    write_section("benchmarks.md", name, sections[section]())


def measure(
    learners: dict[str, tuple[Learn, float]], patches: Patches, held_out: NDArray[np.float64]
) -> tuple[dict[str, Timing], dict[str, Errors]]:
    starts = [atoms_from_patches(patches, N_ATOMS, np.random.RandomState(i)) for i in range(ROUNDS + 1)]
    contenders = {name: (Contender(learn, starts), share) for name, (learn, share) in learners.items()}
    with threadpool_limits(1):
        timings = in_turn(contenders, ROUNDS)
        return timings, {name: contender.errors(held_out) for name, (contender, _) in contenders.items()}


def cell(timing: Timing, errors: Errors) -> str:
    return f"{timing.median:.2f} s, {errors['orthogonal']:.4f} / {errors['order-recursive']:.4f}"


def compare_online(patches: NDArray[np.float64], held_out: NDArray[np.float64]) -> str:
    learners: dict[str, tuple[Learn, float]] = {}
    for precision in PRECISIONS:
        given = patches.astype(precision)
        for iterations in SPAMS_ITERATIONS:
            learners[f"SPAMS {iterations} {precision}"] = spams_online(given, iterations), 1
        for passes in OUR_PASSES:
            learners[f"{passes} {precision}"] = online(given, passes), 1
    timings, errors = measure(learners, patches, held_out)

    rows = []
    for precision in PRECISIONS:
        for iterations in SPAMS_ITERATIONS:
            theirs = f"SPAMS {iterations} {precision}"
            ours = next(
                (
                    f"{passes} {precision}"
                    for passes in OUR_PASSES
                    if all(
                        errors[f"{passes} {precision}"][rule] < errors[theirs][rule]
                        for rule in errors[theirs]
                    )
                ),
                None,
            )
            row = [precision, str(iterations), cell(timings[theirs], errors[theirs])]
            if ours is None:
                rows.append([*row, "–", "not reached", "–"])
                continue
            reached = cell(timings[ours], errors[ours])
            rows.append([*row, ours.split()[0], reached, timings[theirs].ratio_to(timings[ours])])
    header = [
        "",
        "iterations",
        "SPAMS: time, errors",
        "passes",
        "sparsight: time, errors",
        "SPAMS is slower by",
    ]
    return table(header, rows)


def compare_k_svd(patches: NDArray[np.float64], held_out: NDArray[np.float64]) -> str:
    part = patches[: int(SPM_IMAGE_SHARE * N_PATCHES)]
    other_part = patches[: int(SCIKIT_LEARN_SHARE * N_PATCHES)]
    learners: dict[str, tuple[Learn, float]] = {
        "sparsight KSVD, float64": (k_svd(patches), 1),
        "sparsight KSVD, float32": (k_svd(patches.astype(np.float32)), 1),
        "sparsight KSVD, 4 % of the patches": (k_svd(part), SPM_IMAGE_SHARE),
        "spm-image KSVD, the same 4 %": (spm_image_k_svd(part), SPM_IMAGE_SHARE),
        "scikit-learn MiniBatchDictionaryLearning (lasso), one pass, 10 %": (
            scikit_learn_online(other_part),
            SCIKIT_LEARN_SHARE,
        ),
    }
    timings, errors = measure(learners, part, held_out)
    ours = timings["sparsight KSVD, float64"]
    rows = [[name, cell(timings[name], errors[name]), timings[name].ratio_to(ours)] for name in learners]
    return table(["learner", "time for all patches, errors", "time of sparsight float64"], rows)


def compare_threads(patches: NDArray[np.float64]) -> str:
    start = atoms_from_patches(patches, N_ATOMS, np.random.RandomState(0))
    learners: dict[str, Callable[[int], Patches]] = {
        "OnlineDictionary, mini-batches of 512": lambda n: online(patches, 1, n)(start),
        "OnlineDictionary, mini-batches of 4096": lambda n: online(patches, 1, n, 4096)(start),
        "KSVD": lambda n: k_svd(patches, n)(start),
    }
    with threadpool_limits(1):
        rows = [[name, gain_of_two_threads(learn)] for name, learn in learners.items()]
    return table(["learner, float64", "one thread / two threads, elapsed"], rows)


if __name__ == "__main__":
    main()
