"""The shape of a configuration of logging: each mistake has its key, and nothing is imported."""

from __future__ import annotations

import logging.config

import pytest

from squids.process.log_rules import mistakes
from tests.support.logs import configured_logging

GOOD = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "{message}", "style": "{"},
        "own": {"()": "logging.Formatter", "fmt": "%(message)s"},
    },
    "filters": {"shop": {"name": "shop"}},
    "handlers": {
        "out": {
            "class": "logging.StreamHandler",
            "level": "DEBUG",
            "formatter": "plain",
            "filters": ["shop"],
            "stream": "ext://sys.stdout",
        },
        "null": {"()": "logging.NullHandler", "level": 5},
    },
    "loggers": {"shop": {"level": "INFO", "handlers": ["out"], "propagate": False}},
    "root": {"level": "WARNING", "handlers": ["out", "null"], "filters": None},
}


def test_what_python_takes_is_no_mistake(no_logging_left):
    assert mistakes(GOOD) == []
    logging.config.dictConfig(GOOD)
    assert mistakes({}) == []


@pytest.fixture
def no_logging_left():
    shop = logging.getLogger("shop")
    before = shop.handlers[:], shop.level, shop.propagate
    with configured_logging():
        yield
    shop.handlers[:], level, shop.propagate = before
    shop.setLevel(level)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"version": 2}, "version: 1 is the only version there is"),
        ({"loggerz": {}}, 'loggerz: unknown key; did you mean "loggers"?'),
        ({"incremental": "no"}, "incremental: expected true or false"),
        ({"handlers": ["out"]}, "handlers: expected a mapping of names to their keys"),
        ({"filters": {"a": "b"}}, "filters.a: expected a mapping of keys to values"),
        ({"root": ["out"]}, "root: expected a mapping of keys to values"),
        ({"handlers": {"out": {}}}, "handlers.out: has no class, and no ()"),
        (
            {"handlers": {"out": {"class": None}}},
            "handlers.out.class: expected the name of a class, such as logging.FileHandler",
        ),
        (
            {"handlers": {"out": {"class": "a.B", "formatter": "jsn"}}, "formatters": {"json": {}}},
            "handlers.out.formatter: jsn is not one of the formatters; did you mean json?",
        ),
        (
            {"handlers": {"out": {"class": "a.B", "filters": "shop"}}},
            "handlers.out.filters: expected a list of filters",
        ),
        ({"formatters": {"a": {"style": "x"}}}, "formatters.a.style: expected %, { or $"),
        (
            {"loggers": {"shop": {"level": "debug"}}},
            "loggers.shop.level: expected a level such as INFO, or its number; did you mean DEBUG?",
        ),
        ({"root": {"level": True}}, "root.level: expected a level such as INFO, or its number"),
        (
            {"loggers": {"shop": {"propagate": "yes"}}},
            "loggers.shop.propagate: expected true or false",
        ),
        ({"root": {"handler": []}}, 'root.handler: unknown key; did you mean "handlers"?'),
        (
            {"root": {"handlers": ["out"]}},
            "root.handlers.0: out is not one of the handlers; none is defined",
        ),
        ({"root": {"handlers": [1]}}, "root.handlers.0: expected the name of one of the handlers"),
    ],
)
def test_each_mistake_has_its_key(config, expected):
    assert [str(mistake) for mistake in mistakes(config)] == [expected]


def test_an_incremental_one_names_what_is_there_already():
    config = {
        "incremental": True,
        "handlers": {"out": {"level": "INFO"}},
        "root": {"level": "INFO"},
    }
    assert mistakes(config) == []
