"""What a reader of the tree relies on: small files and classes, one name for one class, a test beside each module."""

from __future__ import annotations

import ast
from collections import defaultdict

import pytest

from tests.house.modules import ROOT, classes, imported_by_tests, modules, named_by_its_test

MAX_LINES = 400
MAX_METHODS = 30

# What is larger today. An entry may shrink or go: look for the seam before you add one.
LARGER_CLASSES = {"InFlight": 35, "Program": 37}

# Modules that only whole processes run: `tests/system/` and `tests/systemd/` have their tests. It may only shrink.
WITHOUT_UNIT_TEST = {"squids.__main__", "squids.testing.moto_child"}


@pytest.mark.parametrize("name", modules())
def test_no_file_outgrows_its_reader(name: str) -> None:
    lines = len(modules()[name].read_text().splitlines())
    assert lines <= MAX_LINES


def test_no_class_outgrows_its_reader() -> None:
    grown = {
        found.name: count
        for path in modules().values()
        for found in classes(path)
        if (count := _methods(found)) > LARGER_CLASSES.get(found.name, MAX_METHODS)
    }
    assert grown == {}


def test_what_was_larger_is_taken_off_the_list() -> None:
    """An entry that is higher than needed would let the class grow again."""
    found = {made.name: _methods(made) for path in modules().values() for made in classes(path)}
    assert {name: found.get(name) for name in LARGER_CLASSES} == LARGER_CLASSES


def test_no_two_classes_have_one_name() -> None:
    """A name in a traceback or in a review means one thing. Each library in `contrib` has its `App`, by its module."""
    homes = defaultdict(list)
    for name, path in modules().items():
        for found in classes(path):
            if found.name != "App" or not name.startswith("squids.contrib."):
                homes[found.name].append(name)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_each_module_has_a_unit_or_property_test() -> None:
    without = set(modules()) - imported_by_tests("unit", "property")
    assert {name for name in without if not named_by_its_test(name)} == WITHOUT_UNIT_TEST


def test_a_unit_test_stands_where_its_module_does() -> None:
    """`tests/unit/<room>/test_<module>.py`: one knows where to look, and where to add."""
    rooms = {path.parent.relative_to(ROOT / "squids") for path in modules().values()} | {"support"}
    homes = {
        path.parent.relative_to(ROOT / "tests" / "unit")
        for path in (ROOT / "tests" / "unit").rglob("test_*.py")
    }
    assert {str(home) for home in homes} <= {str(room) for room in rooms}


def _methods(of: ast.ClassDef) -> int:
    return sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in of.body)
