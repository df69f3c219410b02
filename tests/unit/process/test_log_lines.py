"""Lines and records of children, and how each format shows them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squids.process.log_lines import (
    MAX_LINE,
    SUPERVISOR,
    Line,
    LineReader,
    Origin,
    Source,
    as_brief,
    as_journal,
    as_json,
    as_text,
    parse_record,
    printed,
)

RECORD = '{"time": "2026-01-31T12:00:00.000+00:00", "level": "ERROR", "logger": "squids", "message": "it fails", "action": "x y", "traceback": "Traceback\\n  File"}'


CONTROL = "\x1b[2J\x9b1mred\x07\r\x7f\u2028\u0085end\udc80\u202e"


CONSUMER, WORKER = Source.of_child("emails", None), Source.of_child("emails", 2)
URL = "http://127.0.0.1:4566/000000000000/emails"


@pytest.mark.parametrize(
    ("source", "shown", "program", "worker"),
    [
        (CONSUMER, "emails", "emails", None),
        (WORKER, "emails/2", "emails", 2),
        (Source(Origin.SUPERVISOR, "emails"), "emails supervisor", "emails", None),
        (SUPERVISOR, "supervisor", "supervisor", None),
        (Source(Origin.FORK_SERVER, app="shop.tasks:app"), "zygote shop.tasks:app", "zygote", None),
        (Source.of_child(URL, 2), f"{URL}/2", URL, 2),
        (Source.of_child("emails/2", None), "emails/2", "emails/2", None),
        (Source.of_child("the supervisor", None), "the supervisor", "the supervisor", None),
    ],
)
def test_a_line_says_whose_it_is(source, shown, program, worker):
    """In each format. A program may have any name: a URL, or one that looks like another program's worker."""
    line = Line(0.0, source, "INFO", "hello")
    assert as_text(line).endswith(f" {shown}: hello")
    assert as_brief(line).endswith(f" {shown}: hello")
    assert as_journal(line) == f"<6>{shown}: hello"
    event = json.loads(as_json(line))
    assert (event["program"], event.get("worker")) == (program, worker)


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters="\n\r\x00", codec="utf-8"), max_size=20)),
    st.data(),
)
@settings(deadline=None)
def test_lines_are_whole_however_the_bytes_come(lines, data):
    """In pieces of any size."""
    stream = "".join(f"{line}\n" for line in lines).encode()
    reader, found = LineReader(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == lines
    assert reader.end() == []


def test_a_line_without_end_is_cut_and_never_kept_whole():
    """A megabyte without a newline comes as pieces; nothing is lost, and little is held."""
    reader = LineReader()
    pieces = []
    for _ in range(16):
        pieces += reader.feed(b"x" * 65536)
        assert len(reader._rest) <= MAX_LINE
    pieces += reader.end()
    assert sum(map(len, pieces)) == 16 * 65536
    assert max(map(len, pieces)) <= MAX_LINE


def test_a_line_that_is_split_is_not_split_within_a_character():
    """Of any width; what is no text is split all the same."""
    for character in ("x", "\u00e9", "\u20ac", "\U0001f600"):
        for shift in range(4):
            text = "x" * shift + character * (MAX_LINE // 2)
            reader = LineReader()
            assert "".join([*reader.feed(text.encode()), *reader.end()]) == text
    reader = LineReader()
    pieces = [*reader.feed(b"\x80" * (2 * MAX_LINE)), *reader.end()]
    assert list(map(len, pieces)) == [MAX_LINE, MAX_LINE]


def test_bytes_that_are_no_text_are_shown_all_the_same():
    """Not UTF-8, NUL, carriage returns."""
    assert LineReader().feed(b"\xff\x00caf\xc3\xa9\r\n") == ["\ufffd\ufffdcaf\u00e9"]


def test_records_are_shown_once_in_the_supervisors_format():
    """The child's time, level and words; each physical line with its head."""
    line = parse_record(RECORD, WORKER, 0.0)
    text = as_text(line).splitlines()
    assert len(text) == 3
    assert text[0].endswith('ERROR   emails/2: it fails action="x y"')
    assert text[2].endswith("emails/2:   File")
    assert as_journal(line).splitlines()[2] == "<3>emails/2:   File"
    event = json.loads(as_json(line))
    assert (event["program"], event["worker"], event["level"], event["action"]) == (
        "emails",
        2,
        "ERROR",
        "x y",
    )
    assert event["time"] == "2026-01-31T12:00:00.000+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        '{"time": 3}',
        "[]",
        '{"level": "INFO"}',
        "[" * 10_000,
        '{"time": "0001-01-01T00:00:00", "level": "INFO", "message": "m"}',
        '{"time": "9999-12-31T23:59:59", "level": "INFO", "message": "m"}',
        '{"time": "2026-01-31T12:00:00.000+00:00", "level": "INFO", "message": "m", "x": '
        + "[" * 900
        + "]" * 900
        + "}",
    ],
)
def test_what_is_no_record_is_a_line(text):
    """A task may find the socket, and write anything there."""
    line = parse_record(text, WORKER, 5.0)
    assert line == Line(5.0, WORKER, "", text) or line.text == "m"


