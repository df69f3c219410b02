"""A configuration of logging is applied, or told by its keys why it cannot be."""

from __future__ import annotations

import io
import json
import logging

import pytest

from squids.errors import AppImportFailed, ConfigurationError
from squids.process import log_config, log_setup
from squids.reports import log
from tests.support.logs import configured_logging, without_handlers_of_pytest


@pytest.fixture(autouse=True)
def ours():
    """What a process of squids writes before it imports an application."""
    stream = io.StringIO()
    with configured_logging():
        without_handlers_of_pytest()
        log_setup.configure("INFO", "text", stream)
        yield stream


def apply(**config):
    log_config.apply(json.dumps(config))


def lines(stream):
    return [line.split(" ", 2)[2] for line in stream.getvalue().splitlines()]


def test_without_one_nothing_is_touched(ours):
    log_config.apply(None)
    without_handlers_of_pytest()
    log_setup.adopt_application("INFO")
    assert logging.getLogger().handlers == log_setup._handlers


def test_its_handlers_are_the_applications_and_reports_are_written_all_the_same(ours, tmp_path):
    logging.getLogger("there before")
    apply(
        handlers={"file": {"class": "logging.FileHandler", "filename": str(tmp_path / "log")}},
        root={"handlers": ["file"], "level": "WARNING"},
    )
    log_setup.adopt_application("INFO")
    logging.getLogger("shop").info("hidden")
    logging.getLogger("there before").warning("shown")
    log.info("receiving")
    log.error("task failed")
    assert (tmp_path / "log").read_text() == "shown\ntask failed\n"
    assert lines(ours) == ["INFO    receiving", "ERROR   task failed"]


def test_without_handlers_of_root_it_adds_to_what_is_there(ours):
    """And a level that it states is meant, even if it is the one that Python begins with."""
    apply(loggers={"store": {"level": "DEBUG"}}, root={"level": "WARNING"})
    without_handlers_of_pytest()
    log_setup.adopt_application("INFO")
    logging.getLogger("store").debug("shown")
    logging.getLogger("other").info("hidden")
    assert lines(ours) == ["DEBUG   store: shown"]


def test_the_application_has_the_last_word(ours):
    apply(handlers={"null": {"class": "logging.NullHandler"}}, root={"handlers": ["null"]})
    theirs = io.StringIO()
    logging.basicConfig(stream=theirs, force=True, format="%(message)s")
    log_setup.adopt_application("INFO")
    logging.getLogger("shop").warning("one")
    assert theirs.getvalue() == "one\n"


@pytest.mark.parametrize(
    ("config", "kind", "expected"),
    [
        (
            {"root": {"handlers": ["nothing"]}},
            ConfigurationError,
            "logging: root.handlers.0: nothing is not one of the handlers; none is defined",
        ),
        (
            {"handlers": {"a": {"class": "squids.nothing.Handler"}}},
            ConfigurationError,
            "logging: handlers.a: Cannot resolve 'squids.nothing.Handler': No module named 'squids.nothing'",
        ),
        (
            {"formatters": {"a": {"()": "no_such_module.Json"}}},
            ConfigurationError,
            "logging: formatters.a: ",
        ),
        (
            {"handlers": {"a": {"class": "logging.StreamHandler", "colour": "red"}}},
            ConfigurationError,
            "logging: handlers.a: TypeError: StreamHandler.__init__() got an unexpected keyword argument 'colour'",
        ),
        (
            {"handlers": {"a": {"class": "logging.FileHandler", "filename": "/dev/null/log"}}},
            AppImportFailed,
            "logging: handlers.a: [Errno 20] Not a directory: '/dev/null/log'",
        ),
    ],
)
def test_what_cannot_be_made_is_told_by_its_key_in_one_line(config, kind, expected):
    with pytest.raises(kind) as caught:
        apply(**config)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
