"""The supervisor does not die of its own work: floods of lines, full disks, closed pipes, no descriptors, no forks."""

from __future__ import annotations

import errno
import json
import os
import resource
import shlex
import signal
import subprocess

import pytest

from tests.support.journal import whole_lines
from tests.support.processes import APP, call, cpu_seconds
from tests.support.supervisors import COMMAND
from tests.support.waiting import wait_until
from tests.support.zygote_entries import signals_of

PRINTING = (
    APP
    + """
@app.task("tests")
def flood(name, seconds):
    end = time.monotonic() + seconds
    note("start", name)
    while time.monotonic() < end:
        os.write(1, b"flood flood flood\\n" * 1000)
    note("done", name)

@app.task("tests")
def shout(name, size):
    note("start", name)
    os.write(2, b"x" * size)
    os.write(2, b"\\nafter\\n\\xff\\xfe\\x00binary\\n")
    note("done", name)

@app.task("tests")
def two_streams(name):
    for number in range(200):
        print(f"{name} out {number}")
        print(f"{name} err {number}", file=sys.stderr)
    note("done", name)
"""
)


@pytest.fixture
def sqs(strict_sqs):
    for queue in ("tests", "two", "three"):
        strict_sqs.create(queue)
    return strict_sqs


@pytest.mark.slow
def test_a_flood_of_lines_neither_stops_nor_bloats_the_supervisor(sqs, supervisor):
    """It answers, it stays small, and other queues work on meanwhile."""
    process = supervisor(sqs.endpoint_url, app=PRINTING).write({"tests": {}, "two": {}}).up()
    sqs.put("tests", call("flood", "a", 3.0))
    wait_until(lambda: process.journal.words("start") == ["a"])
    sqs.put("two", call("work", "b"))
    wait_until(lambda: "b" in process.journal.words("done"))
    assert process.verb("status").returncode == 0
    wait_until(lambda: "a" in process.journal.words("done"))
    assert resident(process) < 150_000
    assert process.stop() == 0
    process.nothing_left()


def open_text(path):
    with open(path) as file:
        return file.read()


def text_of(path):
    """What is in a log file; nothing where a rotation has just moved it away."""
    try:
        return open_text(path)
    except FileNotFoundError:
        return ""


def resident(process):
    """KiB."""
    status = open_text(f"/proc/{process.pid}/status")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


LOUD = """
import os
for number in range(50):
    os.write(1, b"y" * 250_000 + b"\\n")
os._exit(3)
"""


@pytest.mark.slow
def test_what_prints_long_lines_and_dies_again_and_again_is_kept_small(sqs, supervisor):
    """`why` keeps twenty deaths with what was said last, but no more of it than anybody reads."""
    process = supervisor(sqs.endpoint_url, app=LOUD)
    queue = {"preload": False, "backoff": {"first": 0.05, "max": 0.05}}
    process.write({"tests": queue}).start()
    wait_until(lambda: len(process.actions("died")) >= 8, seconds=60)
    assert resident(process) < 150_000
    assert len(process.verb("why").stdout) < 1_000_000
    assert process.stop() == 0


def test_an_import_that_fails_with_a_very_long_message_is_told_in_short(sqs, supervisor):
    """An exception may hold a whole document."""
    process = supervisor(sqs.endpoint_url, app='raise RuntimeError("x" * 20_000_000)\n')
    process.write({"tests": {}}).start()
    process.until_state("tests", "backoff")
    assert "RuntimeError: xxx" in process.verb("why").stdout
    assert len(process.text) < 100_000
    assert process.stop() == 0


def test_a_megabyte_without_a_newline_and_bytes_that_are_no_text(sqs, supervisor):
    """It is cut into pieces, nothing is lost, and what follows is whole."""
    process = supervisor(sqs.endpoint_url, app=PRINTING).write({"tests": {}}).up()
    sqs.put("tests", call("shout", "a", 1_000_000))
    wait_until(lambda: any(line.endswith("tests/1: after") for line in process.output))
    assert sum(line.count("x") for line in process.output if "tests/1: x" in line) >= 1_000_000
    wait_until(lambda: any("tests/1: \ufffd\ufffd\ufffdbinary" in line for line in process.output))
    assert process.stop() == 0


