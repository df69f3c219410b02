"""Ctrl-C while a command starts: the signal comes at a chosen import, so each moment is met each time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CONSOLE_SCRIPT = """
import os, sys
where = sys.argv.pop(1)

def interrupt(event, arguments):
    global where
    if event == "import" and where and f"{{arguments[0]}}.".startswith(f"{{where}}."):
        where = None
        os.kill(os.getpid(), 2)

sys.addaudithook(interrupt)
from squids.cli.start import {entry}
sys.exit({entry}())
"""
"""What pip writes for the command, with a SIGINT at the import that its first argument names."""


def interrupted(entry: str, where: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CONSOLE_SCRIPT.format(entry=entry), where, *arguments],
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "where", ["signal", "enum", "squids.cli.consume", "argparse", "dataclasses", "squids.queues", "shutil"]
)
def test_a_consumer_that_is_interrupted_at_an_import_ends_quietly(where: str) -> None:
    done = interrupted("squids", where, "--app", "shop:app", "--queue", "emails")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    "where",
    [
        "signal",
        "squids.cli.supervise",
        "argparse",
        "asyncio",
        "pydantic_core",
        "datetime",
        "squids.printable",
    ],
)
def test_a_supervisor_that_is_interrupted_at_an_import_ends_quietly(where: str, tmp_path: Path) -> None:
    """pydantic_core panics, and dataclasses raise a RuntimeError, where an interrupt is an exception."""
    done = interrupted("supervisor", where, "-c", str(tmp_path / "squids.yaml"))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("verb", "where"),
    [
        ("status", "squids.cli.client"),
        ("check", "pydantic"),
        ("send", "squids.cli.apps"),
        ("systemd", "difflib"),
        ("local", "squids.supervisor.config.build"),
    ],
)
def test_a_verb_that_is_interrupted_at_an_import_ends_quietly(verb: str, where: str, tmp_path: Path) -> None:
    further = {"send": ["mail"], "systemd": ["print"]}.get(verb, [])
    done = interrupted("supervisor", where, "-c", str(tmp_path / "squids.yaml"), verb, *further)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


RUN = """
import os, signal, sys
from squids.cli.start import guarded, interruptible

def command():
{body}

sys.exit(guarded(command))
"""


def run(*lines: str, ignored: bool = False) -> subprocess.CompletedProcess[str]:
    body = "\n".join(f"    {line}" for line in lines)
    return subprocess.run(
        [sys.executable, "-c", RUN.format(body=body)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignored else None,
    )


INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)"


def test_an_interruptible_command_tidies_up() -> None:
    tidying = ["interruptible()", "try:", f"    {INTERRUPT}", "finally:", "    print('tidy')"]
    done = run(*tidying)
    assert (done.returncode, done.stdout, done.stderr) == (130, "tidy\n", "")


def test_an_interrupt_while_the_interpreter_ends_is_quiet() -> None:
    done = run("import atexit", f"atexit.register(lambda: {INTERRUPT})", "interruptible()", "return 0")
    assert (done.returncode, done.stderr) == (130, "")


def test_an_interrupt_that_was_ignored_from_the_start_stays_so() -> None:
    """As of a program that a plain shell starts in the background."""
    done = run(INTERRUPT, "interruptible()", INTERRUPT, "return 7", ignored=True)
    assert (done.returncode, done.stderr) == (7, "")


def test_nothing_is_imported_before_the_guard() -> None:
    """Not even `__future__`, which is a file to find and to read."""
    code = "import sys; before = set(sys.modules); import squids.cli.start; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"squids", "squids.cli", "squids.cli.start"}
