"""Golden files: what they hold, and how they are accepted."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.conftest import supervisor as supervisor

EXPECTED = Path(__file__).parent / "expected"
CHANGED = (
    "this changes what others depend on: CHANGELOG.md must say so; `python -m tests.golden.update` accepts it"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="golden files: write what is now")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the file of this name in `expected/`."""
    accept = request.config.getoption("--accept", default=False)

    def same(name: str, text: str) -> None:
        path = EXPECTED / name
        if accept:
            path.write_text(text + "\n")
        wanted = path.read_text().splitlines() if path.exists() else []
        diff = difflib.unified_diff(wanted, text.splitlines(), f"expected/{name}", "now", lineterm="", n=1)
        changes = "\n".join(diff)
        if changes:
            pytest.fail(f"{CHANGED}\n{changes}", pytrace=False)

    return same


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
