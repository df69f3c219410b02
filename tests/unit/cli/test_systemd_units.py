"""What the units say, for whom; and that the repository's own are what `systemd print` says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from squids.cli.supervise import main
from squids.cli.systemd import install
from squids.cli.systemd.effective import parse_span
from squids.cli.systemd.shipped import SHIPPED, shipped
from squids.cli.systemd.units import AUTHOR, MARK, Before, Installation, files, installed_as
from squids.cli.systemd.variables import parse

ROOT = Path(__file__).resolve().parents[3]
SYSTEM = "/etc/systemd/system"


@pytest.mark.parametrize(
    "installation",
    [
        Installation(bin="/opt/x/bin"),
        Installation(bin="/opt/x/bin", instance="shop", config="/etc/squids/shop.yaml"),
        Installation(bin="/opt/x/bin", user="deploy", group="web"),
        Installation(bin="/opt/x/bin", home="/home/ann/.config/systemd/user", config="/home/ann/x.yaml"),
    ],
)
def test_every_file_is_filled_and_marked(installation):
    for path, text in files(installation).items():
        assert text.startswith(f"# {MARK}\n"), path
        assert not re.search(r"@[A-Z]+@", text), path


def test_only_what_was_written_by_us_is_removed(tmp_path):
    """Copies, links and drop-ins of others stay, though they quote the mark."""
    for path, text in files(
        Installation(bin="/opt/x/bin", instance="shop", config="/etc/squids/shop.yaml")
    ).items():
        place = tmp_path / path.removeprefix("/etc/systemd/system/").rpartition("/etc/")[2].replace(
            ".d/squids", ""
        )
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
    ours = {str(path.relative_to(tmp_path)) for path in install._ours(tmp_path)}
    unit = (tmp_path / "squids-supervisor.service").read_text()
    (tmp_path / "squids-night.service").write_text(unit)
    (tmp_path / "squids-supervisor@other.service").write_text(f"# mine, not {MARK}\n{unit}")
    (tmp_path / "squids-supervisor@link.service").symlink_to(tmp_path / "squids-supervisor.service")
    (tmp_path / "squids-supervisor@shop.service.d" / "my.conf").write_text(f"# {MARK}\n")
    (tmp_path / "squids-supervisor@odd.service").write_bytes(b"\xff\xfe")
    assert {str(path.relative_to(tmp_path)) for path in install._ours(tmp_path)} == ours
    assert ours >= {
        "squids-supervisor.service",
        "squids-supervisor@.service",
        "squids@.service",
        "squids-supervisor@shop.service.d/stop-timeout.conf",
    }


def test_times_follow_from_the_longest_drain():
    """A margin over it, in whole tens; never less than systemd's own."""
    for drain, stop, start in ((None, 90, 300), (10.0, 90, 300), (61.0, 100, 300), (1200.0, 1230, 1230)):
        made = Installation(bin="/b", longest_drain=drain)
        assert (made.stop_seconds, made.start_seconds) == (stop, start)
        unit = files(made)[f"{SYSTEM}/squids-supervisor.service"]
        assert f"\nTimeoutStopSec={stop}\n" in unit
        assert f"\nTimeoutStartSec={start}\n" in unit


def test_an_instances_times_are_a_drop_in_of_its_own():
    """The template and the plain unit are others': they keep the least times."""
    made = files(Installation(bin="/b", instance="shop", config="/etc/squids/shop.yaml", longest_drain=600.0))
    drop_in = made[f"{SYSTEM}/squids-supervisor@shop.service.d/stop-timeout.conf"]
    assert "TimeoutStopSec=630" in drop_in
    for unit in ("squids-supervisor.service", "squids-supervisor@.service", "squids@.service"):
        assert "TimeoutStopSec=90" in made[f"{SYSTEM}/{unit}"]
    assert "-c /etc/squids/squids.yaml" in made[f"{SYSTEM}/squids-supervisor.service"]


def test_the_unit_without_a_name_keeps_its_times_beside_an_instance():
    made = files(
        Installation(
            bin="/b",
            instance="shop",
            config="/etc/squids/shop.yaml",
            longest_drain=5.0,
            plain_config="/etc/squids/main.yaml",
            plain_drain=600.0,
        )
    )
    unit = made[f"{SYSTEM}/squids-supervisor.service"]
    assert "\nTimeoutStopSec=630\n" in unit
    assert "-c /etc/squids/main.yaml\n" in unit
    assert "TimeoutStopSec=90" in made[f"{SYSTEM}/squids-supervisor@shop.service.d/stop-timeout.conf"]


