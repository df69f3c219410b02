"""What an operator asks of a running supervisor, and what comes of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from tests.support.processes import APP, call
from tests.support.saving import imported_after
from tests.support.supervisors import COMMAND
from tests.support.waiting import wait_until

NAMES = ("tests", "two", "three")


@pytest.fixture
def sqs(strict_sqs):
    for queue in (*NAMES, "four", "five"):
        strict_sqs.create(queue)
    return strict_sqs


@pytest.fixture
def up(sqs, supervisor):
    """A supervisor with three queues, all of which receive.

    What SQS had given to a receive of a process that is killed is visible again after three seconds.
    """
    short = {"visibility_timeout": 3}
    return supervisor(sqs.endpoint_url).write({name: {} for name in NAMES}, defaults=short).up()


def test_stop_and_start_select_queues_and_say_what_happened(up):
    """Each verb waits for its effect; what is already so is a success; a glob selects."""
    done = up.verb("stop", "t*")
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == ["tests: stopped", "three: stopped", "two: stopped"]
    assert up.verb("stop", "two").returncode == 0
    assert up.verb("status").returncode == 0, "down, as wanted"
    done = up.verb("start", "two")
    assert done.returncode == 0
    assert done.stdout.startswith("two: running, pid ")
    assert up.verb("start", "two").returncode == 0
    assert up.state("tests") == "stopped"
    assert up.stop() == 0


def test_names_that_are_not_there_are_5_with_a_hint(up):
    """No such queue: exit code 5, and what was meant."""
    done = up.verb("stop", "tets")
    assert done.returncode == 5
    assert "unknown queue tets; did you mean tests?" in done.stderr


def test_a_verb_without_a_supervisor_is_4(sqs, supervisor):
    """Nobody listens: exit code 4 and one line, no traceback."""
    done = supervisor(sqs.endpoint_url).write({"tests": {}}).verb("status")
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1


def test_pause_stops_receiving_and_keeps_the_process(sqs, up):
    """A paused queue's messages stay in SQS until resume; the pid is the same."""
    pid = up.pid_of("tests")
    assert up.verb("pause", "tests").stdout == "tests: paused\n"
    assert up.state("tests") == "paused"
    sqs.put("tests", call("work", "a"))
    sqs.put("two", call("work", "b"))
    wait_until(
        lambda: up.journal.words("done") == ["b"],
        what=lambda: f"b alone runs\n{up.journal.lines()}\n{up.text}",
    )
    assert up.verb("pause", "tests").returncode == 0
    assert up.verb("resume", "tests").stdout == "tests: receiving\n"
    wait_until(lambda: sorted(up.journal.words("done")) == ["a", "b"])
    assert up.pid_of("tests") == pid
    assert up.stop() == 0


def test_what_a_receive_under_way_brings_after_a_pause_does_not_run(sqs, supervisor):
    """It goes back at once, for others, and comes again after the resume."""
    up = supervisor(sqs.endpoint_url).write({"tests": {"polling_wait_time": 20}}).up()
    sqs.wait_until(lambda: sqs.calls["ReceiveMessage"] >= 2)  # The second one waits.
    assert up.verb("pause", "tests").returncode == 0
    message = sqs.put("tests", call("work", "a"))
    wait_until(
        lambda: 0 in [event.seconds for event in sqs.happened("ChangeMessageVisibility", message.message_id)]
    )
    assert up.journal.words("start") == []
    assert up.verb("resume", "tests").returncode == 0
    wait_until(lambda: up.journal.words("done") == ["a"], what=lambda: up.text)


def test_a_paused_queue_that_crashes_comes_back_paused(sqs, supervisor):
    """What is wanted is kept apart from what is."""
    up = supervisor(sqs.endpoint_url).write({"tests": {"backoff": {"first": "100ms"}}}).up()
    up.verb("pause", "tests")
    os.kill(up.pid_of("tests"), signal.SIGKILL)
    up.wait_for("died")
    wait_until(lambda: up.status()["tests"]["restarts"] == 1)
    up.until_state("tests", "paused")
    assert up.status()["tests"]["wanted"] == "paused"
    assert up.stop() == 0


