"""The ways of scoring an image that a detector can be made of, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from sparsight._checks import check_choice, check_integer
from sparsight.errors import ParameterError
from sparsight.inspection.any_scale import AnyScaleScorer
from sparsight.inspection.likelihood import LikelihoodScorer
from sparsight.inspection.paper_methods import PAPER_METHODS
from sparsight.inspection.reconstruction import ReconstructionScorer
from sparsight.inspection.scorers import Scorer

METHODS: dict[str, Callable[..., Scorer]] = {
    "universal": LikelihoodScorer,
    "reconstruction": ReconstructionScorer,
    **PAPER_METHODS,
}
_INTEGERS = ("patch_size", "stride", "n_components", "n_nonzero_coefs")


def new_scorer(method: str, settings: dict[str, Any], n_threads: int | None) -> Scorer:
    """Make an untrained scorer.

    Parameters
    ----------
    method : str
    settings : dict
        Parameters of the method; those that are None are left at their defaults.
    n_threads : int, optional

    Raises
    ------
    ParameterError
        If there is no such method, it has no such parameter, or that is out of range.
    """
    check_choice("method", method, tuple(METHODS))
    chosen = {name: value for name, value in settings.items() if value is not None}
    make = METHODS[method]
    if method == "universal" and "scales" in chosen:
        if "defects" in chosen:
            raise ParameterError("defects cannot be declared together with scales; leave one of them out.")
        make = AnyScaleScorer
    known = inspect.signature(make).parameters
    for name, value in chosen.items():
        if name not in known:
            raise ParameterError(f'The method "{method}" has no parameter {name}; leave it out.')
        if name in _INTEGERS:
            check_integer(name, value, minimum=2 if name == "patch_size" else 1)
    if "patch_size" in chosen and "stride" not in chosen:
        default = make()
        chosen["stride"] = max(1, chosen["patch_size"] * default.stride // default.patch_size)
    return make(n_threads=n_threads, **chosen)
