"""Where lines go, while a destination takes them, is slow, or takes none."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from squids.process.log_lines import Line, Origin, Source
from squids.supervisor.output import sinks
from squids.supervisor.output.sinks import LogOutput, Sink, renderer
from squids.supervisor.settings import AppSpec, LogFile
from tests.support.waiting import wait_until

APP = AppSpec("shop:app", "/srv")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, the end writes what waits."""
    monkeypatch.setattr(sinks, "FLUSH_SECONDS", 20.0)


class Destination:
    """One that is slow: it takes a batch each time that it is let."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.errors: list[Exception] = []
        self.began = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)

    def write(self, texts: list[str]) -> None:
        self.began.release()
        assert self.go_on.acquire(timeout=20)
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append(texts)

    def let(self, times: int = 1) -> None:
        for _ in range(times):
            self.go_on.release()


@pytest.fixture
def destination() -> Iterator[Destination]:
    made = Destination()
    yield made
    made.let(100)


def line(text: str, level: str = "INFO") -> Line:
    return Line(1.0, Source(Origin.WORKER, "emails", 1), level, text)


def test_whoever_logs_does_not_wait_for_who_writes(destination: Destination) -> None:
    """What comes while it writes is one batch; the end writes what waits."""
    sink = Sink("a.log", destination.write, lambda text: None)
    sink.put("one")
    assert destination.began.acquire(timeout=20)
    sink.put("two")
    sink.put("three")
    assert destination.batches == []
    destination.let(2)
    sink.close()
    assert destination.batches == [["one"], ["two", "three"]]


def test_what_is_not_taken_in_time_is_dropped_the_oldest_first_and_counted(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line is kept, however long it is."""
    monkeypatch.setattr(sinks, "MAX_WAITING", 10)
    complaints: list[str] = []
    sink = Sink("a.log", destination.write, complaints.append)
    sink.put("first")
    assert destination.began.acquire(timeout=20)
    for text in ("aaaa", "bbbb", "cccc", "d" * 50):
        sink.put(text)
    destination.let(2)
    sink.close()
    assert destination.batches == [["first"], ["d" * 50]]
    assert complaints == ["a.log is too slow; 3 lines were dropped"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError(errno.ENOSPC, "No space left on device"), "No space left on device"), (ValueError("no"), "no")],
)
def test_what_cannot_be_written_is_complained_of_and_the_next_is_tried(
    destination: Destination, error: Exception, reason: str
) -> None:
    """Once a minute: a disk that is full stays so for many lines."""
    complaints: list[str] = []
    sink = Sink("a.log", destination.write, complaints.append)
    destination.errors = [error, error]
    for text in ("one", "two", "three"):
        sink.put(text)
        assert destination.began.acquire(timeout=20)
        destination.let()
    sink.close()
    assert destination.batches == [["three"]]
    assert complaints == [f"cannot write to a.log: {reason}: 1 lines were lost"]


def test_the_end_does_not_wait_for_ever_for_who_takes_nothing(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "FLUSH_SECONDS", 0.01)
    sink = Sink("b.log", destination.write, lambda text: None)
    sink.put("one")
    assert destination.began.acquire(timeout=20)
    sink.put("two")
    sink.close()
    destination.let(2)
    (thread,) = [one for one in threading.enumerate() if one.name == "squids-log-b.log"]
    thread.join(20)
    assert destination.batches == [["one"]], "after the end nothing more is written"


def test_a_line_goes_to_its_programs_file_or_to_standard_error_and_to_who_follows(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A file is written as text, whatever the style of standard error is."""
    output = LogOutput("json", lambda text: None)
    followed: list[Line] = []
    output.followers.add(followed.append)
    mine, others = line("to the file"), line("to standard error \ud800")
    output.line(mine, (LogFile(str(tmp_path / "a.log")), APP))
    output.line(others)
    output.close()
    written = (tmp_path / "a.log").read_text()
    assert written.endswith(" INFO    emails/1: to the file\n")
    errors = capfd.readouterr().err
    assert '"message": "to standard error' in errors
    assert "to the file" not in errors
    assert followed == [mine, others] == list(output.kept)


def test_another_style_counts_from_the_next_line_on(capfd: pytest.CaptureFixture[str]) -> None:
    output = LogOutput("text", lambda text: None)
    output.line(line("one"))
    output.use("json")
    output.line(line("two"))
    output.close()
    first, second = capfd.readouterr().err.splitlines()
    assert first.endswith("emails/1: one")
    assert second.startswith("{")


def test_routine_lines_of_the_brief_style_are_kept_and_not_written(capfd: pytest.CaptureFixture[str]) -> None:
    output = LogOutput("brief", lambda text: None)
    routine = Line(1.0, Source(Origin.CONSUMER, "emails"), "INFO", "starting", details={"action": "starting"})
    output.line(routine)
    output.close()
    assert capfd.readouterr().err == ""
    assert list(output.kept) == [routine]


def test_a_file_that_was_moved_away_is_written_anew(tmp_path: Path) -> None:
    """As logrotate does it, followed by SIGHUP or `reopen`."""
    output = LogOutput("text", lambda text: None)
    path = tmp_path / "a.log"
    output.line(line("one"), (LogFile(str(path)), APP))
    wait_until(lambda: path.exists() and path.read_text())
    path.rename(tmp_path / "a.log.1")
    output.reopen()
    output.line(line("two"), (LogFile(str(path)), APP))
    output.close()
    assert path.read_text().endswith("emails/1: two\n")
    assert (tmp_path / "a.log.1").read_text().endswith("emails/1: one\n")


def test_what_is_kept_for_who_asks_later_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By lines, and by how long they are."""
    monkeypatch.setattr(sinks, "KEPT_LINES", 3)
    monkeypatch.setattr(sinks, "KEPT_CHARACTERS", 100)
    output = LogOutput("brief", lambda text: None)
    for text in ("a", "b", "c", "d"):
        output.line(line(text, "DEBUG"))
    assert [one.text for one in output.kept] == ["b", "c", "d"]
    output.line(line("x" * 99))
    assert [one.text[:1] for one in output.kept] == ["d", "x"]
    output.close()


def test_trouble_with_a_file_is_told_and_names_it(tmp_path: Path) -> None:
    told: list[str] = []
    output = LogOutput("text", told.append)
    path = tmp_path / "no such folder" / "a.log"
    output.line(line("one"), (LogFile(str(path)), APP))
    output.close()
    assert told == [f"cannot write to {path}: No such file or directory: 1 lines were lost"]


def test_without_a_style_the_journal_gets_priorities(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = line("broken", "ERROR")
    monkeypatch.setattr(sinks, "is_journal", lambda: True)
    assert renderer(None)(bad) == "<3>emails/1: broken"
    assert renderer("text")(bad).endswith("ERROR   emails/1: broken")
    monkeypatch.setattr(sinks, "is_journal", lambda: False)
    assert renderer(None)(bad).endswith("ERROR   emails/1: broken")


def test_colours_are_for_terminals_whose_owner_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with open(ours, "w") as terminal, open(theirs), monkeypatch.context() as within:
        within.setattr(sinks.sys, "stderr", terminal)
        within.delenv("NO_COLOR", raising=False)
        assert "\x1b[" in renderer("text")(line("one"))
        within.setenv("NO_COLOR", "1")
        assert "\x1b[" not in renderer("text")(line("one"))
