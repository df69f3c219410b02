"""`squids-supervisor systemd`: what it writes, shows, refuses, and takes away again."""

from __future__ import annotations

import pytest

from tests.support.machines.server import COMMAND, UNIT, Server
from tests.support.waiting import wait_until

UNITS = "/etc/systemd/system"


@pytest.fixture
def installed_again(server: Server):
    """Whatever the test takes away or changes is back afterwards."""
    yield server
    server.machine.run("rm", "-f", "/etc/squids/squids.yaml")
    server.verb("systemd", "install", "--user", "squids", "--config", "/etc/squids/squids.yaml")


def _install(server: Server, *arguments: str) -> str:
    return server.verb("systemd", "install", *arguments)


def test_a_second_installation_changes_nothing(server: Server) -> None:
    assert "all units are up to date" in _install(server)


def test_what_changes_is_shown_before_it_is_written(installed_again: Server) -> None:
    """--dry-run shows the same, and writes nothing."""
    server = installed_again
    server.configure({"tests": {"shutdown_timeout": "20m"}})
    before = server.machine.read(f"{UNITS}/{UNIT}")
    told = _install(server, "--dry-run")
    assert "-TimeoutStopSec=90" in told
    assert "+TimeoutStopSec=1230" in told
    assert "would write 1 file" in told
    assert server.machine.read(f"{UNITS}/{UNIT}") == before
    told = _install(server)
    assert "+TimeoutStopSec=1230" in told
    assert server.machine.show(UNIT, "TimeoutStopUSec") == "20min 30s"
    assert server.machine.show(UNIT, "TimeoutStartUSec") == "20min 30s"


def test_times_are_known_where_the_file_has_variables_of_the_service(installed_again: Server) -> None:
    server = installed_again
    server.configure({"tests": {"shutdown_timeout": "${GRACE}"}})
    server.machine.write("/etc/squids/squids.env", 'GRACE="10m"\n', 0o600)
    assert "+TimeoutStopSec=630" in _install(server, "--dry-run")


def test_an_installation_over_one_keeps_what_is_not_said_anew(installed_again: Server) -> None:
    """Of an instance, too: the unit without a name stays as it was made."""
    server = installed_again
    machine = server.machine
    machine.run("useradd", "--system", "worker", check=False)
    server.configure({"tests": {"shutdown_timeout": "10m"}}, file="/etc/squids/main.yaml")
    server.configure({"tests": {}}, file="/etc/squids/shop.yaml")
    _install(server, "--user", "worker", "--config", "/etc/squids/main.yaml")
    before = machine.read(f"{UNITS}/{UNIT}")
    assert "User=worker" in before
    assert "TimeoutStopSec=630" in before
    assert "all units are up to date" in _install(server)
    _install(server, "--instance", "shop")
    assert machine.read(f"{UNITS}/{UNIT}") == before


def test_what_somebody_else_wrote_is_not_overwritten(installed_again: Server) -> None:
    server = installed_again
    ours = server.machine.read(f"{UNITS}/{UNIT}")
    server.machine.write(f"{UNITS}/{UNIT}", "[Service]\nExecStart=/bin/true\n")
    done = server.machine.run(COMMAND, "systemd", "install", check=False)
    assert done.returncode == 1
    assert "was not written by this command; move it away first" in done.stderr
    server.machine.write(f"{UNITS}/{UNIT}", ours)


def test_check_is_content_with_what_it_asked_for(installed_again: Server) -> None:
    """Its own advice, of a unit and of an instance; a name that nobody uses of the template is no unit."""
    server = installed_again
    server.configure({"tests": {"shutdown_timeout": "5m"}})
    assert "run `squids-supervisor systemd install` again" in server.verb("check")
    _install(server)
    assert "TimeoutStopSec" not in server.verb("check")
    server.configure({"tests": {"shutdown_timeout": "5m"}}, file="/etc/squids/bank.yaml")
    check = ["-c", "/etc/squids/bank.yaml", "check"]
    assert "TimeoutStopSec" not in server.verb(*check)
    server.machine.systemctl("enable", "squids-supervisor@bank")
    try:
        assert "run `squids-supervisor systemd install --instance bank` again" in server.verb(*check)
        _install(server, "--instance", "bank")
        assert "TimeoutStopSec" not in server.verb(*check)
    finally:
        server.machine.systemctl("disable", "squids-supervisor@bank")
        server.machine.run("rm", "-rf", f"{UNITS}/squids-supervisor@bank.service.d")


def test_check_warns_when_stops_may_take_longer_than_the_unit_gives_them(server: Server) -> None:
    server.configure({"tests": {"shutdown_timeout": "5m"}})
    told = server.verb("check")
    assert (
        "squids-supervisor.service has 90 s to stop (TimeoutStopSec), but its queues may take 300 s" in told
    )
    server.configure({"tests": {"shutdown_timeout": "1m"}})
    assert "TimeoutStopSec" not in server.verb("check")


def test_variables_come_from_a_file_beside_the_configuration(server: Server) -> None:
    """Of root alone: systemd reads it, and neither the installer nor a task needs to."""
    server.configure({"tests": {"shutdown_timeout": "${GRACE}"}}, environment={"SHOP": "${SHOP}"})
    server.machine.write("/etc/squids/squids.env", 'GRACE=10s\nSHOP="the shop"\n', 0o600)
    assert "all units are up to date" in _install(server)
    server.start()
    server.put("tests", "tell", "a", "os.environ['SHOP']")
    assert server.told("a") == "'theshop'"


