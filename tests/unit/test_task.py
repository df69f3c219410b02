"""A task: called here, or sent; and what cannot be one. The SQS is one that notes what it is sent."""

from __future__ import annotations

import functools
import inspect
import json
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import squids
from squids.job import CURRENT, Job
from squids.queues import QueueRef
from squids.task import check_function, signature_text
from tests.support import sample_tasks


class Transport:
    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any], dict[str, Any]]] = []

    def send(self, ref: QueueRef, body: str, options: dict[str, Any]) -> dict[str, Any]:
        self.sent.append((ref.name, json.loads(body), options))
        return {"MessageId": "m1"}

    def forget(self) -> None:
        """Asked of each living app's, also in later tests, by a local SQS."""


@pytest.fixture
def app() -> squids.App:
    made = squids.App("shop")
    made.sqs = Transport()
    return made


@pytest.fixture
def mail(app):
    @app.task("emails")
    def mail(to, subject="none", *, urgent=False):
        """Send a mail."""
        return (to, subject, urgent)

    return mail


def test_called_it_runs_here_like_the_function_that_it_is(app, mail):
    assert mail("a", urgent=True) == mail.run("a", urgent=True) == ("a", "none", True)
    assert (mail.__name__, mail.__doc__) == ("mail", "Send a mail.")
    assert app.sqs.sent == []


def test_sent_it_is_a_message_to_its_queue(app, mail):
    """Positional arguments stay so, as the original SQuidS has them."""
    assert mail.send("a", urgent=True) == {"MessageId": "m1"}
    body = {"task": mail.name, "args": ["a"], "kwargs": {"urgent": True}}
    assert app.sqs.sent == [("emails", body, {})]


def test_a_job_may_have_options_and_another_queue(app, mail):
    mail.send_job(["a"], {"subject": "b"}, {"DelaySeconds": 3}, queue="others")
    ((queue, body, options),) = app.sqs.sent
    assert (queue, options) == ("others", {"DelaySeconds": 3})
    assert (body["args"], body["kwargs"]) == (["a", "b"], {})


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ({}, "missing a required argument: 'to'"),
        ({"args": ["a", "b", "c"]}, "too many positional arguments"),
        ({"args": ["a"], "kwargs": {"form": "html"}}, "unexpected keyword argument 'form'"),
        ({"args": [object()]}, 'argument "to" cannot be sent as JSON'),
        ({"args": ["a"], "kwargs": {"urgent": {1}}}, 'argument "urgent" cannot be sent as JSON'),
        ({"args": [float("nan")]}, 'argument "to" cannot be sent as JSON'),
        ({"args": ["a"], "options": {"MessageBody": "x"}}, "the body is the call itself"),
        ({"args": ["a"], "options": {"DelaySecond": 1}}, 'did you mean "DelaySeconds"?'),
        ({"args": ["a"], "options": {"zzz": 1}}, "known options: "),
    ],
)
def test_what_no_worker_could_run_is_refused_before_it_is_sent(app, mail, job, says):
    """Its sender has the mistake, not a consumer at night. No hook has seen it either."""
    app.pre_send(lambda *_: pytest.fail("a hook was called"))
    with pytest.raises(TypeError) as caught:
        mail.send_job(**job)
    assert says in str(caught.value)
    assert app.sqs.sent == []


def test_a_hook_before_the_send_may_change_the_body_and_one_after_it_sees_the_answer(app, mail):
    seen = []

    @app.pre_send
    def trace(queue, body):
        body["trace"] = "t1"
        body["kwargs"]["urgent"] = True

    app.post_send(lambda queue, body, response: seen.append((queue, body["trace"], response)))
    mail.send("a")
    ((_, body, _),) = app.sqs.sent
    assert body == {"task": mail.name, "args": ["a"], "kwargs": {"urgent": True}, "trace": "t1"}
    assert seen == [("emails", "t1", {"MessageId": "m1"})]


def test_a_hook_before_the_send_may_stop_it(app, mail):
    @app.pre_send
    def forbid(queue, body):
        raise PermissionError(queue)

    app.post_send(lambda *_: pytest.fail("nothing was sent"))
    with pytest.raises(PermissionError):
        mail.send("a")
    assert app.sqs.sent == []


