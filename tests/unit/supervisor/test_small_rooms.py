"""Boots, orders, differences, lines, history, paths: the small pure rooms of the supervisor."""

from __future__ import annotations

import json
import os
import pwd
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import squids.sqs
from squids.supervisor import control_protocol, ground_system
from squids.supervisor.difference import difference
from squids.supervisor.fleet import Boots, gives_up, start_order, stop_order
from squids.supervisor.ground_system import environment_of, group_of, user_of
from squids.supervisor.history import CHARACTERS_KEPT, DEATHS_KEPT, LINES_KEPT, Death, History, LastLines
from squids.supervisor.lines import (
    MAX_LINE,
    Line,
    LineReader,
    as_brief,
    as_journal,
    as_json,
    as_text,
    parse_record,
    printed,
    program_of,
)
from squids.supervisor.program_events import State
from squids.supervisor.settings import (
    ExitOn,
    Ground,
    ProgramSettings,
    ReloadSettings,
    Settings,
    SupervisorSettings,
)


def program(name, **changes):
    return replace(ProgramSettings(name, name, Ground("shop:app", "/srv"), (("queue", name),)), **changes)


def test_no_more_boot_at_once_than_allowed_and_the_urgent_ones_first():
    """A slot is free again when one has booted, or will not."""
    boots = Boots(2)
    for child, priority in ((1, 5), (2, 5), (3, 0), (4, 5)):
        boots.want(child, priority)
    assert boots.next() == [3, 1]
    assert boots.next() == []
    boots.over(1)
    assert boots.next() == [2]
    boots.over(4)
    boots.over(3)
    assert boots.next() == []


@pytest.mark.parametrize(
    ("source", "program", "worker"),
    [
        ("emails", "emails", None),
        ("emails/12", "emails", 12),
        ("emails:2/1", "emails:2", 1),
        ("emails supervisor", "emails", None),
        ("supervisor", "supervisor", None),
        ("zygote shop.tasks:app", "zygote", None),
        ("http://127.0.0.1:4566/000000000000/emails", "http://127.0.0.1:4566/000000000000/emails", None),
        ("http://127.0.0.1:4566/000000000000/emails/2", "http://127.0.0.1:4566/000000000000/emails", 2),
        ("the emails supervisor", "the emails", None),
    ],
)
def test_a_line_is_of_a_program_whatever_that_is_called(source, program, worker):
    """The name is the key of the file, which may be a URL."""
    line = Line(0.0, source, "", "hello")
    assert program_of(line) == program
    assert json.loads(as_json(line)).get("worker") == worker


def test_what_a_process_said_last_has_little_room():
    """Many lines, or long ones: the last are kept, and a long one is cut."""
    lines = LastLines()
    for number in range(1000):
        lines.add(str(number))
    assert list(lines) == [str(number) for number in range(1000 - LINES_KEPT, 1000)]
    for _ in range(1000):
        lines.add("x" * 1_000_000)
    kept = list(lines)
    assert sum(map(len, kept)) <= CHARACTERS_KEPT
    assert "xxx ... (995904 more characters) ... xxx" in kept[-1]
    assert Death(0, 1, 1, "exit 1", False, 1.0, lines).as_dict()["lines"] == kept


@pytest.mark.parametrize("name", [None, "nobody", "number"])
def test_a_user_comes_with_its_own_group(name):
    """Or the program would keep root's. Users and groups may be numbers."""
    nobody = pwd.getpwnam("nobody")
    user = str(nobody.pw_uid) if name == "number" else name
    ground = Ground("shop:app", "/srv", user=user)
    assert group_of(ground) == (None if user is None else nobody.pw_gid)
    assert user_of(ground) == (nobody.pw_uid if name == "number" else name)
    assert group_of(replace(ground, group="daemon")) == "daemon"
    assert group_of(replace(ground, group="7")) == 7


def test_another_user_comes_with_its_own_home(monkeypatch):
    """As with login(1); what the file says counts more, and this user's own home is left alone."""
    monkeypatch.setenv("HOME", "/root")
    monkeypatch.setenv("LISTEN_FDS", "3")
    nobody = pwd.getpwnam("nobody")
    ground = Ground("shop:app", "/srv", user="nobody")
    found = environment_of(ground)
    assert (found["HOME"], found["USER"], found["LOGNAME"]) == (nobody.pw_dir, "nobody", "nobody")
    assert "LISTEN_FDS" not in found, "they are the supervisor's"
    assert environment_of(replace(ground, environment=(("HOME", "/tmp"),)))["HOME"] == "/tmp"
    assert environment_of(replace(ground, user=None))["HOME"] == "/root"