def test_instances_have_files_sockets_and_times_of_their_own(installed_again: Server) -> None:
    server = installed_again
    server.configure({"tests": {"shutdown_timeout": "5m"}}, file="/etc/squids/shop.yaml")
    server.configure({"two": {}}, file="/etc/squids/bank.yaml")
    _install(server, "--instance", "shop")
    _install(server, "--instance", "bank")
    machine = server.machine
    shop, bank = "squids-supervisor@shop.service", "squids-supervisor@bank.service"
    for unit in (shop, bank):
        server.start(unit)
    assert machine.exists("/run/squids/shop/control.sock")
    assert machine.exists("/run/squids/bank/control.sock")
    assert machine.show(shop, "TimeoutStopUSec") == "5min 30s"
    assert machine.show(bank, "TimeoutStopUSec") == "1min 30s"
    assert "two" in server.verb("-c", "/etc/squids/bank.yaml", "status")
    machine.systemctl("stop", shop)
    assert not machine.exists("/run/squids/shop")
    assert machine.is_active(bank) == "active"
    machine.systemctl("stop", bank)


def test_a_file_elsewhere_is_refused_with_what_to_do(server: Server) -> None:
    done = server.machine.run(COMMAND, "systemd", "install", "--config", "/srv/shop/squids.yaml", check=False)
    assert done.returncode == 1
    assert "a service's file must be in /etc/squids" in done.stderr
    assert "ln -s /srv/shop/squids.yaml /etc/squids/" in done.stderr


def test_another_user(installed_again: Server) -> None:
    """--user NAME: the service runs as somebody who is there already."""
    server = installed_again
    machine = server.machine
    machine.run("useradd", "--system", "worker", check=False)
    assert (
        "user nobody-here does not exist"
        in machine.run(COMMAND, "systemd", "install", "--user", "nobody-here", check=False).stderr
    )
    machine.run("chown", "-R", "worker:worker", "/var/lib/squids")
    try:
        _install(server, "--user", "worker")
        server.configure({"tests": {}})
        machine.run("chgrp", "worker", "/etc/squids/squids.yaml")
        server.start()
        server.put("tests", "tell", "a", "__import__('pwd').getpwuid(os.getuid()).pw_name")
        assert server.told("a") == "'worker'"
    finally:
        machine.systemctl("stop", UNIT)
        machine.run("chown", "-R", "squids:squids", "/var/lib/squids")


def test_uninstall_leaves_configuration_and_data_alone(installed_again: Server) -> None:
    server = installed_again
    machine = server.machine
    server.configure({"tests": {}})
    machine.systemctl("enable", "--now", UNIT)
    machine.systemctl("enable", "squids-supervisor@shop", "squids@tests")
    server.put("tests", "work", "a")
    server.until_done("a")
    told = server.verb("systemd", "uninstall", "--dry-run")
    assert f"would remove {UNITS}/{UNIT}" in told
    assert machine.is_active(UNIT) == "active"
    told = server.verb("systemd", "uninstall")
    assert machine.run("systemctl", "cat", UNIT, check=False).returncode != 0
    left = machine.run(
        "sh", "-c", "find /etc -name '*squids*' -not -path '/etc/squids*'; ls -d /run/squids/* || :"
    )
    assert left.stdout == "", left.stdout
    assert machine.exists("/etc/squids/squids.yaml")
    assert server.journal.words("done") == ["a"]
    assert "nothing to uninstall" in server.verb("systemd", "uninstall")


def test_print_is_what_install_writes(server: Server) -> None:
    """For configuration management: no root needed, and nothing is touched."""
    machine = server.machine
    machine.run("useradd", "--create-home", "bob", check=False)
    printed = machine.run(COMMAND, "systemd", "print", user="bob").stdout
    assert machine.read(f"{UNITS}/{UNIT}") in printed
    refused = machine.run(COMMAND, "systemd", "install", "--instance", "x", user="bob", check=False)
    assert refused.returncode == 1
    assert "Permission denied: are you root?" in refused.stderr


def test_a_user_without_privileges_runs_one_of_their_own(server: Server) -> None:
    """Systemctl --user, with lingering: installed, started, reloaded, stopped, uninstalled."""
    machine = server.machine
    machine.run("useradd", "--create-home", "bob", check=False)
    machine.run("loginctl", "enable-linger", "bob")
    wait_until(
        lambda: (
            machine.run("systemctl", "--user", "is-system-running", user="bob", check=False).stdout.strip()
            in ("running", "degraded")
        )
    )
    file, journal = "/home/bob/.config/squids/squids.yaml", "/home/bob/journal"
    server.configure({"tests": {}}, file=file, environment={"JOURNAL": journal})
    machine.run("chown", "-R", "bob:bob", "/home/bob")
    told = machine.run(COMMAND, "systemd", "install", "--user-mode", user="bob").stdout
    assert "loginctl enable-linger" in told
    machine.run("systemctl", "--user", "enable", "--now", UNIT, user="bob")
    status = machine.run("systemctl", "--user", "status", UNIT, user="bob").stdout
    assert "1/1 queue running" in status
    server.put("tests", "work", "a")
    wait_until(lambda: machine.exists(journal) and "done a" in machine.read(journal))
    assert "RUNNING" in machine.run(COMMAND, "-c", file, "status", user="bob").stdout
    machine.run("systemctl", "--user", "reload", UNIT, user="bob")
    machine.run(COMMAND, "systemd", "uninstall", "--user-mode", user="bob")
    assert "inactive" in machine.run("systemctl", "--user", "is-active", UNIT, user="bob", check=False).stdout
    assert not machine.exists(f"/home/bob/.config/systemd/user/{UNIT}")
    machine.run("loginctl", "disable-linger", "bob")
