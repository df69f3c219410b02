"""What an application makes of standard output and error stops nothing of ours."""

from __future__ import annotations

import io
import sys

import pytest

from squids.process.output import complain, flush_output, open_streams


class Bad:
    closed = False

    def flush(self):
        raise OSError("full")

    write = flush


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("made", [lambda: None, closed, Bad], ids=["none", "closed", "full"])
def test_whatever_it_is_others_are_flushed_and_complaints_are_written(monkeypatch, capfd, made):
    flushed = []
    monkeypatch.setattr(sys, "stdout", type("Good", (), {"flush": lambda self: flushed.append(1)})())
    monkeypatch.setattr(sys, "stderr", made())
    flush_output()
    complain("no\ude00 more\n")
    assert flushed == [1]
    monkeypatch.undo()
    assert capfd.readouterr().err == "no\\ude00 more\n"


def test_streams_that_are_closed_or_not_there_are_left_out(monkeypatch):
    monkeypatch.setattr(sys, "stdout", closed())
    monkeypatch.setattr(sys, "stderr", None)
    assert list(open_streams()) == []
