"""What botocore says about credentials in a consumer's log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import UnauthorizedSSOTokenError

from squids.pool import credential_log

CREDENTIALS = logging.getLogger("botocore.credentials")


@pytest.fixture
def filtered() -> Iterator[None]:
    credential_log.shorten()
    credential_log.shorten()  # A second time adds nothing.
    yield
    for name in credential_log.LOGGERS:
        logger = logging.getLogger(name)
        assert len(logger.filters) == 1
        logger.filters.clear()


@pytest.fixture
def refresh_fails() -> Callable[[str], None]:
    """Log as botocore does."""

    def fail(period: str) -> None:
        try:
            raise UnauthorizedSSOTokenError
        except UnauthorizedSSOTokenError:
            text = "Refreshing temporary credentials failed during %s refresh period."
            CREDENTIALS.warning(text, period, exc_info=True)

    return fail


@pytest.mark.usefixtures("filtered")
def test_what_is_raised_too_is_not_logged(
    refresh_fails: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The consumer says it itself."""
    refresh_fails("mandatory")
    assert not caplog.records


@pytest.mark.usefixtures("filtered")
def test_what_is_to_come_is_one_line_and_said_once(
    refresh_fails: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(3):
        refresh_fails("advisory")
    (record,) = caplog.records
    assert "aws sso login" in record.getMessage()
    assert record.exc_info is None
    monkeypatch.setattr(credential_log, "AGAIN_AFTER", 0.0)
    refresh_fails("advisory")
    assert len(caplog.records) == 2


@pytest.mark.usefixtures("filtered")
def test_other_records_pass(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "botocore.credentials")
    CREDENTIALS.info("Found credentials in environment variables.")
    CREDENTIALS.warning("something else")
    assert len(caplog.records) == 2
