"""What goes into a unit comes out of it as it was: systemd's syntax, read by a small reader, or it is refused."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from squids.cli.systemd.units import Installation, files, misread

PIECES = [
    "@USER@",
    "@BIN@",
    "@HARDENING@",
    "\n",
    "\r",
    "\x85",
    "\u2028",
    "\\",
    "%",
    "%i",
    "%%",
    '"',
    "'",
    " ",
    "\t",
]
PIECES += [
    "$X",
    "${X}",
    ";",
    "#",
    ":",
    "=",
    "-",
    "*",
    "[a]",
    "\x00",
    "\x1b",
    "\ud800",
    "a",
    "B",
    "é",
    ".",
    "/",
    "User=root",
]

texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=5).map("".join)


def read_unit(text: str) -> dict[str, list[str]]:
    """Each assignment of a unit, by its name. systemd.syntax(7): lines end with \\n alone, a backslash at the end
    goes on, comments begin with # or ;, blanks around a value do not count."""
    found: dict[str, list[str]] = {}
    for line in re.split("\n", re.sub(r"\\\n", " ", text)):
        line = line.strip(" \t\r")
        if not line or line[0] in "#;[":
            continue
        name, equals, value = line.partition("=")
        assert equals, line
        found.setdefault(name.strip(), []).append(value.strip(" \t\r"))
    return found


def plain(value: str) -> str:
    """A value in which systemd finds nothing to expand, split or unquote."""
    assert not re.search(r"[%\"'\\$*?\[\]\s]", value), value
    return value


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bin=texts, name=texts, user=texts, group=texts, home=st.booleans())
@example(bin="/@USER@", name="@GROUP@", user="squids", group="squids", home=False)
@example(bin="x\nUser=root", name="a", user="squids", group="squids", home=False)
@example(bin="x", name="a", user="squids\nUser=root", group="squids", home=False)
@example(bin="x", name="a:b", user="squids", group="squids", home=False)
def test_a_unit_says_what_was_put_in_or_is_not_made(bin, name, user, group, home):
    made = Installation(
        bin=f"/opt/{bin}",
        config=f"/etc/squids/{name}.yaml",
        user=user,
        group=group,
        home="/home/ann/units" if home else None,
    )
    if misread(made) is not None:
        return
    for path, text in files(made).items():
        if not path.endswith("squids-supervisor.service"):
            continue
        unit = read_unit(text)
        (start,) = unit["ExecStart"]
        assert plain(start.replace(" ", "")) == f"/opt/{bin}/squids-supervisor-c/etc/squids/{name}.yaml"
        assert start.split(" ") == [f"/opt/{bin}/squids-supervisor", "-c", f"/etc/squids/{name}.yaml"]
        (variables,) = unit["EnvironmentFile"]
        assert plain(variables).startswith("-/etc/squids/")
        if not home:
            assert (unit["User"], unit["Group"]) == ([plain(user)], [plain(group)])
            (directory,) = unit["RuntimeDirectory"]
            assert plain(directory).startswith("squids/")
            assert ":" not in directory


def test_plain_names_are_taken():
    """What is refused is what must be."""
    for made in (
        Installation(bin="/opt/squids@2/current/bin", config="/etc/squids/shop-1.b.yaml"),
        Installation(bin="/opt/läden/bin", user="svc.shop", group="web@example.org"),
        Installation(bin="/o/@USER@", instance="a:b", config="/etc/squids/a:b.yaml"),
    ):
        assert misread(made) is None


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd to ask")
def test_systemd_reads_a_path_with_a_placeholder_in_it(tmp_path):
    """It verifies the unit, whose command is there by that path."""
    commands = tmp_path / "@USER@" / "bin"
    commands.mkdir(parents=True)
    (commands / "squids-supervisor").write_text("#!/bin/sh\n")
    (commands / "squids-supervisor").chmod(0o755)
    made = files(Installation(bin=str(commands), user="root", group="root"))
    unit = tmp_path / "squids-supervisor.service"
    unit.write_text(made["/etc/systemd/system/squids-supervisor.service"])
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
