"""Examples in docstrings run, and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import sparsight

MODULES = [
    module.name
    for module in pkgutil.walk_packages(sparsight.__path__, "sparsight.")
    if not module.name.endswith("__main__")  # importing it would run the program
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