def test_scale_changes_the_number_of_workers_of_the_living_process(sqs, up, tmp_path):
    """More workers, then fewer: the pid stays, a busy worker ends its task first."""
    pid = up.pid_of("tests")
    assert up.verb("scale", "tests=4").stdout == "tests: 4 workers\n"
    for name in "abcd":
        sqs.put("tests", call("wait_for", name, str(tmp_path / "go")))
    wait_until(lambda: len(up.journal.words("start")) == 4, what="four at a time")
    done = up.verb("scale", "tests=1", "--timeout", "1")
    assert done.returncode == 124, "its tasks are not done"
    (tmp_path / "go").touch()
    assert up.verb("scale", "tests=1").returncode == 0
    wait_until(lambda: len(up.named("tests worker")) == 1)
    wait_until(
        lambda: sorted(up.journal.words("done")) == list("abcd")
    )  # The one that stays may be the last.
    assert sorted(up.journal.words("start")) == list("abcd"), "none ran twice"
    assert up.pid_of("tests") == pid
    assert up.verb("scale", "tests=x").returncode == 2
    assert up.stop() == 0


def test_restart_takes_the_code_that_is_on_disk(sqs, up):
    """A crash takes the code that ran before; restart the new one; status tells of the difference."""
    marked = APP.replace('note("done", name)', 'note("done", name, "new")', 1)
    up.app(marked)
    os.kill(up.pid_of("tests"), signal.SIGKILL)
    up.wait_for("died")
    entry = up.until_state("tests", "running")
    assert entry["code"]["stale"]
    assert "RUNNING*" in up.verb("status").stdout
    sqs.put("tests", call("work", "a"))
    wait_until(lambda: up.journal.words("done") == ["a"])
    assert up.journal.lines()[-1][2] != "new", "the code of before"
    assert up.verb("restart", "tests").returncode == 0
    sqs.put("tests", call("work", "b"))
    wait_until(lambda: up.journal.words("done") == ["a", "b"])
    assert up.journal.lines()[-1][2] == "new"
    assert not up.status()["tests"]["code"]["stale"]
    assert up.status()["two"]["code"]["stale"], "the others still run what they ran"
    assert len(up.zygotes()) == 2
    assert up.verb("restart", "--rolling").returncode == 0
    wait_until(lambda: len(up.zygotes()) == 1, what="the old fork servers left")
    assert up.stop() == 0


@pytest.mark.parametrize("rolling", [(), ("--rolling",)])
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def broken(:\n", "SyntaxError"),
        (APP + "\nundefined_name\n", "NameError"),
        ("import sys\nsys.exit(3)\n", "SystemExit"),
        ("import nowhere\n", "nowhere"),
        ("import os\nos._exit(4)\n", "exit 4"),
        ("x = 1\n", "shop has no app"),
    ],
)
def test_a_restart_with_code_that_does_not_import_fails_and_the_old_code_goes_on(
    sqs, up, source, says, rolling
):
    """The traceback goes to who asked; nobody's pid changes."""
    before = {name: entry["pid"] for name, entry in up.status().items()}
    up.app(source)
    done = up.verb("restart", *rolling)
    assert done.returncode == 1
    assert says in done.stderr
    assert {name: entry["pid"] for name, entry in up.status().items()} == before
    sqs.put("tests", call("work", "a"))
    wait_until(lambda: up.journal.words("done") == ["a"])
    wait_until(lambda: len(up.zygotes()) == 1)
    assert up.stop() == 0


@pytest.mark.slow
def test_a_rolling_restart_under_load_loses_nothing_and_leaves_no_gap(sqs, up):
    """Messages keep coming while all queues are replaced twice: each is done, and none waits long."""
    names = [f"m{number}" for number in range(300)]
    end = threading.Event()

    def send():
        for name in names:
            sqs.put("tests", call("work", name, 0.002))
            if end.wait(0.01):
                return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for _ in range(2):
            done = up.verb("restart", "--rolling", "*")
            assert done.returncode == 0, done.stderr
            assert done.stdout.count("running, pid") == 3
        sender.join()
    finally:
        end.set()
        sender.join()
    wait_until(lambda: set(up.journal.words("done")) >= set(names), what="all are done")
    up.journal.assert_each_ran(names)
    assert len(up.actions("hand_over")) == 6
    assert len([line for line in up.actions("starting") if "supervisor" in line]) == 3, "there was no gap"
    assert up.stop() == 0
    up.nothing_left()