def test_its_id_is_that_of_the_message_that_runs_it(app, mail):
    """Not that of another task, which may call this one like a function."""
    assert mail.id is None
    for name, seen in ((mail.name, "m1"), ("shop.other", None)):
        token = CURRENT.set(Job("m1", "emails", name, 1, None, (), {}))
        assert mail.id == seen
        CURRENT.reset(token)


def test_a_decorator_above_a_task_leaves_it_sendable(app, mail):
    @functools.wraps(mail)
    def above(*args, **kwargs):
        return mail(*args, **kwargs)

    above.send("a")
    assert app.sqs.sent[0][1]["task"] == mail.name


def test_a_class_is_a_task_by_its_run_method(app):
    class Mail(squids.Task):
        queue = "emails"

        def run(self, to):
            return to

    mail = app.add_task(Mail)
    assert mail.name == f"{__name__}.{Mail.__qualname__}"
    assert mail("a") == "a"
    mail.send("a")
    assert app.sqs.sent[0][:2] == ("emails", {"task": mail.name, "args": ["a"], "kwargs": {}})


def test_a_task_of_a_module_is_pickled_by_its_name():
    """For a pool of processes, which import it."""
    assert pickle.loads(pickle.dumps(sample_tasks.add)) is sample_tasks.add


class Static:
    @staticmethod
    def mail(to):
        return to

    @classmethod
    def other(cls):
        pass

    def method(self, to):
        pass


async def coroutine():
    pass


def generator():
    yield


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (Static.__dict__["other"], "a classmethod cannot be a task"),
        (Static.method, "Static.method is a method"),
        (Static, "for a class, use app.add_task"),
        (sample_tasks.add, "is a task already"),
        ("mail", "app.task decorates a function, not 'mail'"),
        (functools.partial(print, 1), "has no name that a message could carry"),
        (coroutine, "coroutine is async"),
        (generator, "generator is a generator"),
    ],
)
def test_what_cannot_be_a_task_is_refused_with_the_reason(function, says):
    """Each would seem to work until a message of it runs."""
    with pytest.raises(TypeError) as caught:
        check_function(function)
    assert says in str(caught.value)


def test_a_static_method_is_a_function():
    assert check_function(Static.__dict__["mail"]) is Static.mail


def of_a_script():
    """A function that stands at the top of a script."""

    def mail():
        pass

    mail.__module__, mail.__qualname__ = "__main__", "mail"
    return mail


@pytest.mark.parametrize(
    ("main", "module"),
    [
        ({"__spec__": types.SimpleNamespace(name="shop.tasks")}, "shop.tasks"),
        ({"__spec__": None, "__file__": "/srv/tasks.py"}, "tasks"),
    ],
    ids=["python -m", "a script"],
)
def test_a_task_of_a_script_has_the_name_that_a_consumer_imports(app, monkeypatch, main, module):
    """Not `__main__`, which is another module there."""
    monkeypatch.setitem(sys.modules, "__main__", types.SimpleNamespace(**main))
    mail = app.task("emails")(of_a_script())
    assert mail.name == f"{module}.mail"
    mail.send()


@pytest.mark.parametrize("file", [None, "/srv/my-tasks.py", "/srv/class.py", "/srv/tasks"])
def test_a_script_that_nobody_can_import_sends_nothing(app, monkeypatch, file):
    """An interactive interpreter, and a name that is none of Python's."""
    monkeypatch.setitem(sys.modules, "__main__", types.SimpleNamespace(__spec__=None, __file__=file))
    mail = app.task("emails")(of_a_script())
    with pytest.raises(RuntimeError, match="move it to a module"):
        mail.send()
    assert app.sqs.sent == []


def test_a_signature_is_shown_as_it_was_written():
    """This module has its annotations as strings, as many apps have; their quotes are nobody's."""

    def charge(order_id: int, to: str = "x", *, card: Path | None = None) -> None: ...

    assert signature_text(inspect.signature(charge)) == (
        "(order_id: int, to: str = 'x', *, card: Path | None = None) -> None"
    )
