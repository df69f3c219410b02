"""What becomes of a command whose output cannot be written."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable

import pytest

from squids.cli.entry import exit_code_of, print_error, run_command, show_version
from squids.exit_codes import ExitCode


def raising(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        print("printed before")
        raise error

    return command


def error_of(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


def test_an_error_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in a file quotes the file, which may hold anything."""
    print_error("f:1:1: unknown key \x1b[2J\x9b")
    assert capsys.readouterr().err == "f:1:1: unknown key \\x1b[2J\\x9b\n"


def test_its_exit_code_is_the_commands_and_ctrl_c_has_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command("squids", lambda: 3) == 3
    assert run_command("squids", raising(KeyboardInterrupt())) == 130
    with pytest.raises(SystemExit):  # argparse's, which has printed its help.
        run_command("squids", raising(SystemExit(2)))
    assert capfd.readouterr().out == "printed before\n" * 2


def test_a_reader_that_has_seen_enough_is_no_failure(capfd: pytest.CaptureFixture[str]) -> None:
    """And the interpreter does not try to write again at its end."""
    assert run_command("squids", raising(BrokenPipeError())) == ExitCode.OK
    assert os.fstat(1).st_rdev == os.stat(os.devnull).st_rdev
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EBADF])
@pytest.mark.parametrize("path", ["/var/log/a", None])
def test_what_cannot_be_written_is_one_line_and_no_traceback(
    number: int, path: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_command("squids", raising(error_of(number, path))) == ExitCode.FAILURE
    what = path or "its output"
    assert capfd.readouterr().err == f"squids: cannot write {what}: {os.strerror(number)}\n"


def test_an_error_of_another_kind_is_a_bug_and_shows_itself() -> None:
    with pytest.raises(PermissionError):
        run_command("squids", raising(error_of(errno.EACCES)))


def test_where_standard_error_cannot_be_written_either_the_exit_code_says_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stderr", full)
        print_error("x" * 100_000)
        assert run_command("squids", raising(error_of(errno.ENOSPC))) == ExitCode.FAILURE
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space"):
            full.close()


def test_a_full_disk_may_have_room_after_a_restart_and_a_wrong_mode_does_not_mend_itself() -> None:
    """Which exit code it is decides whether systemd tries again."""
    assert exit_code_of(error_of(errno.ENOSPC)) is ExitCode.FAILURE
    assert exit_code_of(error_of(errno.EACCES)) is ExitCode.CONFIG


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_version("squids") == ExitCode.OK
    assert capsys.readouterr().out.startswith("squids ")


def test_a_command_whose_application_closed_its_output_keeps_its_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    monkeypatch.setattr(sys, "stderr", closed)
    assert run_command("squids", lambda: 3) == 3
    print_error("squids: nobody reads this")