@pytest.mark.slow
def test_a_rolling_restart_lets_a_long_task_end_on_the_old_code(sqs, up, tmp_path):
    """The new process receives at once; the old one stays until its task is done."""
    old = up.pid_of("tests")
    sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: up.journal.words("start") == ["a"])
    assert up.verb("restart", "--rolling", "tests").returncode == 0
    entry = up.status()["tests"]
    assert entry["pid"] != old
    assert entry["leaving"] == [old]
    sqs.put("tests", call("work", "b"))
    wait_until(lambda: up.journal.words("done") == ["b"])
    (tmp_path / "go").touch()
    wait_until(lambda: not up.status()["tests"]["leaving"])
    assert up.journal.words("start").count("a") == 1
    assert up.stop() == 0


def test_reload_touches_only_what_changed(sqs, up):
    """Added starts, removed drains, changed is replaced, the rest keep their pids; the difference is printed."""
    up.write({name: {} for name in NAMES})
    up.verb("reload")
    before = {name: entry["pid"] for name, entry in up.status().items()}
    up.write({"tests": {}, "two": {"workers": 2}, "four": {}})
    done = up.verb("reload", "--dry-run")
    assert done.returncode == 0
    plan = done.stdout.splitlines()
    assert plan == ["+ four", "- three", "~ two: workers 1 -> 2", "= 1 program stays as it is"]
    assert up.status().keys() == before.keys(), "nothing was done"
    done = up.verb("reload")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:4] == plan
    after = up.status()
    assert set(after) == {"tests", "two", "four"}
    assert after["tests"]["pid"] == before["tests"]
    assert after["two"]["pid"] != before["two"]
    assert after["two"]["workers"] == 2
    assert after["four"]["state"] == "running"
    assert up.verb("reload").stdout == "nothing changed\n"
    assert up.stop() == 0
    up.nothing_left()


@pytest.mark.slow
def test_another_name_of_a_queue_in_sqs_is_told_to_all_that_may_send_to_it(up):
    """The code of each queue finds the others by their names in the file."""
    up.write({name: {} for name in NAMES})
    up.verb("reload")
    before = up.status()
    up.write({"tests": {}, "two": {"queue": "five"}, "three": {}})
    done = up.verb("reload")
    assert done.returncode == 0, done.stderr
    assert "~ two: queue two -> five, environment.SQUIDS_QUEUE_NAMES" in done.stdout
    assert "~ tests: environment.SQUIDS_QUEUE_NAMES" in done.stdout
    after = up.status()
    assert {entry["state"] for entry in after.values()} == {"running"}
    assert after["two"]["queue"] == "five"
    assert all(after[name]["pid"] != before[name]["pid"] for name in after)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"environment": {"A": "1"}}, "environment.A"),
        ({"visibility_timeout": 30}, "visibility_timeout default -> 30"),
        ({"consumers": 2}, "+ two:1"),
        ({"preload": False}, "preload True -> False"),
        ({"nice": 3}, "nice 0 -> 3"),
        ({"shutdown_timeout": "10s"}, "shutdown_timeout"),
    ],
)
def test_reload_with_each_kind_of_difference(up, change, word):
    """Whatever changes is said, comes up, and leaves the others alone."""
    up.write({name: {} for name in NAMES})
    up.verb("reload")
    before = up.status()
    up.write({"tests": {}, "two": change, "three": {}})
    done = up.verb("reload")
    assert done.returncode == 0, done.stderr
    assert word in done.stdout
    after = up.status()
    assert {entry["state"] for entry in after.values()} == {"running"}
    assert all(after[name]["pid"] == before[name]["pid"] for name in ("tests", "three"))
    assert up.stop() == 0
    up.nothing_left()


def test_an_invalid_file_changes_nothing(sqs, up):
    """All mistakes go to who asked and to the log; SIGHUP, too, changes nothing."""
    before = {name: entry["pid"] for name, entry in up.status().items()}
    up.write({"tests": {"workres": 3}, "two": {"workers": 0}})
    done = up.verb("reload")
    assert done.returncode == 1
    assert 'queues.tests.workres: unknown key, did you mean "workers"?' in done.stderr
    assert "queues.two.workers: 0 is less than 1" in done.stderr
    up.signal(signal.SIGHUP)
    up.wait_for("reload_failed", 4)
    assert {name: entry["pid"] for name, entry in up.status().items()} == before
    assert "the last reload failed" in up.verb("status").stdout
    up.write({"tests": {}, "two": {}, "three": {}, "four": {}})
    up.signal(signal.SIGHUP)
    wait_until(lambda: "four" in up.status())
    up.until_state("four", "running")
    assert up.stop() == 0


