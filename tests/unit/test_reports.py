"""Reports of squids: whatever an application does with logging, they are written, once."""

from __future__ import annotations

import io
import logging
import logging.config
import logging.handlers
import queue
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from squids.process import log_setup
from squids.reports import log
from tests.support.logs import configured_logging, without_handlers_of_pytest


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a process of squids writes, whose application is imported after this."""
    stream = io.StringIO()
    with configured_logging():
        without_handlers_of_pytest()
        log_setup.configure("INFO", "text", stream)
        yield stream


def with_a_filter(name: str) -> None:
    logging.getLogger(name).addFilter(lambda record: False)


def with_a_handler_that_raises() -> None:
    class Handler(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("no")

    logging.getLogger().addHandler(Handler())


def with_a_factory_that_raises() -> None:
    def factory(*_: Any, **__: Any) -> logging.LogRecord:
        raise RuntimeError("no")

    logging.setLogRecordFactory(factory)


def with_loggers_of_its_own() -> None:
    class Silent(logging.Logger):
        def handle(self, record: logging.LogRecord) -> None: ...

    logging.Logger.manager.loggerDict.pop("squids", None)
    logging.setLoggerClass(Silent)


DISABLES: dict[str, Callable[[], object]] = {
    "dictConfig": lambda: logging.config.dictConfig({"version": 1}),
    "dictConfig of root": lambda: logging.config.dictConfig({"version": 1, "root": {"level": "CRITICAL"}}),
    "fileConfig": lambda: logging.config.fileConfig(
        io.StringIO(
            "[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=\n[logger_root]\nhandlers=\n"
        )
    ),
    "disable": lambda: logging.disable(logging.CRITICAL),
    "no handlers": lambda: logging.getLogger().handlers.clear(),
    "a filter of root": lambda: with_a_filter(""),
    "a filter": lambda: with_a_filter("squids"),
    "a level": lambda: logging.getLogger("squids").setLevel(logging.CRITICAL),
    "a level of root": lambda: logging.getLogger().setLevel(logging.CRITICAL + 1),
    "no propagation": lambda: setattr(logging.getLogger("squids"), "propagate", False),
    "a handler that raises": with_a_handler_that_raises,
    "a factory that raises": with_a_factory_that_raises,
    "loggers of its own": with_loggers_of_its_own,
    "no last resort": lambda: setattr(logging, "lastResort", None),
    "basicConfig": lambda: logging.basicConfig(force=True, level="CRITICAL"),
    "a shutdown": logging.shutdown,
}


@pytest.fixture
def ways() -> Iterator[None]:
    """Put back what `configured_logging` does not know."""
    factory, kind = logging.getLogRecordFactory(), logging.getLoggerClass()
    ours = logging.getLogger("squids")
    yield
    logging.setLogRecordFactory(factory)
    logging.setLoggerClass(kind)
    logging.Logger.manager.loggerDict["squids"] = ours


@pytest.mark.parametrize("how", DISABLES)
@pytest.mark.usefixtures("ways")
def test_an_application_cannot_switch_them_off(written, how):
    """Neither at its import nor later."""
    log_setup.adopt_application("INFO")
    DISABLES[how]()
    log.error("task failed: %s", "no", extra={"action": "task_failed"})
    log_setup.adopt_application("INFO")
    log.info("again")
    lines = written.getvalue().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == [
        "ERROR   task failed: no action=task_failed",
        "INFO    again",
    ]


def test_they_have_a_level_of_their_own(written):
    logging.getLogger("squids").setLevel(logging.DEBUG)
    log.log(logging.DEBUG, "hidden")
    assert written.getvalue() == ""


def test_handlers_of_the_application_get_them_too(written):
    """With all that a record has; and the handlers stay where they were."""
    without_handlers_of_pytest()
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(records)
    logging.getLogger().addHandler(handler)
    log_setup.adopt_application("INFO")
    try:
        raise LookupError("x")
    except LookupError:
        logging.getLogger().setLevel("INFO")
        log.exception("failed", extra={"action": "a"})
    assert logging.getLogger().handlers == [handler]
    record = records.get_nowait()
    assert (record.name, record.levelname, record.action) == ("squids", "ERROR", "a")
    assert "LookupError: x" in record.getMessage()
    assert written.getvalue().count("failed") == 1
    assert "LookupError: x" in written.getvalue()


@pytest.mark.parametrize("where", ["", "squids"])
def test_what_writes_to_the_same_place_does_not_write_them_again(written, capsys, where):
    """The console of an application: its own records appear there, ours are there already."""
    logging.getLogger(where).addHandler(logging.StreamHandler(sys.stderr))
    logging.getLogger(where).addHandler(logging.StreamHandler(sys.stdout))
    logging.getLogger().setLevel("INFO")
    log_setup.adopt_application("INFO")
    log.warning("ours")
    logging.getLogger("squids.shop").warning("theirs")
    assert capsys.readouterr() == ("theirs\n", "theirs\n")
    assert [line.rpartition(" ")[2] for line in written.getvalue().splitlines()] == ["ours"]


def test_without_a_handler_of_its_own_the_applications_records_are_lines_of_ours(written):
    without_handlers_of_pytest()
    log_setup.adopt_application("INFO")
    logging.getLogger("shop").info("one")
    logging.getLogger().handlers.clear()  # As some do, to add their own later.
    logging.getLogger("shop").info("two")
    assert [line.split("shop: ")[1] for line in written.getvalue().splitlines()] == ["one", "two"]


def test_its_handlers_and_its_level_are_its_own(written):
    without_handlers_of_pytest()
    theirs = io.StringIO()
    logging.basicConfig(stream=theirs, level="ERROR", format="%(message)s")
    log_setup.adopt_application("INFO")
    logging.getLogger("shop").warning("quiet")
    logging.getLogger("shop").error("loud")
    log.info("ours")
    assert theirs.getvalue() == "loud\n"
    assert "loud" not in written.getvalue()


def test_a_level_that_it_set_without_handlers_stays(written):
    logging.getLogger().setLevel(logging.ERROR)
    log_setup.adopt_application("INFO")
    logging.getLogger("shop").warning("quiet")
    assert written.getvalue() == ""
    log_setup.adopt_application("DEBUG")
    assert logging.getLogger().level == logging.ERROR


def test_in_the_applications_own_process_they_are_records_like_any(caplog):
    """It may switch them off there: it is its process."""
    with caplog.at_level("INFO"):
        log.info("one %s", "more", extra={"action": "a"})
    (record,) = caplog.records
    assert (record.name, record.getMessage(), record.action) == ("squids", "one more", "a")
    assert record.pathname == __file__


@pytest.mark.usefixtures("ways")
@pytest.mark.parametrize("base", [logging.LogRecord, type("Theirs", (logging.LogRecord,), {})])
def test_a_format_may_need_what_the_applications_factory_adds(written, capsys, base):
    """Such as the id of a request. On standard error they are not written again, either."""

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = base(*args, **kwargs)
        record.request = "none"
        return record

    without_handlers_of_pytest()
    logging.setLogRecordFactory(factory)
    theirs = io.StringIO()
    for stream in (theirs, sys.stderr):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(request)s %(action)s: %(message)s"))
        logging.getLogger().addHandler(handler)
    log.error("failed %s", "twice", extra={"action": "a"})
    assert theirs.getvalue() == "none a: failed twice\n"
    assert capsys.readouterr().err == ""


def test_a_method_of_logging_that_the_application_replaced_is_not_on_their_way(written, monkeypatch):
    monkeypatch.setattr(logging.StreamHandler, "emit", lambda *_: None)
    log.error("failed")
    assert written.getvalue().endswith("failed\n")
