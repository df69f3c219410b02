"""Pure modules decide from what they are given.

The first contract of `pyproject.toml` lists them, and keeps from them what reads a clock, does I/O or takes
chances, also through other modules. Here is what it cannot see: what needs no import, and what is not listed.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.house.modules import ROOT, modules, tree

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LISTED: list[str] = next(made for made in CONTRACTS if made["name"].startswith("pure "))["source_modules"]

LIBRARY = {
    "__future__",
    "ast",
    "collections",
    "dataclasses",
    "datetime",
    "difflib",
    "enum",
    "fnmatch",
    "heapq",
    "json",
    "math",
    "re",
    "stat",
    "struct",
    "types",
    "typing",
    "urllib.parse",
}
"""What pure modules import of the standard library: structures, and conversions of values."""

ALMOST = {"squids.job", "squids.tracebacks", "squids.process.mountinfo"}
"""Pure modules take their values. The first has a context variable, too, the second reads lines of source, the
third a file of the kernel."""

ACTS = {"__import__", "breakpoint", "compile", "eval", "exec", "input", "open", "print"}
"""Built-in functions that do something, or run anything."""

CLOCKS = {"now", "today", "utcnow"}
"""Methods of `datetime`, whose other parts convert a time that is given."""


def is_listed(module: str) -> bool:
    return any(f"{module}.".startswith(f"{name}.") for name in LISTED)


PURE = [name for name in modules() if is_listed(name)]


def imports(module: str) -> Iterator[str]:
    for node in ast.walk(tree(modules()[module])):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            inner = (f"{node.module}.{name.name}" for name in node.names)
            yield from (name if name in modules() else str(node.module) for name in inner)


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_imports_structures_and_other_pure_modules(module: str) -> None:
    found = {name for name in imports(module) if not is_listed(name)} - ALMOST
    assert {name for name in found if name not in LIBRARY and name.partition(".")[0] not in LIBRARY} == set()


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_calls_nothing_that_acts_or_looks_at_a_clock(module: str) -> None:
    called = [node.func for node in ast.walk(tree(modules()[module])) if isinstance(node, ast.Call)]
    names = {node.id for node in called if isinstance(node, ast.Name)}
    methods = {node.attr for node in called if isinstance(node, ast.Attribute)}
    assert (names & ACTS, methods & CLOCKS) == (set(), set())


def test_the_modules_that_say_that_they_are_pure_are_the_listed_ones() -> None:
    """So that a reader sees it where the code is. One that says "pure except for" is not."""
    says = {
        name
        for name, path in modules().items()
        if re.search(r"\bPure(?! except for\b)", ast.get_docstring(tree(path)) or "")
    }
    assert says == set(PURE)
