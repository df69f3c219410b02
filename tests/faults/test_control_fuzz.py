"""Any bytes, and any request, at the control socket of a supervisor."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.processes import cpu_seconds

VERBS = (
    "status start stop restart pause resume scale reload logs events follow why reset dump signal pid local wait "
    "nonsense"
).split()
"""All but `shutdown`, which does what it says."""

ANY = st.characters()
"""Lone surrogates among them."""

QUEUES = st.lists(
    st.sampled_from(["tests", "other", "t*", "[", "tests=2", "tests=²", "=1", "*=3", "nobody", ""])
    | st.text(ANY, max_size=30),
    max_size=4,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(ANY, max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(ANY, max_size=5), inner, max_size=3),
    max_leaves=6,
)
OPTIONS = st.dictionaries(
    st.sampled_from(["wait", "timeout", "lines", "follow", "for", "signal", "rolling", "dry_run", "now"])
    | st.text(ANY, max_size=8),
    VALUES,
    max_size=4,
)


def ask(path: str, data: bytes, *, leave: bool) -> list[dict[str, object]]:
    """All answers to these bytes. `leave`: send no more, as a client that is killed."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(path)
        try:
            connection.sendall(data)
            if leave:
                connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as lines:
                answers = [json.loads(line) for line in lines if line.endswith(b"\n")]
        except ConnectionError:
            return []  # It was too much to be read, or it was cut in the middle of an answer.
    assert all(isinstance(answer, dict) and "type" in answer for answer in answers)
    return answers


def test_whatever_is_sent_it_is_answered_and_nothing_ends(strict_sqs, supervisor):
    for name in ("tests", "other"):
        strict_sqs.create(name)
    process = supervisor(strict_sqs.endpoint_url)
    process.write(
        {"tests": {}, "other": {"autostart": False}},
        # A request may be SIGSTOP to a consumer: the stop of the supervisor kills it in time.
        defaults={"shutdown_timeout": 5},
    )
    path = process.up("tests").socket
    many = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))

    @many
    @given(
        st.binary(max_size=300) | st.binary(max_size=20).map(lambda some: some * 5000) | VALUES.map(as_json)
    )
    def no_request(data: bytes) -> None:
        answers = ask(path, data + b"\n", leave=False)
        assert not answers or (answers[-1]["type"], answers[-1]["code"]) == ("end", 2)

    @many
    @given(st.sampled_from(VERBS), QUEUES | VALUES, OPTIONS | VALUES)
    def any_request(verb: str, queues: object, options: object) -> None:
        request = {"verb": verb, "queues": queues, "options": options}
        ask(path, as_json(request) + b"\n", leave=True)

    no_request()
    any_request()
    assert process.actions("order"), "some of it was meant"
    assert process.verb("reset", "tests").returncode == 0, process.text
    assert process.verb("start", "tests").returncode == 0, process.text
    assert process.verb("resume", "tests").returncode == 0, process.text
    process.until_state("tests", "running")
    assert process.stop() == 0
    assert "Traceback" not in process.text
    assert "a request failed" not in process.text
    process.nothing_left()


@pytest.mark.parametrize(
    "queues",
    [["[" * 60_000], ["*a" * 200], ["[!" * 100] * 65, ["*" * 250 + "x"] * 200, ["x" * 60_000], ["a*"] * 9000],
    ids=["brackets", "long", "many", "stars", "a name", "repeated"],
)
def test_no_glob_keeps_the_others_waiting(strict_sqs, supervisor, queues):
    """The time to compile a glob is quadratic in some; 60,000 brackets took minutes, in which no signal was heard."""
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url).write({"tests": {}}).up()
    before = cpu_seconds([process.pid])
    (end,) = ask(process.socket, as_json({"verb": "status", "queues": queues}) + b"\n", leave=False)
    assert end["code"] in (2, 5)
    assert len(str(end["error"])) < 1000
    assert cpu_seconds([process.pid]) - before < 2
    assert process.stop() == 0


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()