@pytest.mark.skipif(os.geteuid() != 0, reason="for all but root, nobody is another user with no entry here")
def test_another_user_gets_a_short_list_of_variables(monkeypatch):
    """What may be root's secret only where the file names it. The supervisor's own user gets all but what is
    the supervisor's process's."""
    for name in os.environ:
        monkeypatch.delenv(name)
    passed = {
        "PATH": "/bin", "LANG": "C", "LC_ALL": "C", "TZ": "UTC", "PYTHONPATH": "/srv",
        "AWS_REGION": "r", "AWS_DEFAULT_REGION": "r", "AWS_ENDPOINT_URL": "u", "AWS_ENDPOINT_URL_SQS": "u",
    }  # fmt: skip
    kept = {
        "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "AWS_PROFILE": "p",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "c", "AWS_WEB_IDENTITY_TOKEN_FILE": "f", "DATABASE_URL": "d",
        "HTTPS_PROXY": "h", "XPATH": "x", "PATHS": "x", "SSH_AUTH_SOCK": "a",
    }  # fmt: skip
    own = {
        "NOTIFY_SOCKET": "n",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "1",
        "LISTEN_FDS": "1",
        "LISTEN_PID": "1",
    }
    for name, value in {**passed, **kept, **own}.items():
        monkeypatch.setenv(name, value)
    nobody = pwd.getpwnam("nobody")
    home = {"HOME": nobody.pw_dir, "USER": "nobody", "LOGNAME": "nobody", "SHELL": nobody.pw_shell}
    ground = Ground("shop:app", "/srv", user="nobody", environment=(("DATABASE_URL", "d"), ("TZ", None)))
    expected = {**passed, **home, "DATABASE_URL": "d"}
    del expected["TZ"]
    assert environment_of(ground) == expected
    assert environment_of(Ground("shop:app", "/srv")) == {**passed, **kept}
    root = pwd.getpwuid(0)
    assert {**passed, **kept}.items() <= environment_of(Ground("shop:app", "/srv", user=root.pw_name)).items()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs processes of another user")
def test_the_variables_of_an_embedded_sqs_are_for_every_user(monkeypatch):
    """They are no secrets, and lead nowhere else."""
    assert ground_system.LOCAL == squids.sqs.LOCAL
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    ground = Ground("shop:app", "/srv", user="nobody")
    assert "AWS_ACCESS_KEY_ID" not in environment_of(ground)
    monkeypatch.setenv("SQUIDS_LOCAL", "http://127.0.0.1:1")
    found = environment_of(ground)
    assert (found["AWS_ACCESS_KEY_ID"], found["SQUIDS_LOCAL"]) == ("local", "http://127.0.0.1:1")


def test_the_longest_drain_is_the_longest_of_what_a_stop_may_wait_for():
    """Tasks, a receive under way, and tasks on code that was replaced."""

    def of(*options):
        programs = tuple(program(str(number), options=more) for number, more in enumerate(options))
        return Settings(SupervisorSettings(), programs)

    brief = ("shutdown_timeout", 1.0)
    assert of((), (brief,)).longest_drain == 30.0, "the default of one of them"
    quick = of((brief,), (brief, ("polling_wait_time", 20)))
    assert quick.longest_drain == 20.0
    reload = ReloadSettings(kill_after=60.0)
    assert replace(quick, reload=reload).longest_drain == 20.0, "nothing is reloaded"
    assert replace(quick, reload=replace(reload, enabled=True)).longest_drain == 60.0


def test_stops_are_told_in_the_reverse_of_the_order_of_starts():
    """By priority, then as in the file."""
    programs = [program("a", priority=1), program("b"), program("c", priority=1)]
    assert [p.name for p in start_order(programs)] == ["b", "a", "c"]
    assert [p.name for p in stop_order(programs)] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("exit_on", "states", "gives"),
    [
        (ExitOn.NEVER, [State.FATAL, State.FATAL], False),
        (ExitOn.ESSENTIAL, [State.FATAL, State.RUNNING], True),
        (ExitOn.ESSENTIAL, [State.BACKOFF, State.FATAL], False),
        (ExitOn.ALL, [State.FATAL, State.RUNNING], False),
        (ExitOn.ALL, [State.FATAL, State.FATAL], True),
    ],
)
def test_when_the_supervisor_gives_up(exit_on, states, gives):
    """As exit_on says; here the first program is essential."""
    programs = [program("a", essential=True), program("b")]
    assert bool(gives_up(exit_on, zip(programs, states, strict=True))) is gives


def test_the_difference_of_two_files():
    """Each program once, with the keys that differ; no value of an environment is shown."""
    old = Settings(SupervisorSettings(), (program("a"), program("b"), program("c")))
    changed = replace(program("b", nice=3), ground=Ground("shop:app", "/srv", (("SECRET", "hush"),)))
    new = Settings(SupervisorSettings(log_format="json"), (program("a"), changed, program("d")))
    found = difference(old, new)
    assert found.lines() == [
        "+ d",
        "- c",
        "~ b: environment.SECRET, nice 0 -> 3",
        "~ supervisor: log_format default -> json",
        "= 1 program stays as it is",
    ]
    assert found.changed[0].other_ground
    assert difference(old, old).lines() == ["nothing changed"]


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


