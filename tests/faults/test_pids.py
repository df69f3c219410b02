"""Pids that others report, numbers that come back, and fork servers that die or stop at the worst moment."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.support.processes import APP, MARKER, call
from tests.support.servers import CREDENTIALS
from tests.support.supervisors import SILENT, SupervisorProcess
from tests.support.waiting import wait_until
from tests.support.zygotes import alive

NOBODY = 65534

SOCKET_TO_THE_SUPERVISOR = """
from squids.process.frames import encode

def socket_to_the_supervisor():
    frame = sys._getframe()
    while "sock" not in frame.f_locals:  # That of `zygote_start`.
        frame = frame.f_back
    return frame.f_locals["sock"]
"""
"""Of an app that speaks as its fork server."""

LYING = (
    APP
    + SOCKET_TO_THE_SUPERVISOR
    + """
def lie(pid):
    owner = socket_to_the_supervisor()
    owner.setblocking(True)
    lies = b"".join(encode(["spawned", child, pid]) for child in range(1, 20))
    owner.sendall(lies)  # Before any truth, which would be believed.
    if os.fork() == 0:
        try:
            while True:
                time.sleep(0.02)
                owner.sendall(lies)
        finally:
            os._exit(0)

lie(int(os.environ["VICTIM"]))
"""
)

WRONG_FIGURES = (
    APP
    + """
from dataclasses import replace
import squids.pool.pooled_consumer as pooled
true_figures = pooled.figures
pooled.figures = lambda *args: replace(true_figures(*args), pids=(int(os.environ["VICTIM"]),))
"""
)

QUICK = {
    "workers": 1,
    "shutdown_timeout": 2,
    "start_timeout": 60,
    "backoff": {"first": "100ms", "max": "1s"},
}


REPOSITORY = Path(__file__).parents[2]


def readable_by_all(*places):
    """What to put before a command, so that other users can read these folders where a parent (as `/root`) is closed
    to them: a mount namespace in which it is not."""
    parents = {parent for place in places for parent in Path(place).parents}
    closed = sorted(str(parent) for parent in parents if not parent.stat().st_mode & 0o001)
    if not closed:
        return []
    inside = [place for place in dict.fromkeys(places) if place.startswith(closed[0] + "/")]
    script = """set -e
    top=$1; shift; hold=$(mktemp -d); mount -t tmpfs none "$hold"; count=$1; shift
    for i in $(seq "$count"); do eval "place=\\${$i}"; mkdir "$hold/$i"; mount --bind "$place" "$hold/$i"; done
    mount -t tmpfs -o mode=755 none "$top"
    for i in $(seq "$count"); do mkdir -p "$1"; mount --bind "$hold/$i" "$1"; shift; done
    exec "$@"
    """
    return ["unshare", "--mount", "sh", "-c", script, "sh", closed[0], str(len(inside)), *inside]


@pytest.fixture
def innocent():
    """A process of root's that leads a group of its own, and has nothing to do with squids."""
    process = subprocess.Popen(["sleep", "600"], process_group=0)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def as_nobody(strict_sqs, innocent):
    """Make a supervisor of root's, whose app is nobody's and knows the innocent process."""
    if os.geteuid() != 0:
        pytest.skip("only root may start the code of another user")
    readable = readable_by_all(sys.base_prefix, sys.prefix, str(REPOSITORY))
    probe = [
        *readable,
        "setpriv",
        f"--reuid={NOBODY}",
        "--clear-groups",
        sys.executable,
        "-c",
        "import squids",
    ]
    if subprocess.run(probe, cwd="/", capture_output=True, check=False).returncode:
        pytest.skip("other users cannot be let read this checkout and its interpreter here")
    made = []
    directory = Path(tempfile.mkdtemp(prefix="squids-pids-"))
    directory.chmod(0o755)

    def make(app, **changes):
        strict_sqs.create("tests")
        environment = {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL_SQS": strict_sqs.endpoint_url,
            "VICTIM": str(innocent.pid),
        }  # Another user's queues get none of it but what is named.
        made.append(SupervisorProcess(directory, environment, app))
        made[-1].prefix = readable
        environment |= {MARKER: made[-1]._marker, "SPT_NOENV": "1"}
        settings = {"user": str(NOBODY), "environment": environment, **QUICK, **changes}
        return made[-1].write({"tests": settings})

    yield make
    for process in made:
        process.close()
    shutil.rmtree(directory)


