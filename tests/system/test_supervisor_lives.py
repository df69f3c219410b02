"""What becomes of consumers under a supervisor: started, crashed, hung, orphaned, stopped."""

from __future__ import annotations

import grp
import os
import signal
import subprocess
from pathlib import Path

import pytest

from squids.supervisor.capacity import descriptors_in_consumer
from tests.support.native import NATIVE_THREAD
from tests.support.processes import APP, call
from tests.support.strict_sqs import StrictSQS
from tests.support.supervisors import SILENT
from tests.support.waiting import wait_until
from tests.support.zygote_entries import open_descriptors, signals_of
from tests.support.zygotes import alive

QUEUES = ("tests", "two", "three", "four", "five.fifo")


@pytest.fixture
def sqs(strict_sqs):
    for queue in QUEUES:
        strict_sqs.create(queue)
    return strict_sqs


@pytest.fixture
def five(sqs, supervisor):
    """A supervisor with five queues, all of which receive."""
    quick = {"backoff": {"first": "200ms"}}
    return supervisor(sqs.endpoint_url).write({name: {} for name in QUEUES}, defaults=quick).up()


def test_all_queues_are_drained_by_children_of_one_fork_server(sqs, five):
    """Five queues, one import: each consumer works, and a stop leaves nothing behind."""
    sqs.put("tests", call("work", "a"))
    wait_until(lambda: five.journal.words("done") == ["a"], what=lambda: f"it is done\n{five.text}")
    assert len(five.zygotes()) == 1
    assert {entry["state"] for entry in five.status().values()} == {"running"}
    assert five.verb("status").returncode == 0
    place = Path(five.socket).parent
    assert (place / "lock").exists()
    assert five.stop() == 0
    five.nothing_left()
    assert list(place.parent.iterdir()) == []  # Neither the folder of its lock nor its claims.


def test_a_killed_consumer_comes_back_and_its_message_too(sqs, five, tmp_path):
    """SIGKILL of a consumer in the middle of a task: it is restarted; the task ends in its worker, or runs again."""
    pid = five.pid_of("tests")
    sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: five.journal.words("start") == ["a"])
    wait_until(lambda: five.status()["tests"]["running"], what="the supervisor knows what runs")
    os.kill(pid, signal.SIGKILL)
    five.wait_for("died")
    entry = five.until_state("tests", "running")
    assert entry["pid"] != pid
    assert entry["restarts"] == 1
    assert entry["last_exit"]["cause"] == "signal 9"
    (death,) = five.why("tests")["deaths"]
    assert death["status"] == -9
    assert not death["asked"]
    assert [job["task"] for job in death["running"]] == ["shop.wait_for"]
    assert all(five.status()[name]["restarts"] == 0 for name in QUEUES[1:])
    (tmp_path / "go").touch()
    assert five.stop() == 0
    five.nothing_left()


BUSY = (
    APP
    + """
import signal
import time

def be_busy():
    # Once, just after a fork: the supervisor and this fork server sleep, and the consumer boots.
    if os.path.exists("sleep"):
        os.unlink("sleep")
        os.kill(os.getppid(), signal.SIGSTOP)
        time.sleep(1)

os.register_at_fork(after_in_parent=be_busy)
"""
)
"""The app of a fork server that gets no CPU after its first fork, as on a busy machine. The supervisor gets none until
the test continues it."""


def test_a_consumer_that_receives_before_the_supervisor_looks_is_drained(sqs, supervisor, tmp_path):
    """On a busy machine "ready" of a consumer is there to be read before its pid is, which comes by another socket."""
    process = supervisor(sqs.endpoint_url, BUSY)
    (process.directory / "sleep").touch()
    sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    process.write({"tests": {}}).start()
    wait_until(lambda: process.journal.words("start") == ["a"])
    os.kill(process.pid, signal.SIGCONT)
    process.until_state("tests", "running")
    assert [process.status()["tests"]["pid"]] == process.mains("tests")
    stop = process.open_verb("stop", "tests")
    wait_until(lambda: "draining; waits for 1 running task" in process.text, what=lambda: process.text)
    (tmp_path / "go").touch()
    assert stop.wait(30) == 0
    stop.communicate()
    assert process.journal.words("done") == ["a"]
    assert process.stop() == 0
    process.nothing_left()


