r"""The papers' own solvers of the convex coding problems, written once on the array API.

Both minimise, for every patch s (with group_penalty ξ = 0 the lasso, or BPDN),

.. math:: F(x) = \tfrac12 \|s - D x\|_2^2 + \lambda \sum_m w_m |x_m| + \xi \sum_j v_j \|x_j\|_2 ,

over x ≥ 0 if `positive`. They are the oracle that the compiled coders are held to, and they run wherever
their arrays live: NumPy, CuPy, PyTorch (with array-api-compat installed) or any library of the array API.
For speed on a processor use `sparsight.coding.lasso` and `sparsight.coding.sparse_group`.

Optimality is certified by the duality gap: with the residual r = s − D x and any c such that c Dᵀr lies in
the domain of the conjugate of the penalty g,

.. math:: F(x) - F(x^\star) \le \tfrac12 (1 - c)^2 \|r\|^2 + g(x) - c\, \langle x, D^T r \rangle .
"""

from sparsight.coding._admm import admm
from sparsight.coding._fista import fista
from sparsight.coding._reference_solution import ReferenceSolution

__all__ = ["ReferenceSolution", "admm", "fista"]
