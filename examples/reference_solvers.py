"""ADMM and FISTA: the papers' own solvers, how fast they converge, and on any array library.

    python examples/reference_solvers.py [PICTURE]

Each patch is made of atoms of one group out of three, plus noise, and coded with the ICIP paper's penalty on groups.
The duality gap bounds how far the objective is from its minimum.
"""

import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sparsight.coding.reference import admm, fista

rng = np.random.default_rng(0)
atoms = rng.standard_normal((300, 100))
atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
codes = np.zeros((200, 3, 100))
for code, group in zip(codes, rng.integers(3, size=200), strict=True):
    code[group, rng.choice(100, 8, replace=False)] = rng.standard_normal(8)
patches = codes.reshape(200, 300) @ atoms + 0.05 * rng.standard_normal((200, 100))
problem = dict(penalty=0.1, group_penalty=0.2, groups=np.arange(300) // 100)

solvers = {
    "ADMM, relaxed (1.8)": lambda **stop: admm(patches, atoms, **problem, **stop),
    "ADMM": lambda **stop: admm(patches, atoms, **problem, relaxation=1.0, **stop),
    "FISTA with restarts": lambda **stop: fista(patches, atoms, **problem, **stop),
}
figure, axes = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained")
iterations = [5, 10, 20, 40, 80, 160, 320]
for name, solve in solvers.items():
    gaps = []
    for max_iter in iterations:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early on purpose
            solution = solve(max_iter=max_iter, tolerance=1e-14)
        gaps.append(np.median(solution.duality_gap / solution.objective))
    axes[0].loglog(iterations, gaps, "o-", label=name)
axes[0].set(
    xlabel="iterations", ylabel="duality gap / objective (median)", title="how far from the minimum at most"
)
axes[0].legend()

shares = []
group_penalties = [0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.25]
for group_penalty in group_penalties:
    solution = admm(patches, atoms, penalty=0.1, group_penalty=group_penalty, groups=problem["groups"])
    n_groups = solution.codes.reshape(-1, 3, 100).any(axis=2).sum(axis=1)
    shares.append(np.bincount(n_groups, minlength=4) / len(n_groups))
    print(
        f"group penalty {group_penalty}: {n_groups.mean():.2f} groups for a patch, {solution.n_iter} iterations"
    )
axes[1].stackplot(group_penalties, np.transpose(shares), labels=["none", "one", "two", "three"], alpha=0.8)
axes[1].set(
    xlabel="group penalty ξ", ylabel="share of the patches", title="groups of atoms that a patch uses"
)
axes[1].legend(loc="lower left")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "reference_solvers.png", dpi=80)
