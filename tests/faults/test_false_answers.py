"""What commands show comes from processes of others: a supervisor's of another user, an app's. They may answer anything."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading

import pytest

from squids.printable import printable
from tests.support.supervisors import COMMAND

NOTHING = {"type": "end", "code": 0, "error": None}


def lines_of(*answers: object) -> bytes:
    return b"".join(json.dumps(answer).encode() + b"\n" for answer in answers)


DEATH = {"at": "", "pid": 1, "cause": "", "asked": True, "uptime": 10**400, "running": [], "lines": []}
WHY = {"queue": "tests", "state": "running", "reason": "", "deaths": [DEATH]}

ANSWERS = {
    "an error that is an object": lines_of({"type": "end", "code": 0, "error": {"a": 1}}),
    "an error that is a number": lines_of({"type": "end", "code": 1, "error": 5}),
    "a code that is no bool": lines_of({"type": "end", "code": True, "error": None}),
    "a code beyond": lines_of({"type": "end", "code": 10**30, "error": None}),
    "a code below": lines_of({"type": "end", "code": -1, "error": None}),
    "a text that is a list": lines_of({"type": "text", "text": ["x"]}, NOTHING),
    "a line without details": lines_of({"type": "line", "text": "x"}, NOTHING),
    "a status of nothing": lines_of({"type": "status"}, NOTHING),
    "queues that are numbers": lines_of({"type": "status", "queues": [1], "programs": 2}, NOTHING),
    "brackets": b"[" * 100_000 + b"\n",
    "many digits": b'{"type": "text", "text": ' + b"9" * 5000 + b"}\n",
    "bytes": b"\xff\xfe\x00\n",
    "nothing": b"",
    "a time that no float holds": lines_of({"type": "why", **WHY}, NOTHING),
}


def take_place(path: str) -> None:
    """Make the folder of a control socket, and the file that names it, as a supervisor would."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(os.path.join(folder, "supervisor.json"), "w") as holder:
        json.dump({"socket": path}, holder)


@pytest.fixture
def listen():
    """Listen in the place of a supervisor that has gone, as its user."""
    listeners: list[socket.socket] = []

    def start(path: str, answer: bytes) -> None:
        take_place(path)
        listener = socket.socket(socket.AF_UNIX)
        listeners.append(listener)
        listener.bind(path)
        listener.listen()
        threading.Thread(target=serve, args=(listener, answer), daemon=True).start()

    def serve(listener: socket.socket, answer: bytes) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # The test is over.
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def is_clean(text: str) -> bool:
    """No traceback, and nothing that a terminal would obey."""
    return "Traceback" not in text and printable(text, keep="\n\t") == text


@pytest.fixture
def gone(strict_sqs, supervisor):
    """A supervisor that has ended."""
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url).write({"tests": {}}).up()
    assert process.stop() == 0
    return process


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_supervisor_that_answers_anything_is_told_in_one_line(gone, listen, answer):
    listen(gone.socket, answer)
    for verb in (("status",), ("status", "--json"), ("pid",), ("logs",)):
        done = gone.verb(*verb)
        if done.returncode != 0:  # Some of it is what a verb shows.
            assert done.returncode == 4, done
            assert done.stderr.count("\n") == 1
        assert is_clean(done.stdout + done.stderr), done


@pytest.mark.parametrize("details", [None, {"action": ["job_done"]}, {"action": {}, "message_id": 1}])
def test_a_send_that_waits_for_a_false_supervisor_ends_without_a_traceback(gone, listen, details):
    line = {"type": "line", "text": "\x1b[2J", "details": details}
    listen(gone.socket, lines_of({"type": "states", "states": {"a": []}, "wanted": {}}, line, NOTHING))
    done = gone.verb("send", "work", '{"name": "a"}', "--wait", "--timeout", "20")
    assert done.returncode == 4, done
    assert is_clean(done.stdout + done.stderr), done


