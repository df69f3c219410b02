"""How log lines look."""

from __future__ import annotations

import io
import json
import logging
import re
from datetime import datetime

import pytest

from squids.process import log_setup
from squids.process.log_values import bounded
from tests.support.logs import configured_logging, without_handlers_of_pytest


@pytest.fixture
def lines():
    """Configure logging as a process of ours does, and put it back afterwards."""
    stream = io.StringIO()

    def configure(style: str, level: str = "INFO") -> io.StringIO:
        without_handlers_of_pytest()
        log_setup.configure(level, style, stream)
        log_setup.adopt_application(level)
        return stream

    with configured_logging():
        yield configure


log = logging.getLogger("squids")


def test_a_text_line_is_time_level_message_and_key_values(lines):
    """One event a line."""
    stream = lines("text")
    log.info("receiving from %s", "emails", extra={"action": "ready", "workers": 2})
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    assert re.fullmatch(time + r" INFO    receiving from emails action=ready workers=2\n", stream.getvalue())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        (3, "3"),
        (None, "None"),
        ("two words", '"two words"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('say "x"', r'"say \"x\""'),
        ("two\nlines", r'"two\nlines"'),
        ("é", "é"),
    ],
)
def test_values_are_quoted_where_a_reader_would_be_misled(lines, value, shown):
    """Spaces, quotes, equal signs and line ends."""
    stream = lines("text")
    log.info("m", extra={"key": value})
    assert stream.getvalue().endswith(f" m key={shown}\n")


def test_a_message_with_line_ends_stays_one_line(lines):
    """Nobody forges a log line by what a task is called."""
    stream = lines("text")
    log.info("a\nb")
    assert stream.getvalue().count("\n") == 1


def test_lines_of_other_loggers_say_whose_they_are(lines):
    """A task's own lines are told from ours."""
    stream = lines("text")
    logging.getLogger("shop.tasks").warning("careful")
    assert " WARNING shop.tasks: careful\n" in stream.getvalue()


def test_an_exception_follows_its_line_with_its_line_structure(lines):
    """A traceback is for people."""
    stream = lines("text")
    try:
        raise ValueError("x")
    except ValueError:
        log.exception("failed", extra={"action": "task_failed"})
    first, second, *_, last = stream.getvalue().splitlines()
    assert first.endswith("ERROR   failed action=task_failed")
    assert second == "Traceback (most recent call last):"
    assert last == "ValueError: x"


def test_a_traceback_that_comes_as_text_follows_its_line(lines):
    """From a worker it comes in a frame."""
    stream = lines("text")
    log.error("failed", extra={"traceback": "Traceback ...\n  x\nValueError: y\n"})
    assert stream.getvalue().endswith("ERROR   failed\nTraceback ...\n  x\nValueError: y\n")


def test_the_stack_is_shown_where_it_was_asked_for(lines):
    """stack_info is logging's own."""
    for style in ("text", "json"):
        stream = lines(style)
        log.info("here", stack_info=True)
        assert "test_log_setup.py" in stream.getvalue()


def test_a_json_line_is_one_object(lines):
    """The same fields, with stable names; times in ISO format with their offset."""
    stream = lines("json")
    log.warning("up to %d", 3, extra={"action": "degraded", "seconds": 1.5, "when": datetime(2026, 1, 31)})
    event = json.loads(stream.getvalue())
    assert datetime.fromisoformat(event.pop("time")).utcoffset() is not None
    assert event == {
        "level": "WARNING",
        "logger": "squids",
        "message": "up to 3",
        "action": "degraded",
        "seconds": 1.5,
        "when": "2026-01-31 00:00:00",
    }


def test_an_exception_is_a_field_of_its_object(lines):
    """Programs that read lines get whole events."""
    stream = lines("json")
    try:
        raise ValueError("x")
    except ValueError:
        log.exception("failed")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["traceback"].endswith("ValueError: x")