def test_lines_are_whole_and_in_order_with_their_worker(sqs, supervisor):
    """Four workers print to both streams at the same time."""
    process = supervisor(sqs.endpoint_url, app=PRINTING).write({"tests": {"workers": 4}}).up()
    for name in "abcd":
        sqs.put("tests", call("two_streams", name))
    wait_until(lambda: len(process.journal.words("done")) == 4)
    wait_until(lambda: sum(" err 199" in line for line in process.output) == 4)
    for name in "abcd":
        mine = [line.split(": ", 1)[1] for line in process.output if f": {name} " in line]
        expected = [f"{name} {stream} {number}" for number in range(200) for stream in ("out", "err")]
        assert mine == expected
    assert process.stop() == 0


def test_json_lines_are_objects_for_each_source(sqs, supervisor):
    """log_format: json. Every line is one, of the supervisor, of consumers, of what tasks print."""
    process = supervisor(sqs.endpoint_url, app=PRINTING)
    # It fails once: the next attempt is far away.
    process.write({"tests": {"retry_delay": 600}}, supervisor={"log_format": "json"}).launch()
    wait_until(lambda: any('"action": "ready"' in line for line in process.output))
    sqs.put("tests", call("two_streams", "a"))
    sqs.put("tests", call("fail", "b"))
    wait_until(lambda: any("a err 199" in line for line in process.output))
    wait_until(lambda: any("ValueError" in line for line in process.output))
    assert process.stop() == 0
    events = [json.loads(line) for line in process.output]
    assert {"supervisor", "tests"} <= {event["program"] for event in events}
    (failure,) = [event for event in events if event.get("action") == "task_failed"]
    assert failure["level"] == "ERROR"
    assert "ValueError: b fails" in failure["traceback"]
    assert all(event["time"].startswith("20") for event in events)


