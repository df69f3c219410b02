"""What an app's code may say of its processes: nothing that `status` could not show."""

from __future__ import annotations

from typing import Any

import pytest

from squids.process.figures import ConsumerFigures, ImportedFile, ImportFacts, RunningJob

JOB: dict[str, Any] = {"worker": 1, "pid": 4242, "task": "t", "message_id": "m", "started": 1.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"worker": "1"},
        {"worker": True},
        {"pid": 1},
        {"task": 7},
        {"message_id": None},
        {"started": None},
        {"started": float("nan")},
    ],
)
def test_a_job_is_checked_where_it_is_made(wrong):
    RunningJob(**JOB)
    RunningJob(**{**JOB, "pid": None, "task": None})
    with pytest.raises(ValueError, match=r"^no "):
        RunningJob(**{**JOB, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"paused": 1},
        {"workers": 2.5},
        {"ready": None},
        {"busy": "1"},
        {"held": True},
        {"done": 10**400},
        {"failed": [1]},
        {"p50": "x"},
        {"p95": -1},
        {"pids": (0,)},
    ],
)
def test_figures_are_checked_where_they_are_made(wrong):
    with pytest.raises(ValueError, match=r"^no "):
        ConsumerFigures(**wrong)


@pytest.mark.parametrize(
    ("imported_at", "file"),
    [("x", ("a", 1, 2)), (1e300, ("a", 1, 2)), (1.0, (7, 1, 2)), (1.0, ("a", 1.5, 2)), (1.0, ("a", 1, "2"))],
)
def test_facts_are_checked_where_they_are_made(imported_at, file):
    ImportFacts(1.0, (ImportedFile("a", 1, 2),))
    with pytest.raises(ValueError, match=r"^no "):
        ImportFacts(imported_at, (ImportedFile(*file),))
