"""Who speaks to a supervisor, and in whose place: locks, sockets, folders and clients that others made."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from squids.supervisor.control.protocol import run_directory
from tests.support.waiting import wait_until

NOBODY = 65534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs another user: run as root")

DROP = f"""
import array, json, os, socket, sys
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
"""
"""Once the interpreter is there, which may be in root's own home."""

LISTENER = (
    DROP
    + """
path, answer = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
os.chmod(path, 0o777)
listener.listen()
print("listening", flush=True)
while True:
    connection, _ = listener.accept()
    try:
        connection.recv(65536)
        connection.sendall(answer.encode() + b"\\n" + json.dumps({"type": "end", "code": 0}).encode() + b"\\n")
    except OSError:
        pass
    connection.close()
"""
)


@pytest.fixture
def sqs(strict_sqs):
    strict_sqs.create("tests")
    return strict_sqs


def sweep(folder: Path) -> None:
    """At one moment: a supervisor may look, and make its files again, while a folder is being emptied."""
    swept = folder.rename(folder.parent / "swept")
    shutil.rmtree(swept)


def give_to_nobody(*paths: str | Path) -> None:
    for path in paths:
        os.chown(path, NOBODY, NOBODY)


@pytest.fixture
def listen_as_nobody():
    """Have another user listen at a path, and answer everybody with the same."""
    made: list[subprocess.Popen[str]] = []

    def listen(path: str, answer: dict[str, object]) -> None:
        made.append(
            subprocess.Popen(
                [sys.executable, "-c", LISTENER, path, json.dumps(answer)],
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert made[-1].stdout is not None
        assert made[-1].stdout.readline() == "listening\n"

    yield listen
    for process in made:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@root_only
@pytest.mark.parametrize("verb", [("tasks",), ("send", "work", '{"name": "a"}'), ("status",)])
def test_what_a_lock_says_is_never_run(sqs, supervisor, verb):
    """A task rewrites the lock with a library to be preloaded: no command loads it."""
    process = supervisor(sqs.endpoint_url).write({"tests": {}}).up()
    holder = Path(process.socket).parent / "supervisor.json"
    told = json.loads(holder.read_text())
    told["environment"] = {"LD_PRELOAD": "/nowhere/evil.so", "PYTHONSTARTUP": "/nowhere/evil.py"}
    holder.write_text(json.dumps(told))
    done = process.verb(*verb)
    assert done.returncode == 0, done.stderr
    assert "evil" not in done.stdout + done.stderr
    assert process.stop() == 0


@root_only
def test_a_place_that_another_user_made_first_is_refused_by_both(sqs, supervisor, monkeypatch):
    """The client speaks to nobody there, and the supervisor does not start; both say whose it is."""
    process = supervisor(sqs.endpoint_url).write({"tests": {}})
    place = Path(process.environment["XDG_RUNTIME_DIR"]) / "squids"
    monkeypatch.setenv("XDG_RUNTIME_DIR", process.environment["XDG_RUNTIME_DIR"])
    folder = Path(run_directory(str(process.file)))
    folder.mkdir(parents=True)
    (folder / "supervisor.json").write_text(
        json.dumps({"socket": "/nowhere", "environment": {"LD_PRELOAD": "evil"}})
    )
    give_to_nobody(place, folder, folder / "supervisor.json")
    for arguments in (("status",), ("tasks",), ("send", "work", '{"name": "a"}')):
        done = process.verb(*arguments)
        assert done.returncode == 4, done
        assert f"{place} belongs to nobody, not to root" in done.stderr
        assert "Traceback" not in done.stderr
    process.launch()
    assert process.wait() == 78
    assert f"{place} belongs to nobody" in process.text


@root_only
def test_who_listens_in_the_supervisors_place_is_not_believed(sqs, supervisor, listen_as_nobody):
    """The folder is root's, but was open to all for a moment: SO_PEERCRED tells who listens."""
    process = supervisor(sqs.endpoint_url).write({"tests": {}}).up()
    path = process.socket
    folder = os.path.dirname(path)
    holder = Path(folder, "supervisor.json")
    told = holder.read_text()
    assert process.stop() == 0
    for above in (process.environment["XDG_RUNTIME_DIR"], os.path.dirname(folder)):
        os.chmod(above, 0o755)
    os.mkdir(folder)
    holder.write_text(told)  # As one that was killed leaves it.
    os.chmod(folder, 0o777)
    listen_as_nobody(path, {"type": "text", "text": "\x1b]0;evil\x07 4711"})
    os.chmod(folder, 0o700)
    os.chown(path, 0, 0)
    done = process.verb("pid")
    assert done.returncode == 4
    assert "nobody listens at" in done.stderr
    assert "evil" not in done.stdout + done.stderr


@root_only
def test_only_its_owner_can_open_the_lock(sqs, supervisor):
    """Also one that an earlier version let others read; who holds it is for all to read."""
    process = supervisor(sqs.endpoint_url).write({"tests": {}}).up()
    place = Path(process.socket).parent
    assert process.stop() == 0
    place.mkdir(mode=0o700)
    (place / "lock").touch()
    (place / "lock").chmod(0o644)
    process.up()
    for folder in (place.parent.parent, place.parent, place):
        folder.chmod(0o755)
    locking = (
        f"import fcntl\n{DROP}"
        "print(json.load(open(sys.argv[1] + '/supervisor.json'))['pid'], flush=True);"
        "fcntl.flock(os.open(sys.argv[1] + '/lock', os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    )
    done = subprocess.run(
        [sys.executable, "-c", locking, str(place)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == f"{process.pid}\n"
    assert "PermissionError" in done.stderr
    assert process.stop() == 0


@root_only
def test_root_has_no_default_place_that_others_could_make(sqs, supervisor):
    from squids.supervisor.control import protocol as control_protocol

    code = (
        "from squids.supervisor.control.protocol import default_socket; print(default_socket('/srv/x.yaml'))"
    )
    environment = {key: text for key, text in os.environ.items() if key != "XDG_RUNTIME_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(control_protocol.SYSTEM_RUN)


@root_only
@pytest.mark.parametrize("mode", ["0600", "0660", "0666"])
def test_the_server_looks_who_asks(sqs, supervisor, mode):
    """Another user who reaches the socket is refused, but for who its mode or its group admits."""
    process = supervisor(sqs.endpoint_url)
    process.write({"tests": {}}, supervisor={"socket_mode": mode, "socket_group": str(NOBODY)}).up()
    path = process.socket
    for folder in (process.environment["XDG_RUNTIME_DIR"], Path(path).parent.parent, Path(path).parent):
        os.chmod(folder, 0o755)
    if mode == "0600":
        os.chmod(path, 0o777)  # Opened by mistake: the kernel says who it is all the same.
    asking = DROP + (
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        's.sendall(b\'{"verb": "signal", "queues": ["tests"], "options": {"signal": "KILL"}}\\n\');'
        "print(s.makefile().read())"
    )
    done = subprocess.run(
        [sys.executable, "-c", asking, path],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    expected = (
        "is not allowed to use this supervisor" if mode == "0600" else "members of socket_group may send"
    )
    assert expected in done.stdout
    assert process.verb("status").returncode == 0
    assert process.stop() == 0


def test_followers_keep_nobody_out(sqs, supervisor):
    """As many as want to follow: others still ask, and a shutdown is heard."""
    process = supervisor(sqs.endpoint_url).write({"tests": {}}).up()
    followers = []
    try:
        for _ in range(64):
            one = socket.socket(socket.AF_UNIX)
            followers.append(one)
            one.connect(process.socket)
            one.sendall(b'{"verb": "events", "queues": [], "options": {"follow": true}}\n')
        assert process.verb("status").returncode == 0
        assert process.verb("shutdown").returncode == 0
    finally:
        for one in followers:
            one.close()
    assert process.wait() == 0


@pytest.mark.parametrize("how", ["link", "hard link", "socket", "swept"])
def test_one_supervisor_of_one_file_and_of_one_socket(sqs, supervisor, how):
    """Under two paths, with one socket, and after the runtime folder was swept away: the second is refused."""
    first = supervisor(sqs.endpoint_url)
    second = supervisor(sqs.endpoint_url, XDG_RUNTIME_DIR=first.environment["XDG_RUNTIME_DIR"])
    own = {"supervisor": {"socket": str(first.directory / "own.sock")}} if how == "socket" else {}
    first.write({"tests": {}}, **own).up()
    second.write({"tests": {}}, **own)
    if how == "link":
        second.file.unlink()
        second.file.symlink_to(first.file)
    elif how == "hard link":
        second.file.unlink()
        second.file.hardlink_to(first.file)
    elif how == "swept":
        second.file = first.file
        sweep(Path(first.socket).parent)
    second.launch()
    assert second.wait() == 75
    assert f"pid {first.pid}" in second.text
    if how == "swept":
        wait_until(lambda: first.verb("status").returncode == 0, what="it took lock and socket again")
    assert first.verb("shutdown").returncode == 0
    assert first.wait() == 0


def test_of_two_supervisors_after_a_sweep_one_leaves(sqs, supervisor):
    """All that said that the first one runs was swept away, and a second one was faster than its look."""
    first = supervisor(sqs.endpoint_url).write({"tests": {}}).up()
    second = supervisor(sqs.endpoint_url, XDG_RUNTIME_DIR=first.environment["XDG_RUNTIME_DIR"])
    second.file = first.file
    sweep(Path(first.environment["XDG_RUNTIME_DIR"]) / "squids")
    second.launch()
    left = wait_until(
        lambda: [one for one in (first, second) if one.process.poll() is not None],
        what=lambda: f"one leaves\n{first.text}\n{second.text}",
    )
    assert len(left) == 1
    left[0].wait()  # All that it said has been read then.
    assert "another supervisor of this file is running" in left[0].text
    (other,) = {first, second} - set(left)
    wait_until(lambda: other.verb("status").returncode == 0, what="the other one can be reached")
    assert other.stop() == 0


def test_only_a_socket_is_replaced_by_the_control_socket(sqs, supervisor):
    """A file at that path stays as it is; `check` says so, and the start."""
    process = supervisor(sqs.endpoint_url)
    precious = process.directory / "precious"
    precious.write_text("data")
    process.write({"tests": {}}, supervisor={"socket": str(precious)})
    done = process.verb("check")
    assert done.returncode == 78
    assert "precious is there, and is not a socket" in done.stderr
    process.launch()
    assert process.wait() == 78
    assert precious.read_text() == "data"
    assert stat.S_ISREG(precious.stat().st_mode)


def test_send_reaches_the_local_sqs_of_a_supervisor(supervisor):
    """Its address travels over the socket, and nothing else does."""
    process = supervisor("http://127.0.0.1:9").write({"tests": {}})
    process.start("--local")
    assert process.verb("wait", "--timeout", "60").returncode == 0
    holder = Path(process.socket).parent / "supervisor.json"
    assert set(json.loads(holder.read_text())) <= {"pid", "started_at", "socket"}
    done = process.verb("send", "work", '{"name": "a"}')
    assert done.returncode == 0, done.stderr
    wait_until(lambda: process.journal.words("done") == ["a"])
    assert process.stop() == 0


@root_only
def test_a_member_by_a_supplementary_group_may_ask(sqs, supervisor):
    """As groups are used: the member's own group is another."""
    process = supervisor(sqs.endpoint_url)
    process.write({"tests": {}}, supervisor={"socket_mode": "0660", "socket_group": "4"}).up()
    path = process.socket
    for folder in (process.environment["XDG_RUNTIME_DIR"], Path(path).parent.parent, Path(path).parent):
        os.chmod(folder, 0o755)
    asking = (
        "import os, socket, sys; os.setgroups([4, 5]); os.setgid(65534); os.setuid(65534);"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        's.sendall(b\'{"verb": "pid", "queues": []}\\n\'); print(s.makefile().read())'
    )
    done = subprocess.run(
        [sys.executable, "-c", asking, path], capture_output=True, text=True, check=True, timeout=60
    )
    assert f'"text": "{process.pid}"' in done.stdout
    assert process.stop() == 0


def test_a_socket_at_which_another_program_listens_is_left_alone(sqs, supervisor):
    process = supervisor(sqs.endpoint_url)
    path = process.directory / "other.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        process.write({"tests": {}}, supervisor={"socket": str(path)}).launch()
        assert process.wait() == 78
        assert "another program listens there" in process.text
        assert path.exists()


@pytest.mark.parametrize("item", ["tests=0", "tests=257", "tests=00000000199999", "tests=²", "=3", "tests"])
def test_scale_has_a_bound(sqs, supervisor, item):
    process = supervisor(sqs.endpoint_url).write({"tests": {}}).up()
    assert process.verb("scale", item).returncode == 2
    assert process.stop() == 0