def test_in_the_journal_lines_have_priorities_and_no_time(sqs, supervisor, tmp_path):
    """$JOURNAL_STREAM names standard error's file, as under systemd; each line of a traceback has its priority."""
    process = supervisor(sqs.endpoint_url, app=PRINTING).write({"tests": {}})
    journal = tmp_path / "journal"
    with open(journal, "wb") as stream:
        status = os.fstat(stream.fileno())
        child = subprocess.Popen(
            [*COMMAND, "-c", str(process.file)],
            env={**process.environment, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
            stdin=subprocess.DEVNULL,
            stderr=stream,
        )
    process.process = child
    process._reader = type("NoReader", (), {"join": lambda self, seconds: None})()
    wait_until(lambda: b"action=ready" in journal.read_bytes())
    sqs.put("tests", call("fail", "b"))
    wait_until(lambda: b"ValueError: b fails" in journal.read_bytes())
    child.terminate()
    assert child.wait(40) == 0
    lines = whole_lines(journal)
    assert not [line for line in lines if not line.startswith(("<6>", "<3>", "<4>"))]
    assert "<3>tests: ValueError: b fails" in lines


def test_log_files_are_rotated_by_size_and_opened_again(sqs, supervisor):
    """And after logrotate's way, by SIGUSR2."""
    process = supervisor(sqs.endpoint_url, app=PRINTING)
    file = process.directory / "tests.log"
    process.write(
        {"tests": {"log_file": {"path": "tests.log", "max_size": "8K", "backups": 2}}, "two": {}}
    ).up()
    sqs.put("tests", call("two_streams", "a"))
    wait_until(lambda: "a err 199" in text_of(file))  # The last line: it is rotated no more.
    assert (process.directory / "tests.log.1").exists()
    assert not any("a out" in line for line in process.output), "its lines go to the file alone"
    assert process.verb("logs", "tests").stdout.count("a out") > 0
    os.rename(file, process.directory / "moved.log")
    process.signal(signal.SIGUSR2)

    def written() -> bool:
        sqs.put("tests", call("two_streams", "b"))
        return "b " in text_of(file)

    wait_until(written)
    assert process.stop() == 0


def test_a_queue_that_is_called_by_its_url_has_its_own_lines(sqs, supervisor):
    """In its file, in `logs` and in `why`."""
    process = supervisor(sqs.endpoint_url, app=PRINTING)
    log = process.directory / "url.log"
    url = sqs.url("tests")
    process.write({url: {"log_file": str(log)}}).up()
    sqs.put("tests", call("shout", "a", 10))
    wait_until(lambda: log.exists() and "after" in log.read_text())
    assert "after" in process.verb("logs", url).stdout
    assert process.stop() == 0


def test_other_rules_for_a_log_file_hold_after_a_reload(sqs, supervisor):
    """Its path stays the same."""
    process = supervisor(sqs.endpoint_url, app=PRINTING)
    log = process.directory / "tests.log"
    process.write({"tests": {"log_file": {"path": str(log)}}}).up()
    process.write({"tests": {"log_file": {"path": str(log), "max_size": "10K", "backups": 2}}})
    assert process.verb("reload").returncode == 0
    # The old process may still bring what its last receive answered, under the old rules.
    wait_until(lambda: len(process.mains("tests")) == 1)
    for number in range(3):
        sqs.put("tests", call("shout", f"a{number}", 9000))
    wait_until(lambda: (process.directory / "tests.log.2").exists())
    assert process.stop() == 0


@pytest.mark.slow
def test_a_full_disk_and_a_closed_pipe_are_survived(sqs, supervisor):
    """The trouble is told once; the queue works on; a supervisor whose standard error is gone works on, too."""
    process = supervisor(sqs.endpoint_url, app=PRINTING)
    process.write({"tests": {"log_file": "/dev/full"}, "two": {}}).up()
    sqs.put("tests", call("two_streams", "a"))
    process.wait_for("output_trouble")
    wait_until(lambda: process.journal.words("done") == ["a"])
    assert len(process.actions("output_trouble")) == 1
    assert "No space left on device" in process.actions("output_trouble")[0]
    assert process.stop() == 0

    read, write = os.pipe()
    child = subprocess.Popen(
        [*COMMAND, "-c", str(process.file)], env=process.environment, stdin=subprocess.DEVNULL, stderr=write
    )
    os.close(write)
    os.close(read)
    try:
        wait_until(lambda: process.verb("wait", "--timeout", "5").returncode == 0)
        sqs.put("two", call("work", "c"))
        wait_until(lambda: "c" in process.journal.words("done"))
    finally:
        child.terminate()
        assert child.wait(40) == 0


def test_closed_standard_streams_are_nobodys(sqs, supervisor):
    """Started with 0, 1 and 2 closed: no socket and no lock takes their numbers; it works."""
    process = supervisor(sqs.endpoint_url, app=PRINTING).write({"tests": {}})
    quoted = " ".join(shlex.quote(word) for word in [*COMMAND, "-c", str(process.file)])
    child = subprocess.Popen(["sh", "-c", f"exec {quoted} <&- >&- 2>&-"], env=process.environment)
    try:
        wait_until(lambda: process.verb("wait", "--timeout", "5").returncode == 0)
        sqs.put("tests", call("two_streams", "a"))
        wait_until(lambda: process.journal.words("done") == ["a"])
        assert {os.readlink(f"/proc/{child.pid}/fd/{number}") for number in (0, 1, 2)} == {os.devnull}
    finally:
        child.terminate()
        assert child.wait(40) == 0


def test_a_paused_terminal_stops_nothing(sqs, supervisor):
    """Nobody reads standard error: the supervisor answers, and tasks that print are done."""
    process = supervisor(sqs.endpoint_url, app=PRINTING).write({"tests": {}})
    read, write = os.pipe()
    child = subprocess.Popen(
        [*COMMAND, "-c", str(process.file)], env=process.environment, stdin=subprocess.DEVNULL, stderr=write
    )
    os.close(write)
    try:
        wait_until(lambda: process.verb("wait", "--timeout", "5").returncode == 0)
        sqs.put("tests", call("flood", "a", 1.0))
        wait_until(lambda: "a" in process.journal.words("done"))
        assert process.verb("status").returncode == 0
        child.terminate()
        assert child.wait(40) == 0
    finally:
        os.close(read)
        child.kill()
        child.wait()


def test_out_of_descriptors_is_survived_and_heals(sqs, supervisor):
    """The limit is lowered under it: spawns are refused and tried again, it answers once it can."""
    process = supervisor(sqs.endpoint_url).write({"tests": {"backoff": {"first": "100ms"}}, "two": {}}).up()
    pid = process.pid_of("tests")
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{process.pid}/fd"))
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 3, limits[1]))
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: any("refused a process" in line for line in process.output), what=lambda: process.text)
    before, began = cpu_seconds([process.pid]), os.times().elapsed
    wait_until(lambda: sum("refused a process" in line for line in process.output) >= 3)
    spent = (cpu_seconds([process.pid]) - before) / max(os.times().elapsed - began, 0.1)
    assert spent < 0.5, "no busy loop"
    assert process.state("two") == "running", "it answers all the while"
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
    entry = process.until_state("tests", "running")
    assert entry["pid"] != pid
    assert process.stop() == 0
    process.nothing_left()


