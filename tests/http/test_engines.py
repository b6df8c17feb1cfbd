"""The tests that are repeated over PostgreSQL exist, and so do those that are left out."""

import importlib
import inspect

import engines


def test_the_tests_of_other_files_are_repeated():
    modules = [importlib.import_module(name) for name in engines.REPEATED]
    for module in modules:
        tests = [test for name, test in vars(module).items()
                 if name.startswith("test_") and inspect.isfunction(test)]
        assert any(engines.repeats(module, test) for test in tests), module
    for name in engines.LEFT_OUT:
        assert any(hasattr(module, name) for module in modules), name
