"""The same source of kernels, compiled for several instruction sets."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from sparsight import _kernels

SCRIPT = """
import json, sys
import numpy as np
from sparsight import _kernels
from sparsight.coding import lasso, orthogonal_matching_pursuit, outlier, sparse_group

rng = np.random.default_rng(0)
dictionary = rng.standard_normal((70, 30))
patches = rng.standard_normal((200, 30))
mask = rng.random(patches.shape) < 0.3
figures = {"instruction_set": _kernels.instruction_set()}
for dtype in ("float32", "float64"):
    for name, missing in (("complete", None), ("masked", mask)):
        for rule in ("orthogonal", "order-recursive"):
            coding = orthogonal_matching_pursuit(
                patches.astype(dtype), dictionary, n_nonzero_coefs=6, mask=missing, rule=rule
            )
            figures[f"{dtype} {name} {rule}"] = coding.residual_norm.tolist()
        for coder, settings in (
            (lasso, dict(penalty=0.3)),
            (sparse_group, dict(penalty=0.2, group_penalty=0.3, groups=np.arange(70) % 4)),
            (outlier, dict(penalty=0.3, outlier_penalty=1.0)),
        ):
            coding = coder(patches.astype(dtype), dictionary, mask=missing, **settings)
            figures[f"{dtype} {name} {coder.__name__}"] = coding.residual_norm.tolist()
json.dump(figures, sys.stdout)
"""


def run(instruction_set):
    environment = {**os.environ, "SPARSIGHT_INSTRUCTION_SET": instruction_set}
    return subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def baseline():
    return json.loads(run("baseline").stdout)


@pytest.mark.parametrize("name", _kernels.available_instruction_sets())
def test_every_instruction_set_gives_the_same_figures(name, baseline):
    figures = json.loads(run(name).stdout)
    assert figures.pop("instruction_set") == name
    for problem, norms in figures.items():
        # Rounding may decide between two atoms that fit equally well: a few patches may differ.
        tolerance = 1e-3 if "float32" in problem else 1e-5
        same = np.isclose(norms, baseline[problem], rtol=tolerance)
        assert same.mean() >= 0.99, problem


def test_an_instruction_set_that_is_not_there_is_refused():
    finished = run("abacus")
    assert finished.returncode != 0
    assert "'abacus', but this processor offers: baseline" in finished.stderr


def test_the_best_instruction_set_is_in_use():
    if "SPARSIGHT_INSTRUCTION_SET" not in os.environ:
        # The widest vectors, but for a processor that works on them in halves.
        assert _kernels.instruction_set() in _kernels.available_instruction_sets()[-2:]
        assert _kernels.instruction_set() != "baseline" or len(_kernels.available_instruction_sets()) == 1