def test_what_is_printed_is_never_a_record():
    """A message's content, say, that looks like one."""
    for text in (RECORD, "\x1e" + RECORD):
        assert printed(text, WORKER, 5.0) == Line(5.0, WORKER, "", text)


def record_of(**fields: object) -> str:
    return json.dumps({"time": "2026-01-31T12:00:00.000+00:00", "level": "INFO", "message": "m", **fields})


@pytest.mark.parametrize(
    "line",
    [
        Line(5.0, WORKER, "", CONTROL),
        parse_record(record_of(message=CONTROL), WORKER, 5.0),
        parse_record(record_of(key=CONTROL), WORKER, 5.0),
        parse_record(record_of(**{CONTROL: "value"}), WORKER, 5.0),
        parse_record(record_of(traceback=f"a\n{CONTROL}"), WORKER, 5.0),
        parse_record(record_of(level=CONTROL, logger=CONTROL), WORKER, 5.0),
        parse_record(record_of(key=["deep", {CONTROL: CONTROL}]), WORKER, 5.0),
    ],
)
def test_control_characters_are_shown_and_not_sent(line):
    """To terminals, files and the journal; to programs as escapes of JSON. All can be encoded."""
    for text in (as_text(line), as_brief(line), as_journal(line), as_json(line)):
        text.encode()
        assert all(part.isprintable() for part in text.split("\n")), ascii(text)
        assert len(text.split("\n")) == len(text.splitlines())
    assert len(as_json(line).splitlines()) == 1
    json.loads(as_json(line))
    for text in (line.text, line.traceback, json.dumps(line.details, ensure_ascii=False)):
        if line.level:
            text.encode()


def test_tabs_and_the_users_own_letters_are_as_they_were():
    """Tabs are in every other traceback."""
    assert as_text(Line(5.0, CONSUMER, "", "a\tb é ש \U0001f600")).endswith("emails: a\tb é ש \U0001f600")


def test_a_record_is_bounded_whoever_wrote_it():
    """Its text, its traceback, each detail and all of them; its level and its logger."""
    huge = "x" * 1_000_000
    many = {f"key{number}": "y" * 3000 for number in range(300)}
    record = record_of(
        message=huge, traceback=huge, level=huge, logger=huge, **{huge: huge}, deep=[huge], **many
    )
    line = parse_record(record, WORKER, 5.0)
    assert len(as_text(line)) < 200_000
    assert len(as_json(line)) < 200_000
    assert line.characters < 200_000
    assert "more characters" in line.text
    assert line.details["details_cut"] > 200


def test_colours_only_where_they_are_asked_for():
    """And always the same for one program."""
    line = Line(0.0, WORKER, "INFO", "hello")
    assert "\x1b[" not in as_text(line)
    assert "\x1b[" in as_text(line, colour=True)


@pytest.mark.parametrize("source", [SUPERVISOR, *(Source(Origin.CONSUMER, letter) for letter in "abcdef")])
def test_no_name_has_the_colour_of_a_level(source):
    text = as_brief(Line(0.0, source, "INFO", "hello"), colour=True)
    assert "\x1b[31m" not in text
    assert "\x1b[33m" not in text


@pytest.mark.parametrize("action", [["a"], {"a": 1}, None, 5])
def test_an_applications_record_may_call_anything_an_action(action):
    """A developer sees the line all the same."""
    line = parse_record(record_of(action=action), WORKER, 5.0)
    assert as_brief(line).endswith(" emails/2: m")


def test_what_is_routine_is_not_in_brief_lines():
    """But that the supervisor itself has started is."""
    ready = {"action": "started"}
    assert as_brief(Line(5.0, CONSUMER, "INFO", "m", details=ready)) == ""
    assert as_brief(Line(5.0, CONSUMER, "ERROR", "m", details=ready))
    assert as_brief(Line(5.0, SUPERVISOR, "INFO", "m", details=ready))
