"""The examples in the docstrings of the metrics, and of what finds them, give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import captcha_lab.metrics

FOUND = pkgutil.walk_packages(captcha_lab.metrics.__path__, "captcha_lab.metrics.")
MODULES = [
    *(module.name for module in FOUND),
    "captcha_lab.evaluate.grade",
    "captcha_lab.evaluate.generators.verdict",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_nearly_every_module_has_an_example() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(name) for name in MODULES]
    without = [m.__name__ for m in modules if not any(test.examples for test in finder.find(m))]
    assert [name.rsplit(".", 1)[1] for name in without] == ["samples", "reading", "subjects"]