def test_an_exit_78_is_fatal_at_once_and_reset_tries_again(sqs, supervisor):
    """What a restart cannot heal is not restarted; the others go on."""
    process = supervisor(sqs.endpoint_url)
    process.write({"tests": {}, "two": {"app": "shop:nothing"}, "three": {"app": "nowhere:app"}}).start()
    for name in ("two", "three"):
        entry = process.until_state(name, "fatal")
        waited = process.verb("wait", name)
        assert waited.returncode == 1, "nothing but a person can help: nobody waits for ever"
        assert "fatal" in waited.stdout + waited.stderr
        assert entry["restarts"] == 0
    assert "shop has no nothing" in process.why("two")["reason"]
    assert process.until_state("tests", "running")["as_wanted"]
    assert process.verb("status").returncode == 3
    done = process.verb("reset", "two")
    assert done.returncode == 1
    assert "shop has no nothing" in done.stderr
    assert process.stop() == 0
    process.nothing_left()


def test_an_app_that_raises_backs_off_with_its_traceback_and_heals(sqs, supervisor):
    """An import that fails is tried again, longer and longer; once it is mended, all checks passed."""
    process = supervisor(sqs.endpoint_url, app="import os\nraise ValueError('not today')\n")
    process.write({"tests": {}, "two": {}}).start()
    entry = process.until_state("tests", "backoff")
    assert entry["retry_in"] is not None
    assert "ValueError: not today" in process.why("tests")["reason"]
    assert 'shop.py", line 2' in process.text
    assert "zygotes.py" not in process.text
    process.app(APP)
    assert process.until_state("tests", "running")["restarts"] >= 1
    process.until_state("two", "running")
    assert process.stop() == 0


@pytest.mark.slow
def test_a_crash_loop_is_seen_and_slows_down(sqs, supervisor):
    """A consumer that dies soon after it was ready is in a loop: the waits grow, and max_restarts ends it."""
    process = supervisor(sqs.endpoint_url)
    policy = {"backoff": {"first": "100ms", "jitter": 0}, "max_restarts": 3}
    process.write({"tests": policy, "two": {}}).up()
    waits: list[float] = []
    for _ in range(3):
        entry = process.until_state("tests", "running")
        os.kill(entry["pid"], signal.SIGKILL)
        number = len(waits) + 1
        line = process.wait_for("backoff", number)[-1]
        waits.append(float(line.split("again in ")[1].split(" s")[0]))
    assert waits[1] > waits[0] * 1.4
    assert waits[2] > waits[1] * 1.4
    os.kill(process.until_state("tests", "running")["pid"], signal.SIGKILL)
    assert "restarted 3 times within 600 s" in process.until_state("tests", "fatal")["reason"]
    assert process.state("two") == "running"
    assert process.verb("start", "tests").returncode == 0
    assert process.stop() == 0


@pytest.mark.parametrize(("restart", "state"), [("never", "exited"), ("on-failure", "backoff")])
def test_restart_says_who_comes_back(sqs, supervisor, restart, state):
    """`never` leaves a consumer that died; `on-failure` brings it back."""
    process = supervisor(sqs.endpoint_url)
    process.write({"tests": {"restart": restart, "backoff": {"first": "20s"}}}).up()
    os.kill(process.pid_of("tests"), signal.SIGKILL)
    process.until_state("tests", state)
    assert process.stop() == 0


@pytest.mark.slow
def test_exit_when_empty_is_an_end_that_is_fine(sqs, supervisor):
    """A consumer that is told to leave when its queue is empty has exited, and is as wanted."""
    process = supervisor(sqs.endpoint_url).write({"tests": {"exit_when_empty": True}}).start()
    process.until_state("tests", "exited")
    assert process.verb("status").returncode == 0
    assert process.stop() == 0


