"""What whole processes tell a service manager: a socket of the test stands for systemd's."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading

import pytest

from tests.support.processes import APP, call
from tests.support.waiting import wait_until

TELLS_ITS_ENVIRONMENT = (
    APP
    + """
@app.task("tests")
def tell():
    note("variables", sum(name.startswith(("NOTIFY", "WATCHDOG")) for name in os.environ))
"""
)


class Manager:
    """Listens, as systemd does, at an abstract address."""

    def __init__(self) -> None:
        self.address = f"@squids-test-{os.getpid()}-{id(self):x}"
        self.heard: list[list[str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address.replace("@", "\0"))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while datagram := self._socket.recv(65536):
            self.heard.append(datagram.decode().split("\n"))

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.address.replace("@", "\0").encode())
        self._thread.join(5)
        self._socket.close()

    def variables(self, watchdog: float = 2.0) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": str(int(watchdog * 1e6))}

    def words(self) -> list[str]:
        """The first line of each datagram, in order."""
        return [lines[0] for lines in self.heard]

    def statuses(self) -> list[str]:
        return [
            line.removeprefix("STATUS=")
            for lines in self.heard
            for line in lines
            if line.startswith("STATUS=")
        ]

    def until(self, word: str, count: int = 1) -> list[str]:
        """The datagram that begins with this, once there were so many."""
        return wait_until(
            lambda: (
                found[count - 1]
                if len(found := [lines for lines in self.heard if lines[0] == word]) >= count
                else []
            ),
            what=lambda: f"{count} x {word} in {self.heard}",
        )

    def until_status(self, pattern: str) -> None:
        wait_until(
            lambda: any(re.search(pattern, status) for status in self.statuses()),
            what=lambda: f"{pattern} in {self.statuses()}",
        )


@pytest.fixture
def manager():
    made = Manager()
    yield made
    made.close()


def _environment(pid: int) -> bytes:
    with open(f"/proc/{pid}/environ", "rb") as file:
        return file.read()


def test_a_supervisor_tells_of_its_life(strict_sqs, supervisor, manager):
    """READY once its queues are known to be up, STATUS as it changes, RELOADING around a reload, STOPPING."""
    strict_sqs.create("tests")
    up = supervisor(strict_sqs.endpoint_url, **manager.variables())
    up.write({"tests": {}, "gone": {}}).start()
    ready = manager.until("READY=1")
    assert re.fullmatch(r"STATUS=1/2 queues running; gone: degraded, .*NonExistentQueue.*", ready[1])
    manager.until("WATCHDOG=1", 3)
    children = [pid for pid in up.processes() if pid != up.pid]
    assert children
    assert not [
        pid for pid in children if b"NOTIFY_SOCKET=" in _environment(pid) or b"WATCHDOG" in _environment(pid)
    ]
    up.write({"tests": {}})
    assert up.verb("reload").returncode == 0
    reloading = manager.until("RELOADING=1")
    assert re.fullmatch(r"MONOTONIC_USEC=\d+", reloading[1])
    assert manager.until("READY=1", 2)[1] == "STATUS=1/1 queue running"
    up.write({"tests": {"wrokers": 1}})
    assert up.verb("reload").returncode == 1
    manager.until_status(r"the last reload failed: .*squids.yaml:\d+:\d+: ")
    assert manager.words().count("RELOADING=1") == 1, "a wrong file reloads nothing"
    assert up.stop() == 0
    assert manager.until("STOPPING=1")[1].startswith("STATUS=draining")
    wait_until(lambda: manager.statuses()[-1] == "stopped")
    assert any(word.startswith("EXTEND_TIMEOUT_USEC=") for word in manager.words())
    up.nothing_left()


def test_a_queue_that_fails_once_does_not_hold_up_the_rest(strict_sqs, supervisor, manager):
    strict_sqs.create("tests")
    up = supervisor(strict_sqs.endpoint_url, **manager.variables())
    (up.directory / "broken.py").write_text("undefined\n")
    up.write({"tests": {}, "broken": {"app": "broken:app"}}).start()
    manager.until("READY=1")
    manager.until_status("broken: backoff, NameError.*, retry in")
    assert up.stop() == 0


def test_a_supervisor_that_hangs_gives_no_sign_of_life(strict_sqs, supervisor, manager):
    strict_sqs.create("tests")
    up = supervisor(strict_sqs.endpoint_url, **manager.variables())
    up.write({"tests": {}}).up()
    up.signal(signal.SIGSTOP)
    wait_until(lambda: _state(up.pid) == "T")
    before = manager.words().count("WATCHDOG=1")
    strict_sqs.put("tests", call("work", "a"))
    wait_until(lambda: up.journal.words("done") == ["a"], what="its consumer goes on")
    assert manager.words().count("WATCHDOG=1") <= before + 1, "one may have been on its way"
    up.signal(signal.SIGCONT)
    manager.until("WATCHDOG=1", before + 2)
    assert up.stop() == 0


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


@pytest.mark.slow
def test_a_single_queue_tells_of_its_life(strict_sqs, squids_process, manager):
    strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url, TELLS_ITS_ENVIRONMENT, **manager.variables())
    process.start("--workers", "1").ready()
    assert manager.until("READY=1") == ["READY=1", "STATUS=receiving"]
    manager.until("WATCHDOG=1", 3)
    strict_sqs.put("tests", call("tell"))
    wait_until(lambda: process.journal.words("variables") == ["0"], what=process.journal.lines)
    strict_sqs.fail("503", times=10**6)
    manager.until_status("^degraded: ")
    seen = manager.words().count("WATCHDOG=1")
    manager.until("WATCHDOG=1", seen + 3)
    strict_sqs.faults.clear()
    wait_until(lambda: manager.statuses()[-1].startswith("receiving"))
    assert process.stop() == 0
    assert manager.until("STOPPING=1") == ["STOPPING=1", "STATUS=draining: SIGTERM"]
