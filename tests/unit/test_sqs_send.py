"""How a client for sending is set up, and how often it tries. `test_sqs_deadline` has its time."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

import squids
from squids import sqs_send
from squids.queues import QueueRef
from squids.send_retries import CONNECT_TIMEOUT, READ_TIMEOUT, TRIES

QUEUE = QueueRef.parse("https://sqs.eu-west-1.amazonaws.com/1/emails")
AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def keys(no_aws_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")


def sender(config: Config | None = None) -> sqs_send.Sender:
    return squids.App("shop", {"config": config} if config else {}).sqs.sender(QUEUE)


def settings(made: sqs_send.Sender) -> tuple[Any, ...]:
    config = made.client.meta.config
    return config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"], made.tries


def test_the_time_outs_are_short_and_the_tries_are_ours() -> None:
    """Those that the page on AWS states."""
    assert settings(sender()) == (3, 10, 1, 5)
    assert squids.App("shop").sqs.send_timeout == 30


def test_what_the_users_config_sets_is_kept() -> None:
    assert settings(sender(Config(connect_timeout=7))) == (7, READ_TIMEOUT, 1, TRIES)
    assert settings(sender(Config(read_timeout=70))) == (CONNECT_TIMEOUT, 70, 1, TRIES)
    theirs = Config(retries={"total_max_attempts": 4, "mode": "standard"})
    assert settings(sender(theirs)) == (CONNECT_TIMEOUT, READ_TIMEOUT, 4, 1)


@pytest.mark.parametrize("variable", ["AWS_MAX_ATTEMPTS=7", "AWS_RETRY_MODE=legacy", "max_attempts = 7"])
def test_retries_of_the_environment_are_kept_too(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    if " " in variable:
        (tmp_path / "config").write_text(f"[default]\n{variable}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    else:
        monkeypatch.setenv(*variable.split("="))
    made = sender()
    assert made.tries == 1
    assert "legacy" in variable or made.client.meta.config.retries["total_max_attempts"] == 7


class Calls:
    """Fails with each of these in turn, then returns."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.made = list(errors), 0

    def __call__(self, _: object) -> str:
        self.made += 1
        if self.errors:
            raise self.errors.pop(0)
        return "sent"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs_send.time, "sleep", lambda _: None)


@pytest.mark.usefixtures("quick")
def test_it_tries_until_it_is_answered() -> None:
    calls = Calls(AWAY, AWAY)
    assert sender().call(calls) == "sent"
    assert calls.made == 3


@pytest.mark.usefixtures("quick")
def test_it_gives_up_with_the_last_error_and_says_how_often_it_tried() -> None:
    calls = Calls(*[EndpointConnectionError(endpoint_url="http://x") for _ in range(9)])
    with pytest.raises(EndpointConnectionError) as caught:
        sender().call(calls)
    assert calls.made == TRIES
    assert caught.value.__notes__ == [f"squids: gave up after {TRIES} tries"]


@pytest.mark.usefixtures("quick")
def test_what_no_try_can_mend_is_raised_at_once() -> None:
    calls = Calls(NoCredentialsError())
    with pytest.raises(NoCredentialsError):
        sender().call(calls)
    assert calls.made == 1


def test_the_error_of_a_send_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a note: what applications catch stays botocore's."""
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    app = squids.App("shop")

    @app.task(QUEUE.url or "")
    def mail() -> None: ...

    from botocore.exceptions import ProfileNotFound

    with pytest.raises(ProfileNotFound) as caught:
        mail.send()
    (note,) = caught.value.__notes__
    assert 'no profile "nobodys"' in note


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_send_timeout_is_above_zero(seconds: float) -> None:
    with pytest.raises(ValueError, match="send_timeout"):
        squids.App("shop", send_timeout=seconds)


def test_a_send_timeout_is_a_number() -> None:
    with pytest.raises(TypeError, match="send_timeout"):
        squids.App("shop", send_timeout="30")