def test_a_pid_that_an_app_makes_up_is_not_obeyed(as_nobody, innocent):
    """The code of an app reports root's own process as its consumer: it is refused by name, and nothing that ends
    programs touches that process."""
    process = as_nobody(LYING).start()
    (line, *_) = process.wait_for("zygote_broken")
    assert f"reported pid {innocent.pid} as that of tests" in line
    assert "uid 0, not 65534" in line
    assert all(entry["pid"] != innocent.pid for entry in process.status().values())
    process.verb("restart", "--no-wait")
    process.wait_for("zygote_broken", 2)
    assert process.verb("stop", "--timeout", "30").returncode == 0
    assert process.stop() == 0
    assert innocent.poll() is None
    assert "Traceback" not in process.text


def test_workers_that_a_consumer_makes_up_are_not_killed(as_nobody, innocent, strict_sqs):
    """A consumer tells root's own process as its worker. When it and its fork server are dead, its true workers are
    killed, and that process is not."""
    process = as_nobody(WRONG_FIGURES, shutdown_timeout=30).up()
    wait_until(lambda: process.status()["tests"]["workers"] == 1, what="figures came")
    (zygote,), (main,) = process.zygotes(), process.mains("tests")
    answer = strict_sqs.hold("ReceiveMessage")  # Else it could leave by itself, for its fork server is dead.
    strict_sqs.wait_until(lambda: strict_sqs.held["ReceiveMessage"])
    os.kill(zygote, signal.SIGKILL)
    process.wait_for("zygote_died")
    os.kill(main, signal.SIGKILL)
    answer.set()
    wait_until(lambda: not alive(main) and not process.status()["tests"]["leaving"], what="its end is known")
    assert process.stop() == 0
    assert innocent.poll() is None


def test_a_number_that_comes_back_is_somebody_elses(strict_sqs, tmp_path):
    """A consumer dies, and nobody tells of it; its number is given to another process at once, while the supervisor
    does not look. That process is not signalled, by no stop and no end."""
    made = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", "test", "-w", "/proc/sys/kernel/ns_last_pid"],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no pid namespace whose numbers can be set: needs root")
    strict_sqs.create("tests")
    directory = tmp_path / "s"
    directory.mkdir()
    (directory / "environment.json").write_text(
        json.dumps({**CREDENTIALS, "AWS_ENDPOINT_URL_SQS": strict_sqs.endpoint_url})
    )
    done = subprocess.run(
        [
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            sys.executable,
            __file__,
            str(directory),
        ],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the other process lives" in done.stdout


def a_number_comes_back(directory):
    """What runs in the namespace, whose processes are all its own."""
    environment = json.loads((directory / "environment.json").read_text())
    process = SupervisorProcess(directory, environment, SILENT)
    try:
        process.write({"tests": QUICK}).up()
        (main,) = process.mains("tests")
        os.kill(process.pid, signal.SIGSTOP)
        (directory / "silent").touch()
        (zygote,) = process.zygotes()
        os.kill(main, signal.SIGKILL)
        wait_until(lambda: not alive(zygote) and not os.path.exists(f"/proc/{main}"), what="both are dead")
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(main - 1))
        other = subprocess.Popen(["sleep", "600"], process_group=0)
        assert other.pid == main, "its number came back"
        os.kill(process.pid, signal.SIGCONT)
        process.wait_for("zygote_died")
        wait_until(lambda: main not in process.status()["tests"]["leaving"], what="its end is known")
        assert process.verb("reset", "--timeout", "60").returncode == 0
        assert process.verb("stop", "--timeout", "30").returncode == 0
        assert process.stop() == 0
        assert other.poll() is None, "the other process was killed"
        print("the other process lives")
        other.kill()
        other.wait()
    finally:
        process.close()


PROGRAMS = 20
ROUNDS = 25


def test_consumers_and_their_fork_server_killed_at_any_distance_leave_no_phantom(strict_sqs, supervisor):
    """500 consumers, each killed within 5 ms of its fork server, mostly before it: each end is known, `reset` brings
    all back, nothing stays in `leaving`, and the stop ends."""
    chance = random.Random(11)
    names = [f"q{number}" for number in range(PROGRAMS)]
    for name in names:
        strict_sqs.create(name)
    process = supervisor(strict_sqs.endpoint_url)
    process.write({name: {} for name in names}, defaults={**QUICK, "polling_wait_time": 5}).up()
    status = process.status()
    for _ in range(ROUNDS):
        (zygote,) = {entry["code"]["zygote"] for entry in status.values()}
        victims = [(chance.uniform(-0.004, 0.001), entry["pid"]) for entry in status.values()]
        kill_at([(0.0, zygote), *victims])
        status = up_again(process, {pid for _, pid in victims})
    assert process.stop() == 0
    process.nothing_left()
    assert "Traceback" not in process.text


