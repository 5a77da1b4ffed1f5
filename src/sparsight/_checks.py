"""Checks of parameters, with errors that say what was given and what is allowed."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from sparsight.errors import ParameterError


def check_integer(name: str, value: Any, *, minimum: int, maximum: int | None = None) -> int:
    """Return `value` as an int, or raise a ParameterError that names the parameter and its range."""
    wanted = f"an integer of at least {minimum}" + (f" and at most {maximum}" if maximum is not None else "")
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise ParameterError(f"{name} must be {wanted}, got {value!r}.")
    number = int(value)
    if number < minimum or (maximum is not None and number > maximum):
        raise ParameterError(f"{name} must be {wanted}, got {value}.")
    return number


def check_number(name: str, value: Any, *, minimum: float, inclusive: bool = True) -> float:
    """Return `value` as a finite float, or raise a ParameterError that names the parameter and its range."""
    wanted = f"a finite number {'of at least' if inclusive else 'above'} {minimum:g}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise ParameterError(f"{name} must be {wanted}, got {value!r}.")
    number = float(value)
    if not np.isfinite(number) or number < minimum or (number == minimum and not inclusive):
        raise ParameterError(f"{name} must be {wanted}, got {value}.")
    return number


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`, or raise a ParameterError that lists them."""
    if value not in choices:
        raise ParameterError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")
    return str(value)