def test_a_fork_that_the_system_refuses_counts_for_nobody(sqs, supervisor):
    """EAGAIN: tried again, and no program's failure."""
    app = (
        APP
        + f"""
import os
def _refusing(fork=os.fork):
    if os.path.exists("refuse"):
        raise OSError({errno.EAGAIN}, os.strerror({errno.EAGAIN}))
    return fork()
os.fork = _refusing
"""
    )
    process = supervisor(sqs.endpoint_url, app=app)
    (process.directory / "refuse").touch()
    process.write({"tests": {}}).start()
    wait_until(lambda: sum("refused a process" in line for line in process.output) >= 2)
    (process.directory / "refuse").unlink()
    entry = process.until_state("tests", "running")
    assert entry["last_exit"] is None
    assert process.stop() == 0


def test_signals_that_come_while_it_starts_do_not_end_it(sqs, supervisor):
    """A reload, or logrotate, may come at any moment."""
    process = supervisor(sqs.endpoint_url).write({"tests": {}}).launch()

    requests = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

    def survives_requests():
        """It ignores them, or has started meanwhile, and catches them."""
        signals = signals_of(process.pid)
        return set(requests) <= {*signals["SigIgn"], *signals["SigCgt"]}

    wait_until(survives_requests)

    def started_all_the_same():
        for number in requests:
            process.signal(number)
        assert process.process.poll() is None
        return process.actions("started")

    wait_until(started_all_the_same)
    assert process.stop() == 0


def test_as_pid_1_it_reaps_strangers_and_passes_signals_on(sqs, supervisor):
    """As init of a container: what is left behind is reaped, SIGTERM drains."""
    process = supervisor(sqs.endpoint_url).write({"tests": {}})
    process.process = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *COMMAND, "-c", str(process.file)],
        env=process.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    import threading

    process._reader = threading.Thread(target=process._read, daemon=True)
    process._reader.start()
    if process.process.poll() is not None or not process_allowed(process):
        pytest.skip("no PID namespaces here")
    process.wait_for("ready")
    (init,) = children(process.pid)
    os.kill(init, signal.SIGTERM)
    assert process.wait() == 0


def process_allowed(process):
    """`unshare` says why it cannot before it ends: output alone tells nothing."""
    wait_until(lambda: process.actions("started") or process.process.poll() is not None)
    return process.process.poll() is None


def children(pid):
    return [int(child) for child in open_text(f"/proc/{pid}/task/{pid}/children").split()]