@pytest.mark.slow
def test_a_hung_consumer_writes_its_stacks_and_is_restarted(sqs, supervisor):
    """SIGSTOP: no sign of life for heartbeat_timeout; SIGCONT and SIGABRT, so that its stacks are in the log."""
    process = supervisor(sqs.endpoint_url)
    process.write({"tests": {"heartbeat_timeout": 10, "backoff": {"first": "100ms"}}, "two": {}}).up()
    pid = process.pid_of("tests")
    os.kill(pid, signal.SIGSTOP)
    process.wait_for("died", seconds=40)
    assert not alive(pid)
    entry = process.until_state("tests", "running")
    assert entry["last_exit"]["cause"] == "no sign of life for 10 s"
    assert "Fatal Python error: Aborted" in process.text
    assert any("Fatal Python error" in line for line in process.why("tests")["deaths"][0]["lines"])
    assert process.status()["two"]["restarts"] == 0
    assert process.stop() == 0
    process.nothing_left()


def test_sqs_down_is_degraded_and_kills_nothing(supervisor):
    """No SQS: STARTING, with the reason; nobody is restarted for it."""
    process = supervisor("http://127.0.0.1:9").write({"tests": {}}).start()

    def degraded():
        entry = process.status()["tests"]
        return entry if entry["degraded"] else None

    entry = wait_until(degraded)
    assert entry["state"] == "starting"
    assert process.verb("start", "tests").returncode == 1
    assert entry["restarts"] == 0
    assert process.stop() == 0


def test_a_queue_that_cannot_be_received_from_any_more_is_not_as_wanted(supervisor):
    """It lives, and nothing is restarted; but whoever watches the exit code of `status` learns of it."""
    server = StrictSQS().start()
    server.create("tests")
    process = supervisor(server.endpoint_url).write({"tests": {}}).up()
    assert process.verb("status").returncode == 0
    server.close()
    entry = process.until_state("tests", "degraded")
    assert not entry["as_wanted"]
    assert process.verb("status").returncode == 3
    assert process.status()["tests"]["restarts"] == 0
    assert process.stop() == 0


def test_supervisor_killed_leaves_nothing_and_another_may_start(sqs, five, supervisor, tmp_path):
    """SIGKILL of the supervisor: consumers drain and leave by themselves; a new one takes the lock and the socket."""
    sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: five.journal.words("start") == ["a"])
    old = set(five.processes())
    os.kill(five.pid, signal.SIGKILL)
    five.process.wait()
    done = five.verb("status")
    assert done.returncode == 4
    assert "no supervisor" in done.stderr
    five.up()
    wait_until(lambda: sum(pid in old for pid in five.processes()) <= 3, what="all but the busy ones left")
    (tmp_path / "go").touch()
    wait_until(lambda: not old & set(five.processes()), what="the old ones left")
    assert five.journal.words("done") == ["a"]
    assert five.journal.words("start") == ["a"]
    assert five.stop() == 0
    five.nothing_left()


def test_a_task_that_prints_is_not_failed_by_the_supervisors_death(sqs, supervisor, tmp_path):
    """Nobody reads what it prints any more, but the fork server: it prints on, and ends well."""
    chatty = (
        APP
        + """
@app.task("tests")
def chat(name, path):
    note("start", name)
    while not os.path.exists(path):
        print("x" * 5000)
        time.sleep(0.001)
    note("done", name)
"""
    )
    process = supervisor(sqs.endpoint_url, app=chatty).write({"tests": {}}).up()
    sqs.put("tests", call("chat", "a", str(tmp_path / "go")))
    wait_until(lambda: process.journal.words("start") == ["a"])
    os.kill(process.pid, signal.SIGKILL)
    process.process.wait()
    (tmp_path / "go").touch()
    wait_until(lambda: process.journal.words("done") == ["a"], what="it ended well")
    process.nothing_left(30)


