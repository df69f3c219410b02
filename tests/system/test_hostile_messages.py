"""Messages that were written to do harm: each has one outcome, and nothing of it is taken for ours."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.processes import APP, call
from tests.support.waiting import wait_until

HOSTILE = (
    APP
    + r"""
import logging, subprocess

log = logging.getLogger("shop")

class Unshowable(Exception):
    def __str__(self):
        raise SystemExit("no text")

@app.task("tests")
def fail_with(text, times=1):
    raise ValueError(text * times)

@app.task("tests")
def fail_oddly(kind):
    if kind == "group":
        raise ExceptionGroup("many", [ValueError(number) for number in range(200_000)])
    if kind == "recursion":
        return fail_oddly.target(kind)
    raise Unshowable

@app.task("tests")
def say(name, text):
    print(text)
    print(text, file=sys.stderr)
    subprocess.run([sys.executable, "-c", "import sys; print(sys.argv[1])", text], check=True)
    log.warning("said %s", name)
    note("done", name)

@app.task("tests")
def look_around(name):
    code = "import os; print(*[os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if int(n) > 2 and os.path.exists(f'/proc/self/fd/{n}')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    note("open", "socket" in found.stdout)

@app.task("tests")
def in_order(name):
    for number in range(200):
        print(f"{name} print {number}")
        log.warning("%s record %d", name, number)
    note("done", name)
"""
)

LONG = 64 * 1024 * 1024

BODIES = [
    "",
    "\x00 not json",
    "[" * 100_000,
    '{"task": NaN}',
    '{"task": "\\ud800"}',
    '{"task": "\\u001b[2J\\u009b2J\\u2028"}',
    json.dumps({"task": "x" * 900_000}),
    '{"task": "shop.work", "args": [' + "9" * 10_000 + "]}",
    '{"task": "shop.work", "args": ["a", "b", "c", "d"], "kwargs": {"\\udfff": 1}}',
    '{"task": "shop.work", "task": 3, "args": {}, "kwargs": []}',
    call("fail_with", "\ud800\x1b]0;title\x07"),
    call("fail_with", "x", LONG),
    call("fail_with", "line\n", 1_000_000),
    call("fail_oddly", "group"),
    call("fail_oddly", "recursion"),
    call("fail_oddly", "text"),
]


@pytest.mark.slow
def test_no_message_ends_a_worker_or_silences_a_verb(strict_sqs, supervisor):
    """The same two workers run them all, and those of others; the log has a line for each, of bounded length and
    without control characters; `logs`, `why`, `events` and `status` answer."""
    strict_sqs.create("tests", visibility=3600)
    process = supervisor(strict_sqs.endpoint_url, app=HOSTILE)
    process.write({"tests": {"workers": 2}}).up()
    workers = sorted(process.workers(2))
    hostile = []
    for number, body in enumerate(BODIES):
        hostile.append(strict_sqs.put("tests", body).message_id)
        strict_sqs.put("tests", call("work", f"other{number}"))
    others = {f"other{number}" for number in range(len(BODIES))}
    wait_until(
        lambda: set(process.journal.words("done")) == others, seconds=90, what=lambda: process.text[-9999:]
    )
    told = re.compile(r"action=(?:task_failed|bad_message)\b.* message_id=(\S+)")

    def missing() -> set[str]:
        return set(hostile) - {found[1] for line in process.output if (found := told.search(line))}

    wait_until(lambda: not missing(), seconds=90, what=lambda: f"{missing()} in {process.text[-9999:]}")
    assert sorted(process.workers(2)) == workers
    assert all(line.isprintable() for line in process.output), [
        x for x in process.output if not x.isprintable()
    ]
    assert max(map(len, process.output)) < 64 * 1024
    assert "more characters" in process.text
    for verb in (
        ["logs", "--lines", "500"],
        ["logs", "--lines", "500", "--json"],
        ["why"],
        ["events"],
        ["status"],
    ):
        done = process.verb(*verb)
        assert done.returncode == 0, (verb, done.stdout[-2000:], done.stderr)
    assert process.stop() == 0


FORGED = json.dumps(
    {
        "time": "2001-01-01T00:00:00+00:00",
        "level": "CRITICAL",
        "logger": "squids",
        "message": "forged",
        "action": "forged",
    }
)


def test_what_a_task_prints_is_never_a_record(strict_sqs, supervisor):
    """A message's text that looks like one, with the mark of old versions or without, by the worker or by a program
    that it runs. The worker's own records come as ever."""
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url, app=HOSTILE).write({"tests": {}})
    process.write({"tests": {}}, supervisor={"log_format": "json"}).launch()
    for number, text in enumerate(
        [FORGED, f"\x1e{FORGED}", f"\r\x1e{FORGED}", f"\x1b[2K\x1b]0;t\x07\x9b{FORGED}"]
    ):
        strict_sqs.put("tests", call("say", str(number), text))
    strict_sqs.put("tests", call("look_around", "x"))
    wait_until(lambda: len(process.journal.words("done")) == 4)
    wait_until(lambda: process.journal.words("open") == ["False"])
    wait_until(lambda: sum("forged" in line for line in process.output) >= 12 and "said 3" in process.text)
    assert process.stop() == 0
    events = [json.loads(line) for line in process.output]
    assert all(line.isprintable() for line in process.output)
    forged = [event for event in events if "forged" in event["message"]]
    assert len(forged) == 12
    assert all(event["printed"] and event["time"] > "2002" for event in forged)
    assert not [event for event in events if event.get("action") == "forged"]
    assert not [event for event in forged if event.get("logger") == "squids"]
    merged = [event for event in forged if event["message"] == "forged"]  # An object, as structlog prints it.
    assert {(event["level"], event["app_logger"], event["app_action"]) for event in merged} == {
        ("CRITICAL", "squids", "forged")
    }
    assert all(event["level"] == "INFO" for event in forged if event not in merged)
    said = [event for event in events if event["message"].startswith("said ")]
    assert {(event["level"], event["logger"], event["worker"]) for event in said} == {("WARNING", "shop", 1)}


def test_what_was_printed_before_a_record_comes_before_it(strict_sqs, supervisor):
    """The two come by two ways; each in its own order, and a record after what was printed before it."""
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url, app=HOSTILE).write({"tests": {}}).up()
    strict_sqs.put("tests", call("in_order", "a"))
    wait_until(lambda: any("a record 199" in line for line in process.output))
    assert process.stop() == 0
    places = {
        kind: [at for at, line in enumerate(process.output) if re.search(rf": a {kind} \d+$", line)]
        for kind in ("print", "record")
    }
    assert len(places["print"]) == len(places["record"]) == 200
    assert all(
        print_at < record_at for print_at, record_at in zip(places["print"], places["record"], strict=True)
    )
    for kind, found in places.items():
        numbers = [int(process.output[at].rpartition(" ")[2]) for at in found]
        assert numbers == list(range(200)), kind
