"""SECURITY.md names a test for each of its lines: they exist, and are called so."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def _tests_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_test_that_security_names_is_there() -> None:
    named = NAMED.findall((ROOT / "SECURITY.md").read_text())
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file() or name not in _tests_of(ROOT / path)
    ]
    assert not missing
    assert len(named) >= 20


def test_each_row_of_the_threat_model_names_a_test() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    without = [row for row in rows if not NAMED.search(row) and not row.startswith("| who")]
    assert not without