def test_reload_with_an_app_that_does_not_import_keeps_the_old(up):
    """The new settings of that queue fail; it goes on with the old ones."""
    pid = up.pid_of("two")
    up.write({"tests": {}, "two": {"app": "nowhere:app"}, "three": {}})
    done = up.verb("reload")
    assert done.returncode == 1
    assert "there is no module nowhere" in done.stderr
    assert up.pid_of("two") == pid
    assert up.state("two") == "running"
    plan = up.verb("reload", "--dry-run").stdout
    assert "app shop:app -> nowhere:app" in plan, "it was not carried out, and is told again"
    assert up.stop() == 0


def test_scale_holds_until_the_next_reload(up):
    """The file says another number: reload tells of it, and restores it."""
    assert up.verb("scale", "tests=3").returncode == 0
    assert "~ tests: workers 3 -> 1" in up.verb("reload").stdout
    assert up.status()["tests"]["workers"] == 1
    assert up.stop() == 0


@pytest.mark.slow
def test_reloads_and_restarts_at_the_same_time(up):
    """Each is carried out, one after the other; nobody runs twice."""
    up.write({name: {"workers": 2} for name in (*NAMES, "four")})
    verbs = [["reload"], ["reload"], ["restart", "--rolling"], ["reload"], ["restart", "tests"]]
    threads = [threading.Thread(target=up.verb, args=verb) for verb in verbs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: up.verb("start").returncode == 0)
    for name in (*NAMES, "four"):
        wait_until(lambda name=name: len(up.mains(name)) == 1, what=f"one consumer of {name}")
    assert up.stop() == 0
    up.nothing_left()


@pytest.mark.slow
@pytest.mark.parametrize("rolling", [["--rolling"], []])
def test_what_a_reload_says_while_a_restart_imports_holds(up, tmp_path, rolling):
    """The restart brings the code, and neither the settings of before nor a queue that was removed."""
    go = tmp_path / "go"
    up.app(imported_after(go, APP))
    restart = threading.Thread(target=up.verb, args=("restart", *rolling))
    restart.start()
    wait_until(lambda: len(up.zygotes()) == 2)
    up.write({"tests": {"workers": 2}, "two": {}}, defaults={"visibility_timeout": 3})
    assert up.verb("reload").returncode == 0
    assert up.verb("scale", "two=3").returncode == 0
    go.touch()
    restart.join()
    after = up.status()
    assert {name: entry["workers"] for name, entry in after.items()} == {"tests": 2, "two": 3}
    assert up.mains("three") == []
    assert after["tests"]["code"]["number"] == 2
    assert up.stop() == 0
    up.nothing_left()


@pytest.mark.slow
@pytest.mark.parametrize("verb", [("restart",), ("restart", "--rolling"), ("reload",)], ids=" ".join)
@pytest.mark.parametrize("end", ["SIGTERM", "stop"])
def test_a_stop_while_new_code_is_imported_holds(sqs, up, tmp_path, verb, end):
    """What was asked for before does not start anything after it; the supervisor ends."""
    sqs.put("tests", call("wait_for", "a", str(tmp_path / "task")))
    wait_until(lambda: up.journal.words("start") == ["a"])
    go = tmp_path / "import"
    code = imported_after(go, APP)
    up.app(code)
    if verb == ("reload",):
        (up.directory / "other.py").write_text(code)
        up.write({"tests": {"app": "other:app"}, "two": {}, "three": {}}, defaults={"visibility_timeout": 3})
    asking = up.open_verb(*verb)
    wait_until(lambda: len(up.zygotes()) == 2)
    if end == "stop":
        stop = threading.Thread(target=up.verb, args=("stop",))
        stop.start()
    else:
        up.signal(signal.SIGTERM)
    wait_until(lambda: up.state("tests") == "stopping")
    go.touch()
    up.wait_for("imported", 2)
    (tmp_path / "task").touch()
    if end == "stop":
        stop.join()
        output, errors = asking.communicate(timeout=60)
        assert asking.returncode == 0, output + errors
        assert "tests: is stopp" in output
        assert {entry["state"] for entry in up.status().values()} == {"stopped"}
        up.signal(signal.SIGTERM)
    assert up.wait() == 0
    if end == "SIGTERM":
        output, errors = asking.communicate(timeout=60)
        assert asking.returncode == 1, output + errors
        assert "tests: the supervisor is stopping" in errors, output + errors
    up.nothing_left()