def test_a_tasks_own_fields_cannot_stand_for_ours(lines):
    """A field called `level` is not the event's level."""
    stream = lines("json")
    log.info("m", extra={"level": 99, "time": "never", "logger": "x", "other": 1})
    event = json.loads(stream.getvalue())
    assert (event["level"], event["logger"], event["other"]) == ("INFO", "squids", 1)
    datetime.fromisoformat(event["time"])


@pytest.mark.parametrize("value", [{(1, 2): 3}, float("nan"), {1, 2}, object(), "\ud800"])
@pytest.mark.parametrize("style", ["text", "json"])
def test_any_value_can_be_logged(lines, capsys, style, value):
    """A strange value costs nobody a log line."""
    stream = lines(style)
    log.info("m", extra={"key": value})
    (line,) = stream.getvalue().splitlines()
    if style == "json":
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert capsys.readouterr().err == ""


def test_the_level_and_the_libraries(lines):
    """boto3's own chatter begins at WARNING, whatever the level."""
    stream = lines("text", "DEBUG")
    log.debug("ours")
    logging.getLogger("botocore.hooks").debug("theirs")
    assert "ours" in stream.getvalue()
    assert "theirs" not in stream.getvalue()


def test_configuring_again_replaces_the_handler(lines):
    """A line is not written twice."""
    lines("text")
    stream = lines("json")
    log.info("once")
    assert json.loads(stream.getvalue())["message"] == "once"


def test_what_is_configured_already_is_not_touched(lines):
    """Setting a level empties the caches of all loggers: a forked process, which is told again, would copy
    them."""
    lines("record")
    (handler,) = logging.getLogger().handlers
    log.isEnabledFor(logging.DEBUG)
    lines("record")
    assert logging.getLogger().handlers == [handler]
    assert logging.DEBUG in log._cache
    lines("record", "DEBUG")
    assert logging.getLogger().handlers == [handler]
    assert log.isEnabledFor(logging.DEBUG)
    lines("text")
    assert logging.getLogger().handlers != [handler]


CONTROL = "\x1b]0;title\x07\x9b2J\r\x7f\u2028\x85\ud800end"


@pytest.mark.parametrize("style", ["text", "json", "record", "journal"])
def test_control_characters_are_shown_and_not_sent(lines, style):
    """In the message, a value, a name, the logger's name and a traceback."""
    stream = lines(style)
    try:
        raise ValueError(CONTROL)
    except ValueError:
        logging.getLogger(CONTROL).exception(CONTROL, extra={CONTROL: CONTROL, "key": [CONTROL]})
    written = stream.getvalue()
    written.encode()
    assert all(line.isprintable() for line in written.split("\n")), ascii(written)
    assert written.split("\n")[:-1] == written.splitlines()
    if style in ("json", "record"):
        assert json.loads(written)["message"].startswith("\x1b]0;title")


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


@pytest.mark.parametrize("style", ["text", "json", "record"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 1_000_000,
        lambda: {"k": list(range(100_000))},
        lambda: 10**100_000,
        lambda: -(10**100_000),
    ],
)
def test_what_is_logged_is_bounded(lines, capsys, style, make):
    """A task's name of a megabyte is not logged whole. The number that is missing is said."""
    stream = lines(style)
    many = {f"k{number}": "v" * 3000 for number in range(99)}
    log.info("%s", "m" * 1_000_000, extra={"key": make(), **many})
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert len(written) < 100_000
    assert "more characters" in written
    assert "details_cut" in written
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("style", ["text", "json", "record"])
def test_a_value_that_cannot_be_shown_costs_no_line(lines, capsys, style):
    """Its `__str__` is somebody else's code."""
    stream = lines(style)
    circle: list[object] = []
    log.info("m", extra={"key": Unshowable(), "deep": [Unshowable()], "circle": circle})
    circle.append(circle)
    log.info("m", extra={"circle": circle})
    assert "Unshowable that cannot be shown" in stream.getvalue()
    assert capsys.readouterr().err == ""


def test_all_details_of_a_usual_line_are_there():
    details = {
        "queue": "tests",
        "retry_in": 0,
        "message_id": "m" * 36,
        "receive_count": 1,
        "task": "shop.wait_for",
    }
    assert bounded(details) == details