def test_the_question_for_a_local_sqs_reads_one_answer(gone, strict_sqs):
    """More than it asked for could come without end."""
    sent = []
    take_place(gone.socket)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(gone.socket)
    listener.listen()

    def flood() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            try:
                while True:
                    sent.append(connection.send(lines_of({"type": "text", "text": "x" * 10_000})))
            except OSError:
                pass  # It has read enough.

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    done = gone.verb("tasks")
    thread.join(30)
    listener.close()
    assert done.returncode == 4, done
    assert "unexpected type 'text'" in done.stderr
    assert sum(sent) < 10 * 2**20


FORGES = """
import inspect, os
specs = [frame.frame.f_locals.get("spec") for frame in inspect.stack()]
mark = next(spec["mark"] for spec in specs if isinstance(spec, dict))
print("\\n" + mark + {text!r}, flush=True)
os._exit(0)
"""
"""An app that answers for the process that asks about it."""

FORGED = [
    "[]",
    "not JSON",
    "[" * 100_000,
    '{"error": 5}',
    '{"tasks": 5}',
    '{"tasks": [{"name": 1}]}',
    '{"tasks": {"tests": 5}, "message_id": []}',
    '{"error": "\\u001b[2J"}',
]


@pytest.mark.parametrize("text", FORGED, ids=range(len(FORGED)))
def test_an_app_that_answers_anything_fails_its_check(gone, text):
    (gone.directory / "shop.py").write_text(FORGES.format(text=text))
    for verb in (("check",), ("tasks",), ("send", "work", "{}")):
        done = gone.verb(*verb)
        assert done.returncode in (1, 78), done
        assert is_clean(done.stdout + done.stderr), done


def test_an_app_that_prints_without_end_is_read_in_bounds(gone):
    """What came before its end is what is shown; the command's memory has a bound."""
    text = (
        "import os\nfor _ in range(3000): os.write(1, b'x' * 100_000)\nos.write(2, b'the end')\nos._exit(3)\n"
    )
    (gone.directory / "shop.py").write_text(text)
    done = subprocess.run(
        ["prlimit", "--data=200000000", *COMMAND, "-c", str(gone.file), "check"],
        cwd=gone.directory,
        env=gone.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78, done
    assert "the end" in done.stdout


@pytest.mark.parametrize("preload", [True, False])
@pytest.mark.parametrize("how", ["squids", "supervisor"])
def test_no_process_of_an_app_is_in_the_session_of_who_started_it(
    strict_sqs, squids_process, supervisor, how, preload
):
    """In it, /dev/tty is its terminal, and code of another user could type into root's shell (TIOCSTI)."""
    strict_sqs.create("tests")
    if how == "squids":
        process = (
            squids_process(strict_sqs.endpoint_url)
            .start("--workers", "2", *([] if preload else ["--no-preload"]))
            .ready()
        )
    else:
        process = (
            supervisor(strict_sqs.endpoint_url).write({"tests": {"preload": preload, "workers": 2}}).up()
        )
    own = os.getsid(process.pid)
    process.workers(2)
    children = [pid for pid in process.processes() if pid != process.pid]
    assert len(children) >= 3, "a fork server, and what it forks"
    assert own not in {os.getsid(pid) for pid in children}
    assert process.stop() == 0


def test_an_app_that_is_asked_has_no_terminal(gone):
    """Root's would be its own: it could read and type there."""
    note = gone.directory / "sid"
    text = f"import os\nopen({str(note)!r}, 'w').write(str(os.getsid(0) == os.getpid()))\nos._exit(3)\n"
    (gone.directory / "shop.py").write_text(text)
    for verb in (("check",), ("tasks",), ("send", "work", "{}")):
        gone.verb(*verb)
        assert note.read_text() == "True", verb
        note.unlink()


def test_what_an_app_prints_before_it_dies_is_shown_and_not_sent(gone):
    text = (
        "import os, sys\nsys.stderr.write('\\x1b]0;title\\x07' * 100000)\nsys.stderr.flush()\nos._exit(3)\n"
    )
    (gone.directory / "shop.py").write_text(text)
    for verb in (("check",), ("tasks",), ("send", "work", "{}")):
        done = gone.verb(*verb)
        assert done.returncode == 78, done
        assert "\\x1b]0;title" in done.stdout + done.stderr
        assert is_clean(done.stdout + done.stderr)
        assert len(done.stdout + done.stderr) < 500_000
