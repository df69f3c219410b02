"""The fixtures that come with squids, as pytest finds them."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any

import pytest

import squids
from squids.testing import local_queues, plugin


def test_pytest_finds_them_without_a_conftest(request: pytest.FixtureRequest) -> None:
    names = [point.value for point in entry_points(group="pytest11") if point.name == "squids"]
    assert names == ["squids.testing.plugin"]
    box = request.getfixturevalue("squids_outbox")
    app = squids.App("shop")
    app.task("emails")(lambda: None).send()
    assert len(box["emails"]) == 1


def test_a_local_sqs_is_all_of_aws_that_a_test_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person's own profile must not lead it to real queues. Queues are made before it and removed after it."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    order: list[str] = []

    class Queues:
        def __init__(self, server: Any) -> None:
            self.server = server

        def begin(self) -> None:
            order.append(f"begin at {os.environ['AWS_ENDPOINT_URL_SQS']}")

        def end(self) -> None:
            order.append("end")

    monkeypatch.setattr(local_queues, "LocalQueues", Queues)
    server: Any = SimpleNamespace(environment={"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"})
    with pytest.MonkeyPatch.context() as within:
        fixture = plugin.squids_local.__wrapped__(server, within)
        assert next(fixture).server is server
        assert order == ["begin at http://127.0.0.1:1"]
        assert "AWS_PROFILE" not in os.environ
        assert next(fixture, None) is None
    assert order[1:] == ["end"]
    assert os.environ["AWS_PROFILE"] == "production"


def test_a_server_that_does_not_start_fails_the_test_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is missing is an extra: that is all there is to say."""
    from squids.testing.local_sqs import LocalSQS, LocalSQSFailed

    def fail() -> LocalSQS:
        raise LocalSQSFailed("a local SQS needs moto's server")

    monkeypatch.setattr(LocalSQS, "start", fail)
    with pytest.raises(pytest.fail.Exception, match="needs moto's server") as failed:
        next(plugin._squids_local_server.__wrapped__())
    assert not failed.value.pytrace
