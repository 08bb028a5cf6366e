"""The examples in the docstrings of the statistics give what they say."""

import doctest
import importlib
import pkgutil

import pytest

from objbench.judge import statistics

MODULES = [statistics.__name__] + [
    f"{statistics.__name__}.{module.name}" for module in pkgutil.iter_modules(statistics.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


def test_the_package_names_all_of_its_modules():
    for name in MODULES[1:]:
        assert f"``{name.rpartition('.')[2]}``" in statistics.__doc__
