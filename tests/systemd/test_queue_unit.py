"""`squids@QUEUE.service`: one queue without the supervisor."""

from __future__ import annotations

import signal

import pytest

from tests.support.machines.server import Server
from tests.support.waiting import wait_until

UNIT = "squids@tests.service"


@pytest.fixture
def emails(server: Server) -> Server:
    """The queue, and its options."""
    server.make_queue("tests")
    variables = {**server.environment, "PYTHONPATH": "/srv/shop"}
    options = "--app shop:app --workers 1 --polling-wait-time 1 --visibility-timeout 5"
    text = "".join(f"{name}={value}\n" for name, value in variables.items())
    server.machine.write("/etc/squids/tests.env", f"{text}SQUIDS_OPTIONS={options}\n", 0o640)
    return server


def test_it_starts_works_and_drains(emails: Server) -> None:
    emails.start(UNIT)
    emails.until_status("receiving", unit=UNIT)
    emails.put("tests", "wait_for", "a", emails.let_go())
    emails.until_started("a")
    emails.until_status("1/1 workers busy", unit=UNIT)
    emails.machine.systemctl("stop", "--no-block", UNIT)
    emails.until_status("draining", unit=UNIT)
    emails.go()
    emails.machine.systemctl("stop", UNIT)
    assert emails.machine.show(UNIT, "Result") == "success"
    assert emails.machine.processes(UNIT) == {}
    emails.journal.assert_each_ran_once(["a"])
    assert emails.left("tests") == 0
    (ready,) = [entry for entry in emails.machine.journal(UNIT) if "action=ready" in str(entry["MESSAGE"])]
    assert ready["SYSLOG_IDENTIFIER"] == "squids@tests"
    assert ready["PRIORITY"] == "6"
    assert ready["MESSAGE"].startswith("receiving"), "the journal has the time"


def test_a_hang_is_found_by_the_watchdog_and_nothing_is_lost(emails: Server) -> None:
    emails.drop_in("squids@.service", "WatchdogSec=3")
    emails.start(UNIT)
    emails.put("tests", "wait_for", "a", emails.let_go())
    emails.until_started("a")
    pid = emails.main_pid(UNIT)
    emails.machine.kill(pid, signal.SIGSTOP)
    emails.until_back(pid, UNIT)
    emails.until_line("Fatal Python error: Aborted", UNIT)
    emails.until_started("a", times=2)
    emails.go()
    emails.until_done("a")
    emails.until_empty("tests")


def test_an_outage_of_sqs_is_degraded_and_kills_nothing(emails: Server) -> None:
    """Up although SQS is away, signs of life go on, and it heals by itself."""
    emails.drop_in("squids@.service", "WatchdogSec=2")
    emails.machine.systemctl("stop", "sqs.service")
    try:
        emails.start(UNIT)
        emails.until_status("degraded", unit=UNIT)
        emails.until_alive(5, UNIT)
    finally:
        emails.machine.systemctl("start", "sqs.service")
    emails.make_queue("tests")
    emails.until_status("receiving", unit=UNIT)
    assert emails.machine.show(UNIT, "NRestarts") == "0"


def test_a_wrong_app_is_told_and_tried_again_as_it_may_heal(emails: Server) -> None:
    """An app that does not import exits with 1: systemd tries again. A wrong option does not."""
    emails.machine.write("/etc/squids/tests.env", "SQUIDS_OPTIONS=--app shop:app --workers none\n")
    machine = emails.machine
    assert machine.run("systemctl", "start", UNIT, check=False).returncode != 0
    assert machine.is_active(UNIT) == "failed"
    assert machine.show(UNIT, "NRestarts") == "0"
    emails.until_line("--workers", UNIT)


def test_a_killed_main_process_is_back(emails: Server) -> None:
    emails.start(UNIT)
    pid = emails.main_pid(UNIT)
    emails.machine.kill(pid, signal.SIGKILL)
    emails.until_back(pid, UNIT)
    emails.put("tests", "work", "a")
    emails.until_done("a")
    wait_until(lambda: emails.machine.show(UNIT, "NRestarts") == "1")
