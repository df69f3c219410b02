"""What an import left behind, and what of it crosses a fork: with real processes, by both commands."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.processes import APP, call
from tests.support.waiting import wait_until

SCRATCH = (
    APP
    + """
import atexit, tempfile
scratch = tempfile.TemporaryDirectory()
atexit.register(note, "end", "import")

@app.task("tests")
def look(name):
    atexit.register(note, "end", "worker")
    note("exists" if os.path.isdir(scratch.name) else "is gone", scratch.name)
"""
)


@pytest.fixture
def sqs(strict_sqs):
    for queue in ("tests", "two"):
        strict_sqs.create(queue)
    return strict_sqs


def test_what_the_import_registered_for_the_exit_waits_for_the_last_process(sqs, supervisor):
    """One queue is stopped by its operator: the other one still has what the import made. At the end it is gone."""
    process = supervisor(sqs.endpoint_url, app=SCRATCH).write({"tests": {}, "two": {}}).up()
    assert process.verb("stop", "two").returncode == 0
    sqs.put("tests", call("look", "a"))
    (directory,) = wait_until(lambda: process.journal.words("exists"))
    assert process.journal.words("end") == []
    assert process.stop() == 0
    process.nothing_left()
    assert process.journal.words("end") == ["worker", "import"]
    assert not Path(directory).exists()


def test_the_main_process_runs_what_its_import_registered(sqs, squids_process):
    """Its fork server and its workers run none of it."""
    process = squids_process(sqs.endpoint_url, SCRATCH).start("--workers", "1").ready()
    sqs.put("tests", call("look", "a"))
    (directory,) = wait_until(lambda: process.journal.words("exists"))
    assert process.stop() == 0
    process.nothing_left()
    assert process.journal.words("end") == ["worker", "import"]
    assert not Path(directory).exists()


DRAWS = (
    APP
    + """
import numpy.random
numpy.random.seed(7)

@app.task("tests")
def draw(name):
    note("drawn", numpy.random.randint(10**9))
    while len(open(os.environ["JOURNAL"]).readlines()) < 2:
        time.sleep(0.005)
"""
)


def test_workers_draw_random_numbers_of_their_own(sqs, squids_process):
    """From NumPy's global generator, even if the import sets its seed."""
    process = squids_process(sqs.endpoint_url, DRAWS).start("--workers", "2").ready()
    sqs.put("tests", call("draw", "a"))
    sqs.put("tests", call("draw", "b"))
    one, other = wait_until(lambda: len(drawn := process.journal.words("drawn")) == 2 and drawn)
    assert one != other
    assert len(set(process.journal.pids("drawn"))) == 2
    assert process.stop() == 0


SERVES = (
    APP
    + """
import http.server, threading
server = http.server.ThreadingHTTPServer(("127.0.0.1", {port}), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
"""
)
COMPILED = (
    APP
    + "\nnote('import', 'tried')\nimport _socket\nserver = _socket.socket()\nserver.bind(('127.0.0.1', {port}))\nserver.listen()\n"
)
"""Opens a port past Python's own class of sockets, as compiled code does."""


@pytest.fixture
def port():
    """A port that nobody uses."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def line_of(app, text):
    """Where an app does this, as it is shown."""
    return f"shop.py:{1 + next(number for number, line in enumerate(app.splitlines()) if text in line)}"


def shown(process, *verb):
    """What a verb prints, without the breaks of its lines."""
    return " ".join(process.verb(*verb).stdout.split())


@pytest.mark.slow
def test_processes_share_the_port_that_their_import_opens(sqs, supervisor, port):
    """It is told once, with its line and what to do; consumer and workers all start, also of a new generation."""
    process = (
        supervisor(sqs.endpoint_url, app=SERVES.replace("{port}", str(port)))
        .write({"tests": {"workers": 2}})
        .up()
    )
    (line,) = process.wait_for("port_shared")
    assert f"{line_of(SERVES, 'ThreadingHTTPServer')} opens port {port} of 127.0.0.1" in line
    assert "consumer_start" in line
    wait_until(lambda: process.status()["tests"]["ready"] == 2)
    assert f"port {port}" in process.status()["tests"]["code"]["unforkable"]
    shared = f"opens port {port} of 127.0.0.1 at import, which its processes share"
    wait_until(lambda: shared in shown(process, "status"), what=lambda: shown(process, "status"))
    assert shared in shown(process, "why", "tests")
    assert len(process.actions("port_shared")) == 1
    socket.create_connection(("127.0.0.1", port)).close()
    first = process.pid_of("tests")
    assert process.verb("restart", "--rolling").returncode == 0
    assert process.pid_of("tests") != first
    sqs.put("tests", call("work", "a"))
    wait_until(lambda: process.journal.words("done") == ["a"])
    assert process.stop() == 0
    process.nothing_left()


def test_workers_share_the_port_that_the_main_process_opened(sqs, squids_process, port):
    process = (
        squids_process(sqs.endpoint_url, SERVES.replace("{port}", str(port))).start("--workers", "2").ready()
    )
    assert len(process.actions("port_shared")) == 1
    process.workers(2)
    sqs.put("tests", call("work", "a"))
    wait_until(lambda: process.journal.words("done") == ["a"])
    assert not process.actions("worker_exited")
    assert process.stop() == 0


def test_a_port_that_cannot_be_shared_is_named_once(sqs, squids_process, port):
    """Whichever worker wants it, and however often: not with a traceback each time."""
    app = COMPILED.replace("{port}", str(port))
    process = squids_process(sqs.endpoint_url, app).start("--workers", "1")
    wait_until(lambda: len(process.journal.words("import")) >= 4)
    (line,) = process.wait_for("worker_cannot_start")
    assert f"{line_of(COMPILED, 'server.bind')} opens a port" in line
    assert "consumer_start" in line
    assert "Traceback" not in process.text
    assert not process.actions("worker_exited") + process.actions("worker_restarted")
    assert process.stop() == 0


def test_status_and_why_name_the_port_that_workers_cannot_share(sqs, supervisor, port):
    """In the table for people, too."""
    process = supervisor(sqs.endpoint_url, app=COMPILED.replace("{port}", str(port))).write({"tests": {}})
    process.start()
    says = f"worker 1 cannot start: {line_of(COMPILED, 'server.bind')} opens a port"
    for verb in (("status",), ("why", "tests")):
        wait_until(lambda verb=verb: says in shown(process, *verb), what=lambda: process.text)
    assert process.stop() == 0


@pytest.mark.slow
def test_status_and_why_say_which_port_is_taken(sqs, supervisor, port):
    """By another program, and for an app that is never forked. When that one is gone, the queue comes up."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        process = supervisor(sqs.endpoint_url, app=SERVES.replace("{port}", str(port)))
        process.write({"tests": {"preload": False, "backoff": {"first": "100ms"}}}).start()
        reason = process.until_state("tests", "backoff")["reason"]
        assert f"{line_of(SERVES, 'ThreadingHTTPServer')} opens port {port} of 127.0.0.1 at import" in reason
        assert "another process has it open" in reason
        assert "Traceback" not in process.text
        assert f"port {port}" in process.verb("why", "tests").stdout
    process.until_state("tests", "running")
    assert process.stop() == 0