def test_bytes_that_are_no_text_are_shown_all_the_same():
    """Not UTF-8, NUL, carriage returns."""
    assert LineReader().feed(b"\xff\x00caf\xc3\xa9\r\n") == ["\ufffd\ufffdcaf\u00e9"]


RECORD = '{"time": "2026-01-31T12:00:00.000+00:00", "level": "ERROR", "logger": "squids", "message": "it fails", "action": "x y", "traceback": "Traceback\\n  File"}'


def test_records_are_shown_once_in_the_supervisors_format():
    """The child's time, level and words; each physical line with its head."""
    line = parse_record(RECORD, "emails/2", 0.0)
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
    line = parse_record(text, "emails/1", 5.0)
    assert line == Line(5.0, "emails/1", "", text) or line.text == "m"


def test_what_is_printed_is_never_a_record():
    """A message's content, say, that looks like one."""
    for text in (RECORD, "\x1e" + RECORD):
        assert printed(text, "emails/1", 5.0) == Line(5.0, "emails/1", "", text)


CONTROL = "\x1b[2J\x9b1mred\x07\r\x7f\u2028\u0085end\udc80\u202e"


def record_of(**fields: object) -> str:
    return json.dumps({"time": "2026-01-31T12:00:00.000+00:00", "level": "INFO", "message": "m", **fields})


@pytest.mark.parametrize(
    "line",
    [
        Line(5.0, "emails/1", "", CONTROL),
        parse_record(record_of(message=CONTROL), "emails/1", 5.0),
        parse_record(record_of(key=CONTROL), "emails/1", 5.0),
        parse_record(record_of(**{CONTROL: "value"}), "emails/1", 5.0),
        parse_record(record_of(traceback=f"a\n{CONTROL}"), "emails/1", 5.0),
        parse_record(record_of(level=CONTROL, logger=CONTROL), "emails/1", 5.0),
        parse_record(record_of(key=["deep", {CONTROL: CONTROL}]), "emails/1", 5.0),
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
    assert as_text(Line(5.0, "emails", "", "a\tb é ש \U0001f600")).endswith("emails: a\tb é ש \U0001f600")


def test_a_record_is_bounded_whoever_wrote_it():
    """Its text, its traceback, each detail and all of them; its level and its logger."""
    huge = "x" * 1_000_000
    many = {f"key{number}": "y" * 3000 for number in range(300)}
    record = record_of(
        message=huge, traceback=huge, level=huge, logger=huge, **{huge: huge}, deep=[huge], **many
    )
    line = parse_record(record, "emails/1", 5.0)
    assert len(as_text(line)) < 200_000
    assert len(as_json(line)) < 200_000
    assert line.characters < 200_000
    assert "more characters" in line.text
    assert line.details["details_cut"] > 200


def test_colours_only_where_they_are_asked_for():
    """And always the same for one program."""
    line = Line(0.0, "emails/1", "INFO", "hello")
    assert "\x1b[" not in as_text(line)
    assert "\x1b[" in as_text(line, colour=True)


def test_the_last_deaths_are_kept():
    """Twenty for each program; the last that nobody asked for is found."""
    history = History()
    for number in range(DEATHS_KEPT + 5):
        history.died("q", Death(number, 1, number, f"exit {number}", number % 2 == 0, 1.0))
    assert len(history.deaths("q")) == DEATHS_KEPT
    assert history.last_unasked("q").status == DEATHS_KEPT + 3
    history.forget("q")
    assert history.last_unasked("q") is None


def test_the_socket_is_a_function_of_the_files_path_alone(monkeypatch, tmp_path):
    """/etc/squids has its place in /run; others in the user's runtime directory."""
    assert control_protocol.default_socket("/etc/squids/shop.yaml") == "/run/squids/shop/control.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    one, other = (
        control_protocol.default_socket("/srv/a/squids.yaml"),
        control_protocol.default_socket("/srv/b/squids.yaml"),
    )
    assert one != other
    assert one.startswith(f"{tmp_path}/squids/squids-")
    assert len(control_protocol.default_socket("/srv/" + "x" * 300 + ".yaml")) < len(str(tmp_path)) + 60


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b'{"verb": 1}', b'{"verb": "x", "queues": [1]}', b'{"verb": "x", "options": 3}', b"\xff"],
)
def test_what_is_no_request_is_refused(line):
    """ValueError, with words."""
    with pytest.raises(ValueError, match=r"\w"):
        control_protocol.decode_request(line)
