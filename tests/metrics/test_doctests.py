"""The examples in the docstrings of the metrics give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import captcha_lab.metrics

MODULES = [module.name for module in pkgutil.iter_modules(captcha_lab.metrics.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"captcha_lab.metrics.{name}")).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(f"captcha_lab.metrics.{name}") for name in MODULES]
    assert sum(bool(test.examples) for module in modules for test in finder.find(module)) >= 10
