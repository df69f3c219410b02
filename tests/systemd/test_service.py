"""`squids-supervisor.service`: start, status, stop, reload, the journal, a reboot."""

from __future__ import annotations

import re

import pytest

from tests.support.machines.server import UNIT, Server
from tests.support.waiting import wait_until

SLOW = """\
import os, time
while not os.path.exists("/var/lib/squids/go"):
    time.sleep(0.01)
from shop import app
"""


def test_start_returns_when_queues_are_received_from_and_not_before(server: Server) -> None:
    machine = server.machine
    machine.write("/srv/shop/slow.py", SLOW)
    server.configure({"tests": {"app": "slow:app"}, "other": {}})
    machine.systemctl("start", "--no-block", UNIT)
    server.until_status("1/2 queues running", "tests: starting")
    assert machine.is_active(UNIT) == "activating"
    server.go()
    server.start()
    assert machine.is_active(UNIT) == "active"
    assert 'Status: "2/2 queues running"' in machine.systemctl("status", UNIT)


def test_one_bad_queue_does_not_time_out_the_unit_and_its_reason_is_shown(server: Server) -> None:
    """Code that does not import, and a queue that is not there: up, with both reasons in the status line."""
    server.machine.write("/srv/shop/broken.py", "undefined\n")
    server.configure({"tests": {}, "broken": {"app": "broken:app"}, "gone": {"queue": "nowhere"}})
    server.start()
    line = server.until_status("1/3 queues running", "broken: backoff", "gone: degraded")
    assert re.search(r"broken: backoff, .*NameError.*, retry in \d+ s", line), line
    assert re.search(r"gone: degraded, .*NonExistentQueue", line), line
    server.make_queue("nowhere")
    server.until_status("2/3 queues running")


def test_stop_drains_and_leaves_no_process(server: Server) -> None:
    """What runs is finished, what waits is given back, and nobody is left in the control group."""
    server.configure({"tests": {"shutdown_timeout": "20s"}})
    server.start()
    server.put("tests", "wait_for", "a", server.let_go())
    server.until_started("a")
    for name in ("b", "c"):
        server.put("tests", "work", name)
    machine = server.machine
    drained = server.drains("tests")
    machine.systemctl("stop", "--no-block", UNIT)
    server.until_status("draining 1 queue: tests")
    wait_until(lambda: server.drains("tests") > drained, what="its consumer knows it, and hands out nothing")
    assert machine.is_active(UNIT) == "deactivating"
    server.go()
    machine.systemctl("stop", UNIT)
    assert machine.show(UNIT, "Result") == "success"
    assert machine.processes(UNIT) == {}
    assert server.journal.words("done") == ["a"]
    assert server.left("tests") == 2
    server.start()
    server.until_empty("tests")
    server.journal.assert_each_ran_once(["a", "b", "c"])


def test_a_drain_that_gets_on_with_it_is_given_more_time(server: Server) -> None:
    """TimeoutStopSec passes while a task ends: EXTEND_TIMEOUT_USEC."""
    server.configure({"tests": {"shutdown_timeout": "60s"}})
    server.drop_in(UNIT, "TimeoutStopSec=2")
    server.start()
    server.put("tests", "work", "a", 8.0)
    server.until_started("a")
    server.machine.systemctl("stop", UNIT)
    assert server.machine.show(UNIT, "Result") == "success"
    server.journal.assert_each_ran_once(["a"])


def test_reload_touches_what_changed_and_nothing_else(server: Server) -> None:
    server.configure({"tests": {}, "two": {}, "three": {}})
    server.start()
    before = server.machine.until_processes(UNIT, "squids: tests worker 1")
    server.configure({"tests": {}, "two": {"workers": 2}, "four": {}})
    server.machine.systemctl("reload", UNIT)
    after = server.machine.until_processes(UNIT, "squids: two worker 2", "squids: four main")
    assert {pid: title for pid, title in after.items() if "tests" in title} == {
        pid: title for pid, title in before.items() if "tests" in title
    }
    assert not [title for title in after.values() if "three" in title]
    assert server.machine.is_active(UNIT) == "active"
    server.until_status("3/3 queues running")


