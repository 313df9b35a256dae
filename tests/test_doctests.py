"""The examples in the docstrings do what they say."""

import doctest
import importlib
import pkgutil

import pytest

import d2l_utils

MODULES = ["d2l_utils", *(m.name for m in pkgutil.walk_packages(d2l_utils.__path__, "d2l_utils."))]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    assert sum(len(t.examples) for name in MODULES for t in finder.find(importlib.import_module(name))) >= 2


def test_every_public_name_exists_and_is_documented():
    for name in d2l_utils.__all__:
        value = getattr(d2l_utils, name)
        if callable(value):
            assert value.__doc__, name
