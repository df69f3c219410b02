"""Reports reach the application's handlers without waiting for them."""

from __future__ import annotations

import io
import logging
import threading

import pytest

from squids.pool import report_thread
from squids.pool.report_thread import ReportThread
from squids.process import log_setup
from squids.reports import log
from tests.support.logs import configured_logging, without_handlers_of_pytest
from tests.support.waiting import wait_until


class Gate(logging.Handler):
    """A handler that blocks until it is told to go on."""

    def __init__(self):
        super().__init__()
        self.go = threading.Event()
        self.seen = []

    def emit(self, record):
        self.go.wait(30)
        self.seen.append(record.getMessage())


@pytest.fixture
def written():
    stream = io.StringIO()
    with configured_logging():
        log_setup.configure("INFO", "text", stream)
        yield stream


@pytest.fixture
def gate(written):
    """The application's handler, where reports are passed on by a thread."""
    without_handlers_of_pytest()
    found = Gate()
    logging.getLogger().addHandler(found)
    logging.getLogger().setLevel("INFO")
    yield found
    found.go.set()


def test_a_handler_that_blocks_delays_nothing_and_gets_them_in_order(written, gate):
    reports = ReportThread()
    reports.take_over()
    log.info("one")
    log.error("two")
    assert [line.split()[-1] for line in written.getvalue().splitlines()] == ["one", "two"]
    assert gate.seen == []
    gate.go.set()
    assert reports.close()
    assert gate.seen == ["one", "two"]


def test_what_it_does_not_take_in_time_is_dropped_and_the_end_is_not_delayed(monkeypatch, gate):
    monkeypatch.setattr(report_thread, "MOST", 2)
    monkeypatch.setattr(report_thread, "FLUSH_SECONDS", 0.01)
    reports = ReportThread()
    reports.take_over()
    for number in range(10):
        log.info("%d", number)
    assert not reports.close()
    gate.go.set()
    wait_until(lambda: len(gate.seen) >= 2, what=lambda: gate.seen)
    assert set(gate.seen) < set(map(str, range(10)))


def test_without_a_handler_that_takes_time_there_is_no_thread(written):
    """Ours, what writes to standard error, and what takes no such record."""
    without_handlers_of_pytest()
    reports = ReportThread()
    reports.take_over()
    quiet = Gate()
    quiet.setLevel("ERROR")
    for handler in (logging.StreamHandler(), quiet):
        logging.getLogger().addHandler(handler)
    log_setup.adopt_application("INFO")
    before = threading.enumerate()
    log.info("one")
    assert threading.enumerate() == before
    assert reports.close()