def test_a_unit_tells_what_it_was_made_for():
    made = files(Installation(bin="/b", user="deploy", config="/etc/squids/main.yaml"))
    unit = made[f"{SYSTEM}/squids-supervisor.service"]
    assert installed_as(unit) == Before("deploy", "/etc/squids/main.yaml")
    assert installed_as(unit.replace(MARK, f"{AUTHOR} The rest may be worded anew.")) is not None
    assert installed_as(unit.replace(MARK, "mine")) is None
    assert installed_as("") is None


def test_variables_are_read_as_systemd_reads_them():
    """systemd.exec(5), EnvironmentFile=."""
    text = "# NO=1\n;NO=2\n\nA=1\n B = two words \nC=\"q # '\"\nD='x'\nE=\nno assignment\nF=long \\\nline\n"
    assert parse(text) == {"A": "1", "B": "two words", "C": "q # '", "D": "x", "E": "", "F": "long line"}


@pytest.mark.parametrize("name", ["..", "../evil", "a/b", "-x", "a b", "a%i", "a@b", "ä", "a\nUser=root", ""])
@pytest.mark.parametrize("mode", [[], ["--user-mode"]])
def test_what_is_no_name_of_an_instance_is_refused(capsys, name, mode):
    assert main(["systemd", "print", f"--instance={name}", *mode]) == 1
    told = capsys.readouterr()
    assert "is not a valid instance name" in told.err
    assert told.out == ""


@pytest.mark.parametrize("directory", ["my venv", "100%"])
def test_an_installation_whose_path_systemd_would_misread_is_refused(
    monkeypatch, capsys, tmp_path, directory
):
    command = tmp_path / directory / "squids-supervisor"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(command)])
    assert main(["systemd", "print"]) == 1
    assert (
        f"{command.parent}: systemd gives some of these characters a meaning of its own"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--user", "squids\nExecStartPre=/bin/true"],
        ["--user", "a b"],
        ["--user", "%n"],
        ["--config", "/etc/squids/a\nUser=root.yaml"],
        ["--config", "/etc/squids/a\rb.yaml"],
        ["--config", "/etc/squids/a:b.yaml"],
        ["--user-mode", "--config", "/srv/a\u2028b.yaml"],
        ["--user-mode", "--config", "/srv/a*.yaml"],
    ],
)
def test_what_systemd_would_misread_is_refused_in_a_line(capsys, arguments):
    assert main(["systemd", "print", *arguments]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1, told.err


def test_what_is_no_file_where_a_unit_goes_is_told(monkeypatch, capsys, tmp_path):
    """A FIFO there holds up nobody, and one where the new unit is written first is not written to."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # There is no systemctl to be told.
    units = tmp_path / "systemd" / "user"
    units.mkdir(parents=True)
    os.mkfifo(units / "squids-supervisor.service")
    assert main(["systemd", "install", "--user-mode"]) == 1
    assert "squids-supervisor.service: not a regular file (a FIFO)" in capsys.readouterr().err
    (units / "squids-supervisor.service").rename(units / "squids-supervisor.service.squids-new")
    assert main(["systemd", "install", "--user-mode"]) == 0
    assert (units / "squids-supervisor.service").read_text().startswith(f"# {MARK}")


def test_what_cannot_be_written_is_told_in_a_line(monkeypatch, capsys):
    """Read-only, full, no directory: not only what root could."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "/proc/nowhere")
    assert main(["systemd", "install", "--user-mode"]) == 1
    assert re.search(
        r"^squids-supervisor: /proc/nowhere\S*: No such file", capsys.readouterr().err, re.MULTILINE
    )


def test_whose_units_they_are_is_not_said_for_ones_own(capsys):
    assert main(["systemd", "print", "--user-mode", "--user", "ann"]) == 1
    assert "--user: units of --user-mode run as their owner" in capsys.readouterr().err


def test_a_user_of_ones_own_is_not_made():
    made = files(Installation(bin="/b", user="deploy", group="web"))
    assert "/etc/sysusers.d/squids.conf" not in made
    assert "\nUser=deploy\nGroup=web\n" in made[f"{SYSTEM}/squids@.service"]
    assert "root web" in made["/etc/tmpfiles.d/squids.conf"]


def test_the_repositorys_units_are_those_that_are_installed():
    """`make units` writes them."""
    assert {path: (ROOT / "systemd" / path).read_text() for path in SHIPPED.values()} == shipped()


def test_spans_of_time_are_read_as_systemd_shows_them():
    for text, seconds in (
        ("1min 30s", 90),
        ("90s", 90),
        ("2h 500ms", 7200.5),
        ("infinity", None),
        ("", None),
    ):
        assert parse_span(text) == seconds
