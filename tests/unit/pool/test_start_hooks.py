"""Hooks that must succeed: what is said and returned if one does not."""

from __future__ import annotations

import logging
import traceback

import pytest

import squids
from squids.exit_codes import ExitCode
from squids.pool.start_hooks import run_start_hooks


def run(error: BaseException | None = None) -> ExitCode:
    def connect() -> None:
        if error is not None:
            raise error

    return run_start_hooks("worker_start", "worker", connect)


def test_hooks_that_return_say_nothing(caplog):
    assert run() is ExitCode.OK
    assert caplog.records == []


@pytest.mark.parametrize("error", [OSError("no database"), SystemExit(0), GeneratorExit()])
def test_one_that_raises_is_a_failure_with_its_traceback(caplog, error):
    """Also one that exits with 0, which would look like the end of the work."""
    assert run(error) is ExitCode.FAILURE
    (record,) = caplog.records
    assert (record.levelno, record.action) == (logging.ERROR, "start_hook_failed")
    assert "a worker_start hook raised, so the worker cannot start" in record.getMessage()
    assert [frame.name for frame in traceback.extract_tb(record.exc_info[2])] == ["connect"]


def test_a_wrong_configuration_has_no_traceback_and_its_own_code(caplog):
    """What a person has to mend is in the sentence."""
    assert run(squids.ConfigurationError("SHOP_DATABASE is not set")) is ExitCode.CONFIG
    (record,) = caplog.records
    assert "SHOP_DATABASE is not set" in record.getMessage()
    assert record.exc_info is None


def test_ctrl_c_is_not_the_hooks(caplog):
    with pytest.raises(KeyboardInterrupt):
        run(KeyboardInterrupt())
    assert caplog.records == []