@pytest.mark.slow
def test_a_queue_that_was_removed_drains_and_does_not_come_back(sqs, up, tmp_path):
    """Whatever is asked for while it drains; and the next reload is not kept waiting for ever."""
    sqs.put("three", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: up.journal.words("start") == ["a"])
    up.write({"tests": {}, "two": {}}, defaults={"visibility_timeout": 3})
    assert up.verb("reload", "--no-wait").returncode == 0
    wait_until(lambda: up.state("three") == "stopping")
    done = up.verb("start", "three")
    assert done.returncode == 5
    assert "no longer in the file: three" in done.stderr
    done = up.verb("scale", "three=2")
    assert (done.returncode, "no longer in the file: three" in done.stderr) == (5, True), done
    assert up.verb("restart", "--rolling").returncode == 0
    assert up.verb("restart").returncode == 0
    assert up.verb("start").returncode == 0
    assert up.state("three") == "stopping"
    (tmp_path / "go").touch()
    wait_until(lambda: set(up.status()) == {"tests", "two"})
    assert up.verb("reload", "--timeout", "10").stdout == "nothing changed\n"
    assert up.stop() == 0
    up.nothing_left()


def test_a_second_reload_waits_no_longer_than_it_may(sqs, up, tmp_path):
    """The first one waits for a long drain; the second says so, and does nothing."""
    sqs.put("three", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: up.journal.words("start") == ["a"])
    up.write({"tests": {}, "two": {}})
    assert up.verb("reload", "--no-wait").returncode == 0
    wait_until(lambda: up.state("three") == "stopping")
    up.write({"tests": {}, "two": {}, "four": {}})
    done = up.verb("reload", "--timeout", "1")
    assert done.returncode == 124
    assert "another reload is still in progress: nothing of this one was done" in done.stdout + done.stderr
    assert "four" not in up.status()
    (tmp_path / "go").touch()
    wait_until(lambda: "three" not in up.status())
    assert up.stop() == 0


def test_logs_events_and_why(sqs, up):
    """Lines whole, with their source; changes of state with causes; how a process ended."""
    sqs.put("tests", call("fail", "a"))
    wait_until(lambda: "ValueError: a fails" in up.verb("logs", "tests").stdout)
    assert "two" not in up.verb("logs", "tests").stdout.replace("squids", "")
    told = up.verb("events").stdout.splitlines()
    follow = subprocess.Popen(
        [*COMMAND, "-c", str(up.file), "events", "-f", "--json"],
        env=up.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in told:
            follow.stdout.readline()  # It follows once it has told what was before.
        up.verb("stop", "two")
        for line in follow.stdout:
            event = json.loads(line)
            if event["event"] == "stopped" and event["program"] == "two":
                break
    finally:
        follow.kill()
        follow.wait()
        follow.stdout.close()
    assert "no consumer of it has died" in up.verb("why", "tests").stdout
    wait_until(lambda: f"stop two action=order uid={os.getuid()}" in up.text)
    logs = subprocess.Popen(
        [*COMMAND, "-c", str(up.file), "logs", "-f"], env=up.environment, stdout=subprocess.PIPE
    )
    logs.stdout.readline()
    assert up.stop() == 0
    logs.stdout.read()
    logs.stdout.close()
    assert logs.wait(10) == 0, "it ends with the supervisor"
    assert "asyncio" not in up.text


def test_dump_shows_what_each_thread_of_each_process_does(sqs, up, tmp_path):
    """The stacks of the consumer and of its workers, to who asked."""
    sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: up.journal.words("start") == ["a"])
    done = up.verb("dump", "tests")
    assert done.returncode == 0
    assert "in wait_for" in done.stdout
    assert "in run_forever" in done.stdout
    (tmp_path / "go").touch()
    wait_until(lambda: up.journal.words("done") == ["a"])
    assert up.stop() == 0


