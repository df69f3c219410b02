"""New code and a new squids on a server that works: nothing is lost, and where it is promised, there is no gap."""

from __future__ import annotations

from pathlib import Path

from tests.support.machines import tree
from tests.support.machines.server import UNIT, Server
from tests.support.waiting import wait_until


def test_a_new_environment_takes_over_without_a_gap(server: Server, wheels: Path) -> None:
    """A new virtual environment beside the old, the `current` link moved, restart --rolling."""
    machine = server.machine
    tree.install_squids(machine.tree, wheels, "v2")

    server.configure({"tests": {"workers": 2}})
    server.start()
    server.put("tests", "tell", "before", "__import__('sys').prefix")
    assert server.told("before") == "'/opt/squids/v1'"
    server.put("tests", "wait_for", "long", server.let_go())
    server.until_started("long")
    for number in range(20):
        server.put("tests", "work", f"a{number}")
    try:
        machine.run("ln", "-sfn", "v2", "/opt/squids/current")
        marked = server.verb("status", "--json", check=False)
        assert '"stale_files": ["/opt/squids/current/bin"]' in marked
        drained = server.drains("tests")
        server.verb("restart", "--rolling", "--no-wait")
        for number in range(20):
            server.put("tests", "work", f"b{number}")
        server.until_line("handed over to a new process")
        wait_until(
            lambda: server.drains("tests") > drained,
            what="the old one knows it, and keeps nothing that it receives",
        )
        server.put("tests", "tell", "after", "__import__('sys').prefix")
        assert server.told("after") == "'/opt/squids/v2'"
        assert "long" not in server.journal.words("done"), "it ends on the old code"
        server.go()
        server.until_done("long")
        server.until_empty("tests")
        names = ["long", *(f"{letter}{number}" for letter in "ab" for number in range(20))]
        assert sorted(server.journal.words("done")) == sorted(names)
        assert machine.show(UNIT, "NRestarts") == "0"
    finally:
        machine.systemctl("stop", UNIT)
        machine.run("ln", "-sfn", "v1", "/opt/squids/current")


def test_a_new_squids_takes_a_restart_and_loses_nothing(server: Server) -> None:
    """Systemctl restart: what runs is finished, what comes meanwhile waits in SQS."""
    server.configure({"tests": {}})
    server.start()
    pid = server.main_pid()
    server.put("tests", "wait_for", "long", server.let_go())
    server.until_started("long")
    server.machine.systemctl("restart", "--no-block", UNIT)
    server.until_status("draining")
    server.put("tests", "work", "meanwhile")
    server.go()
    server.until_back(pid)
    server.until_done("meanwhile")
    server.journal.assert_each_ran_once(["long", "meanwhile"])