def test_two_supervisors_of_one_file_cannot_be(five):
    """The second refuses with 75, and names the first."""
    done = subprocess.run(
        [*five.process.args], env=five.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 75
    assert f"pid {five.pid}, started at 20" in done.stderr
    assert five.verb("status").returncode == 0


def test_a_fork_server_that_dies_is_replaced(sqs, five, tmp_path):
    """Its consumers drain, and new ones come from a new fork server at once; what runs ends."""
    sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    wait_until(lambda: five.journal.words("start") == ["a"])
    pids = {name: five.pid_of(name) for name in QUEUES}
    (zygote,) = five.zygotes()
    os.kill(zygote, signal.SIGKILL)
    five.wait_for("zygote_died")
    for name in QUEUES:
        wait_until(lambda name=name: five.status()[name]["pid"] not in (None, pids[name]))
        entry = five.until_state(name, "running")
        assert entry["restarts"] == 0
    sqs.put("tests", call("work", "b"))
    wait_until(lambda: "b" in five.journal.words("done"), what="the new one works while the old one drains")
    (tmp_path / "go").touch()
    wait_until(lambda: not any(alive(pid) for pid in pids.values()), what="the old ones left")
    assert five.journal.words("done").count("a") == 1
    assert five.stop() == 0
    five.nothing_left()


def test_an_end_that_nobody_reports_is_known(sqs, supervisor):
    """A fork server dies when it has reaped a consumer and not said so: nothing waits for that consumer."""
    process = supervisor(sqs.endpoint_url, SILENT).write({"tests": {}}).up()
    (main,) = process.mains("tests")
    (process.directory / "silent").touch()
    os.kill(main, signal.SIGKILL)
    process.wait_for("zygote_died")
    entry = process.until_state("tests", "running")
    assert entry["pid"] != main
    wait_until(lambda: not process.status()["tests"]["leaving"], what="the old one is gone")
    assert process.why("tests")["deaths"][-1]["status"] is None
    assert process.stop() == 0
    process.nothing_left()


@pytest.mark.slow
def test_a_fork_server_that_hangs_is_killed_and_replaced(sqs, supervisor):
    """SIGSTOP: it forks nothing and kills nobody. Nothing waits for it for ever."""
    process = supervisor(sqs.endpoint_url)
    process.write({"tests": {"backoff": {"first": "100ms"}}, "two": {}}).up()
    (zygote,) = process.zygotes()
    os.kill(zygote, signal.SIGSTOP)
    assert process.verb("stop", "tests", "--timeout", "5").returncode == 124
    assert process.verb("start", "tests", "--timeout", "60").returncode == 0
    process.until_state("two", "running")
    assert process.zygotes() != [zygote]
    assert process.stop() == 0
    process.nothing_left()


POLLER = (
    "import threading\nthreading.Thread(target=time.sleep, args=(600,), daemon=True, name='poller').start()\n"
)


@pytest.mark.parametrize(("source", "named"), [(POLLER, "threads (poller)"), (NATIVE_THREAD, "crunching")])
def test_an_app_with_threads_starts_by_exec(sqs, supervisor, source, named):
    """No fork may cross a thread, of Python's or not: the app is named in a warning, and its processes are fresh
    interpreters."""
    process = supervisor(sqs.endpoint_url, app=APP + source).write({"tests": {}}).up()
    (line,) = process.wait_for("not_forkable")
    assert "shop:app" in line
    assert named in line
    sqs.put("tests", call("work", "a"))
    wait_until(lambda: process.journal.words("done") == ["a"])
    code = process.status()["tests"]["code"]
    assert not code["shared"]
    assert named in code["unforkable"]
    assert process.stop() == 0
    process.nothing_left()


@pytest.mark.slow
def test_status_says_which_code_a_fresh_interpreter_runs(sqs, supervisor):
    """It imports for itself, so after a crash it runs what is on disk, and is no older than that."""
    process = supervisor(sqs.endpoint_url).write({"tests": {"preload": False}}).up()
    first = process.status()["tests"]["code"]
    assert first["imported_at"] is not None
    assert not first["stale"]
    process.app(APP + "\n# changed\n")
    entry = process.status()["tests"]
    assert entry["code"]["stale"]
    assert entry["code"]["stale_files"] == [str(process.directory / "shop.py")]
    assert "RUNNING*" in process.verb("status").stdout
    os.kill(entry["pid"], signal.SIGKILL)
    wait_until(lambda: process.status()["tests"]["pid"] not in (entry["pid"], None))
    process.until_state("tests", "running")
    last = process.status()["tests"]["code"]
    assert not last["stale"], "the crash brought what is on disk"
    assert last["imported_at"] > first["imported_at"]
    process.app(APP + "\n# changed again\n")
    assert process.verb("restart").returncode == 0
    process.app(APP + "\n# and again\n")
    assert process.status()["tests"]["code"]["stale"]
    os.kill(process.pid_of("tests"), signal.SIGKILL)
    wait_until(lambda: not process.status()["tests"]["code"]["stale"])
    assert process.stop() == 0
    process.nothing_left()


def test_an_import_that_hangs_is_cut(sqs, supervisor):
    """start_timeout ends it, and its stack is in the log."""
    process = supervisor(sqs.endpoint_url, app="import time\ntime.sleep(600)\n")
    process.write({"tests": {"start_timeout": 2}}).start()
    assert "took over 2 s" in process.until_state("tests", "backoff")["reason"]
    wait_until(lambda: "shop.py" in process.text, what="its stack is in the log")
    assert process.stop() == 0
    process.nothing_left()


def test_an_import_has_the_time_of_the_most_patient_of_its_queues(sqs, supervisor):
    """They share it, whichever asks first."""
    process = supervisor(sqs.endpoint_url, app=f"import time\ntime.sleep(1.5)\n{APP}")
    process.write({"tests": {"start_timeout": "100ms"}, "two": {"start_timeout": 60}}).start()
    assert process.verb("wait", "two", "--timeout", "20").returncode == 0
    assert not process.actions("import_failed")
    assert process.stop() == 0


def test_an_import_that_keeps_failing_is_fatal_as_max_restarts_says(sqs, supervisor):
    """Where it runs in a container, that is seen from outside: exit code 69."""
    process = supervisor(sqs.endpoint_url, app="raise RuntimeError('no database')\n")
    queue = {"max_restarts": 1, "essential": True}
    process.write({"tests": queue}, supervisor={"exit_on": "essential"}).start()
    assert process.wait() == 69
    assert "RuntimeError: no database; restarted 1 times within 600 s" in process.text


def test_the_supervisor_leaves_when_an_essential_program_is_fatal(sqs, supervisor):
    """exit_on: essential, for containers: exit code 69, after the others have drained."""
    process = supervisor(sqs.endpoint_url)
    process.write(
        {"tests": {}, "two": {"app": "nowhere:app", "essential": True}}, supervisor={"exit_on": "essential"}
    ).start()
    assert process.wait() == 69
    assert "two is essential" in process.text
    process.nothing_left()


def test_a_second_sigterm_kills_what_runs_and_gives_it_back(sqs, five, tmp_path):
    """The first drains; the second does not wait for tasks."""
    queue = sqs.put("tests", call("wait_for", "a", str(tmp_path / "never")))
    del queue
    wait_until(lambda: five.journal.words("start") == ["a"])
    five.signal(signal.SIGTERM)
    five.wait_for("stopping", 6)
    five.insist(says="forcing")
    assert five.wait() == 0
    assert "done" not in {line[0] for line in five.journal.lines()}
    five.nothing_left()


@pytest.mark.slow
def test_stops_of_many_run_at_the_same_time_and_one_that_hangs_is_killed(sqs, supervisor, tmp_path):
    """A stopped (SIGSTOP) consumer is killed after its time; the others are long gone by then."""
    process = supervisor(sqs.endpoint_url)
    process.write({"tests": {"shutdown_timeout": 1}, "two": {}, "three": {}}).up()
    os.kill(process.pid_of("tests"), signal.SIGSTOP)
    process.signal(signal.SIGTERM)
    process.wait_for("stopped", 4)
    assert process.wait() == 0
    process.nothing_left()


def test_a_consumer_that_answers_a_stop_late_is_not_forced(sqs, supervisor, tmp_path):
    """It got no CPU for seconds: the command to drain and the SIGTERM that follows it are one stop."""
    sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    process = supervisor(sqs.endpoint_url).write({"tests": {}}).up()
    wait_until(lambda: process.journal.words("start") == ["a"])
    pid = process.pid_of("tests")
    os.kill(pid, signal.SIGSTOP)
    process.verb("stop", "tests", "--no-wait")
    wait_until(
        lambda: signal.SIGTERM in signals_of(pid)["ShdPnd"],
        what=lambda: f"it is sent SIGTERM\n{process.text}",
    )
    os.kill(pid, signal.SIGCONT)
    process.wait_for("stopping")
    (tmp_path / "go").touch()
    process.until_state("tests", "stopped")
    assert process.journal.words("done") == ["a"]
    assert not process.actions("killing")
    assert process.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_each_process_of_the_tree_is_one_gentle_stop(sqs, supervisor, tmp_path, number):
    """What runs ends, and nothing is restarted: not by the supervisor, nor by a consumer."""
    sqs.put("tests", call("wait_for", "a", str(tmp_path / "go")))
    process = supervisor(sqs.endpoint_url).write({"tests": {"workers": 2}, "two": {}}).up()
    wait_until(lambda: process.journal.words("start") == ["a"])
    process.workers(3)
    for pid in sorted(process.processes(), reverse=True):  # Children first, as tree-kill does.
        os.kill(pid, number)
    process.wait_for("stopping", 4)
    (tmp_path / "go").touch()
    assert process.wait() == 0
    assert process.journal.words("done") == ["a"]
    for action in ("killing", "forcing", "worker_exited", "worker_restarted"):
        assert not process.actions(action), process.text
    process.nothing_left()


def test_children_have_their_own_groups_default_signals_and_few_descriptors(sqs, five):
    """A child starts clean: no descriptor of the supervisor's, nobody's group, no ignored signal."""
    for name in QUEUES:
        pid = five.pid_of(name)
        assert os.getpgid(pid) == pid
        signals = signals_of(pid)
        ignored = set(signals["SigIgn"]) & signal.valid_signals()
        assert ignored <= {signal.SIGPIPE, signal.SIGXFSZ}, "Python's own at start"
        assert signals["SigBlk"] == []
        targets = list(open_descriptors(pid).values())
        assert not [target for target in targets if "control.sock" in target or target.endswith("/lock")]
        assert len(targets) < 20, targets
    assert five.stop() == 0


def test_nice_limits_umask_and_environment_reach_the_tasks(sqs, supervisor):
    """What the file says of a program holds in its workers."""
    app = (
        APP
        + """
@app.task("tests")
def look(name):
    import resource
    mask = os.umask(0)
    note("start", name, os.nice(0), resource.getrlimit(resource.RLIMIT_NOFILE)[0], oct(mask), os.environ.get("A"), os.environ.get("B"))
"""
    )
    process = supervisor(sqs.endpoint_url, app=app, B="there")
    process.write(
        {
            "tests": {
                "nice": 5,
                "limits": {"nofile": 300},
                "umask": "0027",
                "environment": {"A": "$$x", "B": None},
            }
        }
    ).up()
    sqs.put("tests", call("look", "a"))
    wait_until(lambda: process.journal.lines())
    assert process.journal.lines()[0][2:7] == ["5", "300", "0o27", "$x", "None"]
    assert process.stop() == 0


def test_the_fewest_open_files_that_the_file_may_give_suffice_for_its_workers(sqs, supervisor):
    """Its consumer starts them all, and works."""
    process = supervisor(sqs.endpoint_url)
    process.write({"tests": {"workers": 16, "limits": {"nofile": descriptors_in_consumer(16)}}}).up()
    wait_until(lambda: process.status()["tests"]["workers"] == 16)
    sqs.put("tests", call("work", "a"))
    wait_until(lambda: process.journal.words("done") == ["a"])
    assert process.stop() == 0
    assert "spawn_failed" not in process.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes as somebody else")
def test_a_queue_may_run_as_another_group(sqs, supervisor):
    """Its fork server has that group before the app is imported, and so have its workers."""
    group = next(entry for entry in grp.getgrall() if entry.gr_gid != os.getgid())
    app = APP + "\nnote('start', 'import', os.getgid())\n"
    process = supervisor(sqs.endpoint_url, app=app).write({"tests": {"group": group.gr_name}, "two": {}}).up()
    gids = {line[2] for line in process.journal.lines() if line[1] == "import"}
    assert gids == {str(group.gr_gid), str(os.getgid())}
    assert len(process.zygotes()) == 2
    assert process.stop() == 0


def test_several_consumers_of_one_queue(sqs, supervisor):
    """`consumers: 2` are two programs of one queue, selected together by the queue's name."""
    process = supervisor(sqs.endpoint_url).write({"tests": {"consumers": 2}}).up()
    assert set(process.status()) == {"tests:1", "tests:2"}
    assert process.verb("stop", "tests").returncode == 0
    assert {entry["state"] for entry in process.status().values()} == {"stopped"}
    assert process.stop() == 0
