"""What others depend on does not change by the way."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from tests.golden.surface import EXPECTED, SURFACES

MEND = "python -m tests.golden.surface accepts this; CHANGELOG.md must say so"


def same(name: str, text: str) -> None:
    wanted = (EXPECTED / name).read_text().rstrip("\n").split("\n")
    changed = list(difflib.unified_diff(wanted, text.split("\n"), "expected", "now", lineterm="", n=0))
    assert not changed, "\n".join([MEND, *changed])


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_is_as_it_was(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    same(name, SURFACES[name]())


def test_the_status_for_programs_is_as_it_was(strict_sqs: Any, supervisor: Any) -> None:
    """Its keys: what they hold depends on the moment."""
    strict_sqs.create("tests")
    up = supervisor(strict_sqs.endpoint_url).write({"tests": {}}).up()
    up.until_state("tests", "running")
    status = up.document("status")
    assert up.stop() == 0
    same("status.txt", "\n".join(sorted(set(_paths(status)))))


def _paths(value: Any, path: str = "") -> list[str]:
    """Of the leaves, as `programs[].name`."""
    if isinstance(value, dict) and value:
        return [
            line
            for name, below in value.items()
            for line in _paths(below, f"{path}.{name}" if path else name)
        ]
    if isinstance(value, list) and value:
        return [line for below in value for line in _paths(below, f"{path}[]")]
    return [path]


def test_the_paths_of_a_document_are_those_of_its_leaves() -> None:
    """Of the helper above: what it does not see, the golden file does not hold."""
    paths = _paths({"a": {"b": 1.5, "c": []}, "d": [{"e": None}, {"e": "x"}]})
    assert paths == ["a.b", "a.c", "d[].e", "d[].e"]