def kill_at(victims):
    """SIGKILL to each, at its distance in seconds from now."""
    start = time.monotonic() + 0.01
    for distance, pid in sorted(victims):
        while time.monotonic() < start + distance:
            pass
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # It left by itself, for its fork server is dead.


def up_again(process, old):
    """The status in which all run, by other processes, and none of the old ones is waited for."""
    process.verb("reset", "--no-wait")
    last: dict[str, dict] = {}

    def there():
        last.clear()
        last.update(process.status())
        if any(entry["state"] in ("backoff", "fatal") for entry in last.values()):
            process.verb("reset", "--no-wait")
        return all(
            entry["state"] == "running" and entry["pid"] not in old and not entry["leaving"]
            for entry in last.values()
        )

    wait_until(there, seconds=60, what=lambda: f"all run again, and not: {last}\n{process.text[-5000:]}")
    return last


def test_a_worker_that_dies_under_a_stopped_fork_server_costs_one_attempt(strict_sqs, supervisor, tmp_path):
    """SIGSTOP to the fork server, then a worker dies: it is found, told and replaced, the message runs again, and
    what ran beside it ends."""
    queue = strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url)
    process.write({"tests": {"workers": 2, "retry_delay": 0}}).up()
    for name in ("a", "b"):
        strict_sqs.put("tests", call("wait_for", name, str(tmp_path / "go")))
    wait_until(lambda: sorted(process.journal.words("start")) == ["a", "b"])
    victim = next(int(line[-1]) for line in process.journal.lines() if line[1] == "a")
    (zygote,) = process.zygotes()
    os.kill(zygote, signal.SIGSTOP)
    os.kill(victim, signal.SIGKILL)
    (line, *_) = process.wait_for("zygote_hangs")
    assert "did not report the end of worker" in line
    wait_until(lambda: process.journal.words("start").count("a") == 2, what="it runs again")
    (tmp_path / "go").touch()
    wait_until(lambda: not queue.messages, what="all is deleted")
    assert process.journal.words("start").count("b") == 1
    process.until_state("tests", "running")
    assert process.zygotes() != [zygote]
    assert process.stop() == 0
    process.nothing_left()


def test_a_stopped_fork_server_ends_a_single_consumer(strict_sqs, squids_process, tmp_path):
    """The command cannot replace a worker then: what runs ends, the message of the dead one is given back, and it
    leaves with 1, as after the death of its fork server."""
    queue = strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url).start("--workers", "2", "--retry-delay", "0").ready()
    process.workers(2)
    for name in ("a", "b"):
        strict_sqs.put("tests", call("wait_for", name, str(tmp_path / "go")))
    wait_until(lambda: sorted(process.journal.words("start")) == ["a", "b"])
    victim = next(int(line[-1]) for line in process.journal.lines() if line[1] == "a")
    (zygote,) = process.named("zygote")
    os.kill(zygote, signal.SIGSTOP)
    os.kill(victim, signal.SIGKILL)
    process.wait_for("zygote_hangs")
    process.wait_for("zygote_died")
    (tmp_path / "go").touch()
    assert process.wait() == 1
    assert process.journal.words("done") == ["b"]
    wait_until(lambda: len(queue.visible()) == 1, what="the dead worker's message is given back")
    process.nothing_left()


def test_a_worker_asked_of_a_stopped_fork_server_comes_from_another(strict_sqs, supervisor):
    """The answer to a request has its time, too."""
    strict_sqs.create("tests")
    process = supervisor(strict_sqs.endpoint_url).write({"tests": {}}).up()
    wait_until(lambda: process.status()["tests"]["ready"] == 1, what="the first worker is there")
    (zygote,) = process.zygotes()
    os.kill(zygote, signal.SIGSTOP)
    process.verb("scale", "tests=2", "--no-wait")
    (line, *_) = process.wait_for("zygote_hangs")
    assert "did not start worker 2" in line
    wait_until(lambda: process.status()["tests"]["ready"] == 2, what=lambda: f"two workers\n{process.text}")
    assert process.stop() == 0
    process.nothing_left()


if __name__ == "__main__":
    a_number_comes_back(Path(sys.argv[1]))
