"""Configuration files as others may leave them: whose they are, what they are, and file systems that are away."""

from __future__ import annotations

import os
import pwd
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of others to refuse")

NOBODY = 65534

HANGS = """
import sys, threading
from squids.process import imported_files
from squids.supervisor.config import text as config_text

def hangs(at):
    real = getattr(*at)
    def call(first, *others):
        if "away" in str(first):
            print("a call hangs", flush=True)
            threading.Event().wait()
        return real(first, *others)
    setattr(*at, call)

hangs((config_text, "read_plain"))
hangs((imported_files.os, "stat"))
from squids.cli.supervise import main
sys.exit(main())
"""
"""As a file system that is away: calls with a path of it never return."""


@as_root
def test_root_refuses_files_of_others_at_the_start_in_check_and_at_a_reload(supervisor, strict_sqs):
    """With the path, whose it is and what mends it; what runs goes on."""
    squids = supervisor(strict_sqs.endpoint_url)
    strict_sqs.create("tests")
    include = squids.directory / "conf.d"
    include.mkdir()
    (include / "a.yaml").write_text("queues: {}\n")
    squids.write({"tests": {}}, include=["conf.d/*.yaml"])
    os.chown(include, NOBODY, NOBODY)
    told = f"(uid {NOBODY}) owns the folder {include}, and so decides what runs: chown root: {include}; or"
    for verb in ("run", "check", "tasks"):
        refused = squids.verb(verb)
        assert (refused.returncode, told in refused.stderr) == (78, True), refused
    assert squids.verb("check", "--trust-files").returncode == 0
    os.chown(include, 0, 0)
    squids.up()
    os.chown(squids.file, NOBODY, NOBODY)
    refused = squids.verb("reload")
    assert refused.returncode == 1
    assert f"chown root: {squids.file}" in refused.stdout + refused.stderr
    assert squids.state("tests") == "running"
    os.chown(squids.file, 0, 0)
    assert squids.verb("reload").returncode == 0


@as_root
def test_a_supervisor_that_was_told_to_trust_takes_them_at_a_reload_too(supervisor, strict_sqs):
    squids = supervisor(strict_sqs.endpoint_url)
    strict_sqs.create("tests")
    squids.write({"tests": {}})
    os.chown(squids.file, NOBODY, NOBODY)
    squids.start("--trust-files")
    assert squids.verb("reload").returncode == 0


def test_a_fifo_among_the_includes_fails_a_reload_and_no_stop(supervisor, strict_sqs):
    """As does a device. They are told, and what runs goes on."""
    squids = supervisor(strict_sqs.endpoint_url)
    strict_sqs.create("tests")
    (squids.directory / "conf.d").mkdir()
    squids.write({"tests": {}}, include=["conf.d/*.yaml"]).up()
    os.mkfifo(squids.directory / "conf.d" / "a.yaml")
    (squids.directory / "conf.d" / "b.yaml").symlink_to("/dev/zero")
    refused = squids.verb("reload")
    assert refused.returncode == 1
    for line in ("a.yaml: not a regular file (a FIFO)", "b.yaml: not a regular file (a device)"):
        assert line in refused.stdout + refused.stderr
    assert squids.state("tests") == "running"
    assert squids.stop() == 0


@pytest.mark.parametrize("what", ["file", "code"])
def test_a_file_system_that_is_away_holds_up_no_stop(supervisor, strict_sqs, monkeypatch, what):
    """Reading the file, or looking whether code has changed, never returns."""
    monkeypatch.setattr("tests.support.supervisors.COMMAND", [sys.executable, "-P", "-c", HANGS])
    squids = supervisor(strict_sqs.endpoint_url)
    strict_sqs.create("tests")
    (squids.directory / "conf.d").mkdir()
    (squids.directory / "away_lib.py").write_text("")
    squids.app("import away_lib\n" + (squids.directory / "shop.py").read_text())
    squids.write({"tests": {}}, include=["conf.d/*.yaml"]).start()
    squids.wait_for("running")
    if what == "file":
        (squids.directory / "conf.d" / "away.yaml").write_text("queues: {}\n")
    asks = threading.Thread(target=squids.verb, args=("reload" if what == "file" else "status",))
    asks.start()
    wait_until(lambda: "a call hangs" in squids.text, what=lambda: squids.text)
    assert squids.stop() == 0
    asks.join(60)
    assert not asks.is_alive()


@as_root
def test_the_environment_of_root_is_not_that_of_another_user(supervisor, strict_sqs):
    """A queue of another user gets what is named, and nothing that may be a secret of root's."""
    with tempfile.TemporaryDirectory(prefix="squids-") as directory:
        os.chmod(directory, 0o755)  # The tests' own interpreter may lie where root alone gets at it.
        python = Path(directory) / "python"
        python.write_text("#!/bin/sh\necho names: uid=$(id -u) $(env | cut -d= -f1) named=$NAMED\n")
        python.chmod(0o755)
        squids = supervisor(strict_sqs.endpoint_url, ROOTS_SECRET="s", NAMED="by-name", NOTIFY_SOCKET="@none")
        user = pwd.getpwuid(NOBODY).pw_name
        environment = {"NAMED": "${NAMED}"}
        squids.write(
            {"tests": {}}, user=user, directory=directory, python=str(python), environment=environment
        )
        squids.start()
        wait_until(lambda: "names: " in squids.text, what=lambda: squids.text)
        (line, *_) = [line for line in squids.text.splitlines() if "names: " in line]
        names = line.split("names: ")[1].split()
        assert {f"uid={NOBODY}", "named=by-name", "PATH", "HOME", "AWS_ENDPOINT_URL_SQS"} <= set(names)
        assert not {"ROOTS_SECRET", "AWS_SECRET_ACCESS_KEY", "NOTIFY_SOCKET", "XDG_RUNTIME_DIR"} & set(names)
        assert squids.stop() == 0
