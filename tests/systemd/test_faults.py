"""What is killed, hangs or runs out of memory under systemd, and what becomes of messages."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.machines.server import UNIT, Server
from tests.support.waiting import wait_until


def test_a_killed_supervisor_is_back_and_nothing_is_lost(server: Server) -> None:
    """Systemd kills the rest of the control group; what ran comes back within the visibility timeout."""
    server.configure({"tests": {"visibility_timeout": 5}})
    server.start()
    server.put("tests", "wait_for", "a", server.let_go())
    server.until_started("a")
    before = server.machine.processes(UNIT)
    pid = server.main_pid()
    server.machine.kill(pid, signal.SIGKILL)
    server.until_back(pid)
    assert not set(before) & set(server.machine.processes(UNIT))
    server.until_started("a", times=2)
    server.go()
    server.until_done("a")
    server.until_empty("tests")
    server.journal.assert_each_ran(["a"])


def test_a_supervisor_that_hangs_is_found_by_the_watchdog(server: Server) -> None:
    """Kill -STOP: SIGABRT, its stacks in the journal, and a new one."""
    server.configure({"tests": {}})
    server.drop_in(UNIT, "WatchdogSec=3")
    server.start()
    pid = server.main_pid()
    server.machine.kill(pid, signal.SIGSTOP)
    server.until_back(pid)
    server.until_line("Watchdog timeout")
    server.until_line("Fatal Python error: Aborted")
    server.put("tests", "work", "a")
    server.until_done("a")


def test_an_outage_of_sqs_is_no_hang(server: Server) -> None:
    """SQS goes away for longer than the watchdog waits: degraded, and the same processes afterwards."""
    server.configure({"tests": {}})
    server.drop_in(UNIT, "WatchdogSec=2")
    server.start()
    before = server.machine.until_processes(UNIT, "squids: tests worker 1")
    server.machine.systemctl("stop", "sqs.service")
    try:
        server.until_status("0/1 queue running; tests: degraded")
        server.until_alive(5)
        assert server.machine.processes(UNIT) == before
    finally:
        server.machine.systemctl("start", "sqs.service")
    server.make_queue("tests")
    server.until_status("1/1 queue running")
    assert server.machine.show(UNIT, "NRestarts") == "0"


def test_a_killed_consumer_is_replaced_without_systemds_help(server: Server) -> None:
    """What its last receive still brings is lost with it, until the visibility timeout."""
    server.configure({"tests": {"visibility_timeout": 5}, "two": {}})
    server.start()
    main = server.main_pid()
    killed = server.machine.pid_of(UNIT, "tests main")
    server.machine.kill(killed, signal.SIGKILL)
    wait_until(
        lambda: [
            p for p, title in server.machine.processes(UNIT).items() if "tests main" in title and p != killed
        ],
        what="another consumer",
    )
    server.put("tests", "work", "a")
    server.until_done("a")
    assert server.main_pid() == main
    assert server.machine.show(UNIT, "NRestarts") == "0"


def test_a_worker_without_memory_is_a_failure_of_one_message(server: Server) -> None:
    """The kernel kills the worker that takes too much; the rest, and the unit, live."""
    server.configure({"tests": {}, "two": {}})
    limited = _limit_memory(server, 400)
    server.start()
    before = server.machine.until_processes(UNIT, "squids: tests worker 1", "squids: two worker 1")
    limited()
    worker = server.machine.pid_of(UNIT, "tests worker 1")
    server.put("tests", "hog", "a", 2000)
    wait_until(lambda: worker not in server.machine.processes(UNIT), what="the worker was killed")
    wait_until(
        lambda: any("tests worker 1" in title for title in server.machine.processes(UNIT).values()),
        what="another worker",
    )
    after = server.machine.processes(UNIT)
    assert set(before) - {worker} <= set(after), "the rest lives"
    assert server.machine.is_active(UNIT) == "active"
    server.until_line("^tests.*signal 9")


def _limit_memory(server: Server, megabytes: int):
    """MemoryMax=, where the machine has the controller; else, a group of the host's for the same processes.

    The second is for hosts of the old hierarchy, which lend a container no memory controller; the kernel kills in the
    same way. The answer is called when the unit runs.
    """
    server.drop_in(UNIT, f"MemoryMax={megabytes}M\nMemorySwapMax=0")
    old = Path("/sys/fs/cgroup/memory")
    if not (old / "cgroup.procs").exists():
        return lambda: None

    def move() -> None:
        print("\nno memory controller in the container: the host limits the unit's processes instead")
        group = old / server.machine.name
        group.mkdir(exist_ok=True)
        (group / "memory.limit_in_bytes").write_text(str(megabytes * 1024 * 1024))
        for pid in _host_pids(server):
            (group / "cgroup.procs").write_text(str(pid))

    return move


def _host_pids(server: Server) -> list[int]:
    """The unit's processes, as the host numbers them."""
    inside = set(server.machine.processes(UNIT))
    namespace = os.stat(f"/proc/{server.machine.leader}/ns/pid").st_ino
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "ns/pid").stat().st_ino != namespace:
                    continue
                numbers = next(
                    line.split()[1:]
                    for line in (entry / "status").read_text().splitlines()
                    if line.startswith("NSpid")
                )
            except OSError:
                continue
            if int(numbers[-1]) in inside:
                found.append(int(entry.name))
    return found
