"""A line that is a JSON object is merged into ours: nothing is lost, and nothing of ours is faked."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squids.process.json_objects import DEPTH, MOST, OURS, merged
from squids.process.log_lines import Line, Source, as_json, as_record, as_text, parse_record, printed

WORKER = Source.of_child("emails", 2)
AT = 1_700_000_000.0


def of_print(text):
    return json.loads(as_json(printed(text, WORKER, AT)))


def of_record(text, logger="shop", **extras):
    line = Line(AT, WORKER, "WARNING", text, logger, extras)
    return json.loads(as_json(parse_record(as_record(line), WORKER, 0.0)))


OURS_PRINTED = {
    "time": "2023-11-14T22:13:20.000+00:00",
    "level": "INFO",
    "program": "emails",
    "worker": 2,
    "printed": True,
}
OURS_LOGGED = {**OURS_PRINTED, "level": "WARNING", "logger": "shop"}
del OURS_LOGGED["printed"]


def test_a_printed_object_gives_its_level_logger_and_words():
    """As structlog, python-json-logger and bunyan write them."""
    structlog = '{"event": "paid", "level": "warning", "logger": "shop.pay", "timestamp": "2026", "order": 7}'
    assert of_print(structlog) == {
        **OURS_PRINTED,
        "level": "WARNING",
        "logger": "shop.pay",
        "message": "paid",
        "timestamp": "2026",
        "order": 7,
    }
    assert of_print('{"message": "paid", "event": {"id": 1}, "level": "fatal"}') == {
        **OURS_PRINTED,
        "level": "CRITICAL",
        "message": "paid",
        "event": {"id": 1},
    }
    assert of_print('{"msg": "paid", "level": 30}') == {**OURS_PRINTED, "message": "paid", "app_level": 30}
    assert of_print("{}") == {**OURS_PRINTED, "message": ""}


def test_a_record_keeps_its_own_level_logger_and_fields():
    text = '{"event": "paid", "level": "warning", "logger": "shop", "order": 7, "task": "theirs"}'
    assert of_record(text, task="ours") == {
        **OURS_LOGGED,
        "message": "paid",
        "order": 7,
        "task": "ours",
        "app_task": "theirs",
    }
    assert of_record('{"level": "error", "logger": "other"}') == {
        **OURS_LOGGED,
        "message": "",
        "app_level": "error",
        "app_logger": "other",
    }


def test_no_line_passes_for_a_report_of_ours():
    """A task prints what a message says."""
    fake = json.dumps(
        {
            "time": "1999", "level": "ERROR", "program": "orders", "worker": 9, "printed": False, "logger": "squids",
            "message": "task failed", "action": "task_failed", "queue": "orders", "pid": 1, "app_pid": 2,
        }
    )  # fmt: skip
    assert of_print(fake) == {
        **OURS_PRINTED,
        "level": "ERROR",
        "message": "task failed",
        "app_time": "1999",
        "app_program": "orders",
        "app_worker": 9,
        "app_printed": False,
        "app_logger": "squids",
        "app_action": "task_failed",
        "app_queue": "orders",
        "app_app_pid": 1,
        "app_pid": 2,
    }
    assert "action" not in of_record(fake)
    assert of_print('{"logger": "squids.pool"}')["app_logger"] == "squids.pool"


def test_a_report_of_ours_is_never_an_object():
    """Whatever the text of an exception is."""
    assert of_record('{"level": "DEBUG"}', logger="squids")["message"] == '{"level": "DEBUG"}'


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{]}",
        "{'a': 1}",
        '{"a": 1} {"b": 2}',
        "[1]",
        ' {"a": 1}',
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": ' + "1" * 5000 + "}",
        '{"a": "' + "x" * MOST + '"}',
        '{"a":' * (DEPTH + 1) + "1" + "}" * (DEPTH + 1),
        '{"a":' + "[" * 20_000 + "]" * 20_000 + "}",
    ],
    ids=lambda text: text[:20],
)
def test_what_is_none_stays_a_text_as_it_is(text):
    assert of_print(text)["message"] == text
    assert merged(text, {"printed": True, "level": "INFO"}) is None


def test_for_people_a_line_is_as_it_was_printed():
    assert as_text(printed('{"event": "paid"}', WORKER, AT)).endswith(' emails/2: {"event": "paid"}')


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from([*sorted(OURS), "event", "msg"]) | st.text()


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_nothing_is_lost_and_ours_stand(theirs):
    event = of_print(json.dumps(theirs))
    for name in ("time", "program", "worker", "printed"):
        assert event[name] == OURS_PRINTED[name]
    assert event.keys().isdisjoint({"action", "queue", "pid"})
    kept = list(event.values())
    for name, value in theirs.items():
        if name == "level" and isinstance(value, str):
            continue
        assert value in kept