def test_reload_of_a_wrong_file_fails_with_the_reason_and_all_goes_on(server: Server) -> None:
    server.configure({"tests": {}})
    server.start()
    before = server.machine.until_processes(UNIT, "squids: tests worker 1")
    server.configure({"tests": {"wrokers": 3}})
    done = server.machine.run("systemctl", "reload", UNIT, check=False)
    assert done.returncode != 0
    assert server.machine.is_active(UNIT) == "active"
    mistake = r'/etc/squids/squids.yaml:\d+:\d+: queues.tests.wrokers: unknown key, did you mean "workers"'
    server.until_line(mistake)
    assert re.search(mistake, server.until_status("the last reload failed"))
    assert re.search(mistake, server.machine.systemctl("status", "--full", UNIT))
    assert server.machine.processes(UNIT) == before
    server.configure({"tests": {}})
    server.machine.systemctl("reload", UNIT)
    assert server.until_status("1/1 queue running") == "1/1 queue running"


@pytest.mark.parametrize("what", ["file", "option"])
def test_a_wrong_start_is_not_tried_again(server: Server, what: str) -> None:
    """Exit 78 (or 2, of the command line), the reason in the journal, and no restart loop."""
    server.configure({"tests": {"wrokers": 3} if what == "file" else {}})
    if what == "option":
        server.drop_in(
            UNIT, "ExecStart=\nExecStart=/opt/squids/current/bin/squids-supervisor --no-such-option"
        )
    machine = server.machine
    assert machine.run("systemctl", "start", UNIT, check=False).returncode != 0
    assert machine.is_active(UNIT) == "failed"
    assert machine.show(UNIT, "ExecMainStatus") == ("78" if what == "file" else "2")
    assert machine.show(UNIT, "NRestarts") == "0"
    reason = "did you mean" if what == "file" else "--no-such-option"
    server.until_line(reason)


def test_the_journal_has_priorities_one_line_an_event_and_no_second_time(server: Server) -> None:
    server.configure({"tests": {}, "two": {}})
    server.start()
    server.put("tests", "fail", "a", 2)
    server.until_done("a")
    machine = server.machine
    server.until_line("ValueError: a fails")
    entries = machine.journal(UNIT)
    ours = [entry for entry in entries if entry.get("SYSLOG_IDENTIFIER") == "squids-supervisor"]
    assert ours
    for entry in ours:
        assert not re.search(r"\d{2}:\d{2}:\d{2}", entry["MESSAGE"]), entry["MESSAGE"]
        assert not entry["MESSAGE"].startswith("<"), entry["MESSAGE"]
    failed = [entry for entry in ours if "action=task_failed" in entry["MESSAGE"]]
    assert len(failed) == 1
    bad = machine.lines(UNIT, "-p", "warning")
    assert failed[0]["MESSAGE"] in bad
    assert [line for line in bad if "ValueError: a fails" in line], "its traceback has its priority"
    assert not [line for line in bad if "action=ready" in line]
    of_one_queue = machine.lines(UNIT, "--grep", "^tests[ /:]")
    assert [line for line in of_one_queue if "action=ready" in line]
    assert not [line for line in of_one_queue if "queue=two" in line]


def test_a_reboot_brings_all_back(server: Server) -> None:
    server.configure({"tests": {}})
    machine = server.machine
    machine.systemctl("enable", UNIT)
    try:
        server.start()
        machine.reboot()
        wait_until(lambda: machine.is_active(UNIT) == "active", what="the unit is active", seconds=60)
        server.make_queue("tests")  # The SQS of the test keeps nothing.
        server.until_status("1/1 queue running")
        server.put("tests", "work", "a")
        server.until_done("a")
    finally:
        machine.systemctl("disable", UNIT)


def test_a_task_prints_and_its_lines_are_whole(server: Server) -> None:
    """A child's lines come through the supervisor: with its name, at priority 6."""
    server.configure({"tests": {}})
    server.start()
    server.put("tests", "tell", "a", "print('first line', 'second line', sep=chr(10))")
    server.told("a")

    def whole() -> list[dict[str, object]]:
        ends = ("first line", "second line")
        found = [entry for entry in server.machine.journal(UNIT) if str(entry["MESSAGE"]).endswith(ends)]
        return found if len(found) >= len(ends) else []  # journald takes one after the other.

    entries = wait_until(whole)
    assert [entry["MESSAGE"] for entry in entries] == ["tests/1: first line", "tests/1: second line"]
    assert {entry["PRIORITY"] for entry in entries} == {"6"}
    assert {entry["SYSLOG_IDENTIFIER"] for entry in entries} == {"squids-supervisor"}


def test_a_hangup_reads_the_file_too(server: Server) -> None:
    """`systemctl kill -s HUP`, for those who are used to it."""
    server.configure({"tests": {}})
    server.start()
    server.configure({"tests": {}, "two": {}})
    server.machine.systemctl("kill", "--signal=HUP", "--kill-who=main", UNIT)
    server.until_status("2/2 queues running")
