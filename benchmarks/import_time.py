"""Time to import sparsight beside that of NumPy and scikit-learn, into docs/benchmarks.md.

    python -m benchmarks.import_time

Each import runs in a fresh interpreter, in turn (A, B, C, A, B, C, …); an interpreter that imports nothing is
subtracted.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks._documents import table, write_section

STATEMENTS = {
    "nothing": "pass",
    "`import numpy`": "import numpy",
    "`import sparsight`": "import sparsight",
    "`sparsight --help`": "import sys; sys.argv[1:] = ['--help']; import sparsight.cli as cli; cli.main()",
    "`from sparsight import KSVD`": "from sparsight import KSVD",
    "`import sklearn.decomposition`": "import sklearn.decomposition",
}
REPEATS = 9


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(REPEATS):
        for name, statement in STATEMENTS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], capture_output=True, check=False)
            seconds[name].append(time.perf_counter() - started)
    nothing = statistics.median(seconds.pop("nothing"))
    numpy = statistics.median(seconds["`import numpy`"]) - nothing
    rows = []
    for name, times in seconds.items():
        spent = statistics.median(times) - nothing
        rows.append([name, f"{1e3 * spent:.0f} ms", f"{spent / numpy:.2f}×"])
        print(rows[-1])
    write_section("benchmarks.md", "import", table(["statement", "median of 9", "NumPy's import"], rows))


if __name__ == "__main__":
    main()