def test_pid_signal_wait_and_shutdown(up):
    """The small verbs."""
    assert up.verb("pid").stdout == f"{up.pid}\n"
    assert up.verb("pid", "tests").stdout == f"{up.pid_of('tests')}\n"
    assert up.verb("signal", "USR1", "tests").returncode == 0
    up.wait_for("state")
    up.signal(signal.SIGUSR1)
    up.wait_for("state", 4)
    assert up.verb("signal", "NOPE", "tests").returncode == 2
    assert "expected a time such as 30, 30s or 5m" in up.verb("wait", "--timeout", "soon").stderr
    assert up.verb("wait", "tests", "--for", "stopped", "--timeout", "0.3").returncode == 124
    assert up.verb("shutdown").returncode == 0
    assert up.wait() == 0
    up.nothing_left()


def test_a_timeout_of_zero_does_not_wait(up):
    """A look, for scripts."""
    assert up.verb("wait", "--for", "stopped", "--timeout", "0", seconds=20).returncode == 124
    assert up.verb("wait", "--timeout", "0").returncode == 0
    assert up.stop() == 0


def test_status_for_programs_has_stable_names(up):
    """--json: one document, ISO times."""
    answer = up.document("status")
    entry = answer["programs"][0]
    for key in (
        "name queue app state wanted as_wanted reason degraded since seconds retry_in pid uptime restarts workers ready "
        "busy held done done_per_second failed p50 p95 oldest_task running cpu memory last_exit code leaving"
    ).split():
        assert key in entry, key
    assert entry["since"].startswith("20")
    assert entry["memory"] > 1_000_000
    assert answer["supervisor"]["pid"] == up.pid
    assert answer["zygotes"][0]["programs"] == list(NAMES)
    assert up.stop() == 0


# The socket.


def connect(up):
    client = socket.socket(socket.AF_UNIX)
    client.connect(up.socket)
    client.settimeout(20)
    return client


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n", b"{}\n", b"[]\n", b"nonsense\n", b"\x00\xff\n", b'{"verb": 3}\n', b'{"verb": "nothing"}\n',
        b'{"verb": "stop", "queues": "tests"}\n', b'{"verb": "logs", "options": {"lines": -1}}\n',
        b'{"verb": "wait", "options": {"timeout": "soon"}}\n', b"x" * 200_000 + b"\n", b"[" * 60_000 + b"\n",
    ],
)  # fmt: skip
def test_garbage_is_refused_with_a_usage_error(up, garbage):
    """Whatever is said on the socket, the answer is an end with code 2, and all goes on."""
    with connect(up) as client:
        try:
            client.sendall(garbage)
            answer = client.makefile("rb").readline()
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
        if answer:
            assert json.loads(answer)["code"] == 2
    assert up.verb("status").returncode == 0


def test_silent_and_slow_clients_delay_nobody(up):
    """Many that say nothing, and one that never reads what it asked for."""
    clients = [connect(up) for _ in range(30)]
    with connect(up) as deaf:
        deaf.sendall(b'{"verb": "logs", "queues": [], "options": {"follow": true}}\n')
        assert up.verb("status").returncode == 0
    for client in clients:
        client.close()
    assert up.stop() == 0


def test_the_socket_is_private_and_made_again_when_it_vanishes(up):
    """Mode 0600; sweepers of temporary directories do no harm."""
    assert os.stat(up.socket).st_mode & 0o777 == 0o600
    os.unlink(up.socket)
    wait_until(lambda: os.path.exists(up.socket), what="it is there again")
    assert up.verb("status").returncode == 0
    assert up.stop() == 0
    assert not os.path.exists(up.socket)


def test_another_socket_is_found_by_the_file_alone(sqs, supervisor, tmp_path):
    """supervisor.socket: verbs find it by -c all the same; socket_mode widens it."""
    process = supervisor(sqs.endpoint_url)
    path = f"{process._runtime}/own.sock"
    process.write({"tests": {}}, supervisor={"socket": path, "socket_mode": "0660"}).up()
    assert os.stat(path).st_mode & 0o777 == 0o660
    assert process.stop() == 0
