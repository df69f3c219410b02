"""What an app's own process finds out about the app, and about its queues."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

import squids
import squids.testing
from squids.cli.app_child import check, queue_problems, send, tasks
from squids.queues import QueueRef

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/emails"


@pytest.fixture
def app() -> squids.App:
    app = squids.App("shop")

    @app.task(URL)
    def email_customer(to, *, urgent=False):
        """Write to a customer.

        In full.
        """

    @app.task("reports", name="shop.report", aliases=["shop.old.weekly"])
    def report() -> None: ...

    return app


def test_each_task_is_described_for_who_wants_to_send_it(app: squids.App) -> None:
    first, second = tasks(app, {})["tasks"]
    assert first["name"].endswith("email_customer")
    assert (first["queue"], first["queue_in_code"]) == ("emails", "emails")
    assert first["doc"] == "Write to a customer."
    assert first["signature"] == "(to, *, urgent=False)"
    assert first["place"].partition(":")[0].endswith("test_app_child.py")
    assert (second["queue"], second["doc"]) == ("reports", "")
    assert (second["name"], second["aliases"]) == ("shop.report", ["shop.old.weekly"])


def test_names_are_those_of_sqs_and_what_the_code_calls_them_is_said_too() -> None:
    app = squids.App("shop", queue_prefix="staging-")
    app.task("emails")(lambda: None)
    (task,) = tasks(app, {})["tasks"]
    assert (task["queue"], task["queue_in_code"]) == ("staging-emails", "emails")
    answer = check(app, {"aws": False, "queues": ["emails", "staging-emails"]})
    assert list(answer["tasks"]) == ["staging-emails"]
    assert answer["names"] == {"emails": ["staging-emails"], "staging-emails": ["staging-emails"]}


def test_a_check_names_the_tasks_of_each_queue_and_asks_sqs_only_if_told_to(app: squids.App) -> None:
    answer = check(app, {"aws": False, "queues": ["emails"]})
    assert answer["queues"] == {"emails": []}
    assert answer["names"] == {"emails": ["emails"]}
    assert [len(answer["tasks"][queue]) for queue in ("emails", "reports")] == [1, 1]


def test_a_check_without_sqs_still_reads_the_aws_configuration(
    app: squids.App, no_aws_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no network is needed for is said. A region may be the machine's, where the file will run."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    queue = "reports"
    assert check(app, {"aws": False, "queues": [queue]})["queues"] == {queue: []}
    monkeypatch.setenv("AWS_RETRY_MODE", "fast")
    (problem,) = check(app, {"aws": False, "queues": [queue]})["queues"][queue]
    assert "AWS_RETRY_MODE" in problem


def sent(app: squids.App, task: str, **spec: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"args": [], "kwargs": {}, "options": {}, "queue": None}
    with squids.testing.outbox(app):
        return send(app, {"task": task, **nothing, **spec})


def test_a_task_may_be_named_by_its_end(app: squids.App) -> None:
    answer = sent(app, "email_customer", args=["ada@example.com"])
    assert answer["task"].endswith(".email_customer")
    assert (answer["queue"], answer["url"]) == ("emails", URL)
    assert answer["message_id"]
    elsewhere = sent(app, answer["task"], args=["ada"], queue=URL.replace("emails", "others"))
    assert elsewhere["queue"] == "others"


@pytest.mark.parametrize("name", ["shop.old.weekly", "weekly", "report"])
def test_a_task_may_be_named_by_an_alias_and_is_sent_by_its_name(app: squids.App, name: str) -> None:
    """Consumers of the new name need no alias then."""
    with squids.testing.outbox(app) as box:
        answer = send(app, {"task": name, "args": [], "kwargs": {}, "options": {}, "queue": URL})
    assert answer["task"] == box.sent[0].task == "shop.report"


def test_arguments_that_do_not_fit_are_refused_with_the_signature(app: squids.App) -> None:
    answer = sent(app, "email_customer")
    assert "missing a required argument: 'to'; its signature is " in answer["refused"]
    assert answer["refused"].endswith(".email_customer(to, *, urgent=False)")


def test_an_end_that_several_have_is_refused_with_their_names() -> None:
    app = squids.App("shop")

    def first() -> str:
        return str(app.task("emails")(lambda: None).name)

    def second() -> str:
        return str(app.task("emails")(lambda: None).name)

    names = [first(), second()]
    assert sent(app, "<lambda>") == {"refused": f"several tasks end in <lambda>: {', '.join(names)}"}


def test_a_task_that_there_is_not_is_an_error(app: squids.App) -> None:
    with pytest.raises(squids.SquidsError, match="no_such_task"):
        sent(app, "no_such_task")


def test_what_sqs_refuses_is_said_with_the_queue(app: squids.App) -> None:
    answer = sent(app, "report", queue=URL, options={"DelaySeconds": 1000})
    assert answer["refused"].startswith("to emails: ")
    assert "DelaySeconds" in answer["refused"]


# What SQS says of a queue.


class Client:
    """One of a queue: what each call raises, or that SQS refuses it for what it says."""

    def __init__(self, redrive: dict[str, Any], **errors: Exception) -> None:
        self.redrive, self.errors = redrive, errors

    def __getattr__(self, call: str) -> Callable[..., Any]:
        def refuse(**_: Any) -> Any:
            raise self.errors.get(call) or refusal("InvalidParameterValue")

        return refuse

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        if "get_queue_attributes" in self.errors:
            raise self.errors["get_queue_attributes"]
        return self.redrive


class StubApp:
    """One whose SQS is that client."""

    def __init__(self, client: Client) -> None:
        self.sqs, self._client = self, client

    def sender(self, ref: QueueRef) -> StubApp:
        return self

    @property
    def client(self) -> Client:
        return self._client

    def queue_ref(self, queue: str) -> QueueRef:
        return QueueRef.parse(queue)

    def queue_url(self, ref: QueueRef) -> str:
        return URL


def refusal(code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}},  # type: ignore[typeddict-item]
        "Any",
    )


def policy(receives: int) -> dict[str, Any]:
    return {"Attributes": {"RedrivePolicy": f'{{"maxReceiveCount": {receives}}}'}}


def test_a_call_that_is_refused_for_what_it_says_is_allowed() -> None:
    """Nothing is changed by asking: no message is received, and no receipt is one."""
    assert queue_problems(StubApp(Client(policy(5))), "emails") == []


def test_each_call_that_is_not_allowed_is_named() -> None:
    client = Client(
        policy(5), delete_message=refusal("AccessDenied"), receive_message=refusal("AccessDenied")
    )
    found = queue_problems(StubApp(client), "emails")
    assert [text.partition(":")[0] for text in found] == ["ReceiveMessage", "DeleteMessage"]
    unreachable = EndpointConnectionError(endpoint_url=URL)
    (found_one,) = queue_problems(StubApp(Client(policy(5), change_message_visibility=unreachable)), "emails")
    assert found_one.startswith("ChangeMessageVisibility: ")


def test_a_queue_that_does_not_give_up_or_does_so_too_soon_is_said() -> None:
    (forever,) = queue_problems(StubApp(Client({})), "emails")
    assert forever.startswith("has no dead-letter queue")
    (soon,) = queue_problems(StubApp(Client(policy(1))), "emails")
    assert soon == "maxReceiveCount is 1: 3 or more survive a restart or two"
    (unseen,) = queue_problems(StubApp(Client({}, get_queue_attributes=refusal("AccessDenied"))), "emails")
    assert unseen.startswith("cannot see its redrive policy: ")


def test_a_queue_that_there_is_not_is_one_line() -> None:
    class Nowhere(StubApp):
        def queue_url(self, ref: QueueRef) -> str:
            raise refusal("AWS.SimpleQueueService.NonExistentQueue")

    assert len(queue_problems(Nowhere(Client({})), "emails")) == 1
