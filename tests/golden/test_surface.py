"""What others depend on does not change by the way.

Others are scripts that read `status --json`, alerts that go by a log's `action`, deployments that go by exit codes,
messages in queues, files that were written once.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from squids import wire
from tests.golden.log_actions import sightings
from tests.golden.surface import SURFACES
from tests.golden.wire import REFUSED, frames, messages, tags_without_example
from tests.support.strict_sqs import StrictSQS
from tests.support.waiting import wait_until

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_is_as_it_was(name: str, golden: Golden) -> None:
    golden(name, SURFACES[name]())


def test_messages_are_as_they_were(strict_sqs: StrictSQS, no_aws_environment: None, golden: Golden) -> None:
    golden("messages.txt", messages(strict_sqs))


def test_the_status_for_programs_is_as_it_was(
    strict_sqs: StrictSQS, supervisor: Any, tmp_path: Path, golden: Golden
) -> None:
    """Its keys, and the types of their values, of a program that has run one task and is running another."""
    strict_sqs.create("tests")
    done = tmp_path / "done"
    up = supervisor(strict_sqs.endpoint_url).write({"tests": {"workers": 2}}).up()
    strict_sqs.put("tests", wire.encode("shop.work", ["first"], {}))
    strict_sqs.put("tests", wire.encode("shop.wait_for", ["second", str(done)], {}))

    def both() -> dict[str, Any]:
        found: dict[str, Any] = up.document("status")
        entry = found["programs"][0]
        return found if entry["p50"] is not None and entry["oldest_task"] else {}

    status = wait_until(both, what="one task is done, and one runs")
    done.touch()
    assert up.stop() == 0
    golden("status.txt", "\n".join(sorted(set(paths(status)))))


def paths(value: Any, path: str = "") -> list[str]:
    """The leaves with the types of their values, as `programs[].name: string`."""
    match value:
        case dict() if value:
            return [
                line
                for name, below in value.items()
                for line in paths(below, f"{path}.{name}" if path else str(name))
            ]
        case list() | tuple() if value:
            return [line for below in value for line in paths(below, f"{path}[]")]
    return [f"{path}: {TYPES[type(value)]}"]


TYPES = {
    bool: "boolean",
    dict: "object, empty",
    float: "number",
    int: "integer",
    list: "array, empty",
    str: "string",
    type(None): "null",
}


# What the helpers above do not see, the golden files do not hold.


def test_the_paths_of_a_document_are_those_of_its_leaves() -> None:
    found = paths({"a": {"b": 1.5, "c": [], "f": {}}, "d": [{"e": None}, {"e": "x"}], "g": [1, True]})
    assert found == [
        "a.b: number",
        "a.c: array, empty",
        "a.f: object, empty",
        "d[].e: null",
        "d[].e: string",
        "g[]: integer",
        "g[]: boolean",
    ]


def test_each_frame_has_an_example_that_is_read() -> None:
    assert not tags_without_example()
    assert not [line for line in frames().splitlines() if line.startswith(REFUSED)]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('say("INFO", "started", "starting")', [("started", {"INFO"})]),
        ('say(logging.ERROR, "gave_up", text)', [("gave_up", {"ERROR"})]),
        ('say(level, "worker_exited", text)', [("worker_exited", {"varies"})]),
        ('say("INFO" if ok else "ERROR", "rolled_out", text)', [("rolled_out", {"INFO", "ERROR"})]),
        ('Event(EventKind.HEALED, "INFO", "recovered")', [("healed", {"INFO"})]),
        ('log.exception("x", extra={"name": "hook", "action": "hook_failed"})', [("hook_failed", {"ERROR"})]),
        (
            'log.error("x", extra={"action": "a" if bad else "b"})',
            [("a", {"ERROR"}), ("b", {"ERROR"})],
        ),
        ("match x:\n case Notice.HEALED:\n  return logging.INFO, text", [("healed", {"INFO"})]),
        ('say("INFO", JobAction.DONE.value, text)', [("job_done", {"INFO"})]),
        (
            'log.error("x", extra={"action": JobAction.FAILED.value if bad else "b"})',
            [("task_failed", {"ERROR"}), ("b", {"ERROR"})],
        ),
        ('add_argument("--local", action="store_true", help="now")', []),
        ('flag = {"action": "store_true"}', []),
    ],
)  # fmt: skip
def test_the_collector_of_actions_sees(source: str, found: list[tuple[str, set[str]]]) -> None:
    assert [one for node in ast.walk(ast.parse(source)) for one in sightings(node)] == found
