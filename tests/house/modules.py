"""The modules of squids and what the tests import, read from the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def modules() -> dict[str, Path]:
    """The path of each module that is not a package's `__init__`, by dotted name."""
    paths = sorted((ROOT / "squids").rglob("*.py"))
    return {_dotted(path): path for path in paths if path.name != "__init__.py"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def classes(path: Path) -> Iterator[ast.ClassDef]:
    """Every class of a file, nested ones too."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef))


def imported_by_tests(*rooms: str) -> set[str]:
    """What the tests of these rooms import: modules, and names of modules."""
    found: set[str] = set()
    for room in rooms:
        for path in (ROOT / "tests" / room).rglob("*.py"):
            found |= set(_imports(tree(path)))
    return found


def named_by_its_test(module: str) -> bool:
    """Whether `tests/unit/<room>/test_<module>.py` names the module, perhaps in what a child process runs."""
    package, _, name = module.rpartition(".")
    test = ROOT.joinpath("tests", "unit", *package.split(".")[1:], f"test_{name}.py")
    named = rf"\b{re.escape(module)}\b|\bfrom {re.escape(package)} import\b.*\b{re.escape(name)}\b"
    return test.exists() and re.search(named, test.read_text()) is not None


def _imports(of: ast.Module) -> Iterator[str]:
    for node in ast.walk(of):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)
