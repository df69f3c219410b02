"""Every sentence of the user's guide that is about the library, against a real SQS server."""

from __future__ import annotations

import inspect
import json
import logging
import pickle
import threading
from typing import Any

import pytest

import squids

pytestmark = pytest.mark.usefixtures("aws_environment")


@pytest.fixture
def queue(new_queue):
    """A queue's name and URL; what it holds is hidden for no time, so that it can be looked at again."""
    return new_queue(VisibilityTimeout=0)


@pytest.fixture
def app():
    return squids.App("my-app")


def bodies(client, url: str) -> list[dict[str, Any]]:
    answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


class TestApplication:
    """Application."""

    def test_it_takes_a_name_and_optionally_config(self, app):
        """It takes two arguments, name and config, the latter of which is optional."""
        assert app.name == "my-app"
        parameters = inspect.signature(squids.App).parameters.values()
        assert [one.name for one in parameters if one.kind is not one.KEYWORD_ONLY] == ["name", "config"]

    def test_config_is_what_session_resource_takes(self, sqs_endpoint, monkeypatch, queue):
        """Config is a dictionary of values that are passed to boto3.session.Session.resource."""
        for name in ("AWS_ENDPOINT_URL_SQS", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"):
            monkeypatch.delenv(name)
        from botocore.config import Config

        app = squids.App(
            "my-app",
            config={
                "aws_access_key_id": "abc",
                "aws_secret_access_key": "secret",
                "region_name": "us-east-1",
                "endpoint_url": sqs_endpoint,
                "use_ssl": False,
                "verify": False,
                "config": Config(connect_timeout=3),
            },
        )
        assert app.get_queue_by_name(queue[0]) == queue[1]
        assert app.sqs.client().meta.config.connect_timeout == 3

    def test_config_has_all_of_session_resources_keys(self):
        """Every keyword of Session.resource is taken, so that none is missing when boto3 grows."""
        import boto3.session

        from squids.sqs import CONFIG_KEYS

        theirs = set(inspect.signature(boto3.session.Session.resource).parameters)
        assert set(CONFIG_KEYS) == theirs - {"self", "service_name"}

    def test_an_unknown_key_is_told_at_construction(self):
        """An unknown key is a TypeError that names it."""
        with pytest.raises(TypeError, match=r'"region".*did you mean "region_name"'):
            squids.App("my-app", config={"region": "us-east-1"})

    def test_registering_a_task(self, app, queue):
        """app.task takes the queue's name and registers the function with the app."""

        @app.task(queue[0])
        def email_customer(to_addr: str, from_addr: str, body: str) -> str:
            """Send it."""
            return f"{to_addr} {from_addr} {body}"

        task = app.tasks[email_customer.name]
        assert task is email_customer
        assert email_customer.queue == queue[0]
        assert email_customer.__name__ == "email_customer"
        assert email_customer.__doc__ == "Send it."
        assert list(inspect.signature(email_customer).parameters) == ["to_addr", "from_addr", "body"]
        parameters = inspect.signature(app.task).parameters.values()
        assert [one.name for one in parameters if one.kind is not one.KEYWORD_ONLY] == ["queue"]
        assert all(one.default is not one.empty for one in parameters if one.name != "queue")


class TestSending:
    """Sending tasks."""

    @pytest.fixture
    def email_customer(self, app, queue):
        @app.task(queue[0])
        def email_customer(to_addr, from_addr, body="Hello!"):
            return f"{to_addr} {from_addr} {body}"

        return email_customer

    def test_send_puts_the_call_into_the_queue(self, email_customer, sqs_client, queue):
        """Task.send sends the task into the specified queue."""
        response = email_customer.send("foo@domain.com", "bar@domain.com", body="Hi")
        (body,) = bodies(sqs_client, queue[1])
        assert body["task"] == email_customer.name
        assert [*body["args"], *body["kwargs"].values()] == ["foo@domain.com", "bar@domain.com", "Hi"]
        assert response["MessageId"]
        assert response["MD5OfMessageBody"]
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 200

    def test_send_job_takes_args_kwargs_and_options(self, email_customer, sqs_client, queue):
        """Task.send_job takes args, kwargs and options, and gives the same response."""
        response = email_customer.send_job(
            args=("foo@domain.com",),
            kwargs={"from_addr": "bar@domain.com"},
            options={"MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}}},
        )
        assert response["MD5OfMessageAttributes"]
        (body,) = bodies(sqs_client, queue[1])
        assert "foo@domain.com" in body["args"]

    def test_options_delay(self, email_customer, sqs_client, queue):
        """options={"DelaySeconds": 5} delays the message."""
        email_customer.send_job(args=("a", "b"), kwargs={}, options={"DelaySeconds": 600})
        assert bodies(sqs_client, queue[1]) == []
        names = ["ApproximateNumberOfMessagesDelayed"]
        counts = sqs_client.get_queue_attributes(QueueUrl=queue[1], AttributeNames=names)["Attributes"]
        assert counts[names[0]] == "1"

    @pytest.mark.parametrize(
        ("args", "kwargs"), [((), {}), (("a",), {}), (("a", "b", "c", "d"), {}), (("a", "b"), {"x": 1})]
    )
    def test_arguments_have_to_match_the_signature(self, email_customer, sqs_client, queue, args, kwargs):
        """If arguments do not match the signature, a TypeError is raised, and nothing is sent."""
        with pytest.raises(TypeError, match="email_customer"):
            email_customer.send(*args, **kwargs)
        with pytest.raises(TypeError, match="email_customer"):
            email_customer.send_job(args, kwargs)
        assert bodies(sqs_client, queue[1]) == []

    @pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", float("nan"), {"deep": [object()]}])
    def test_what_json_cannot_carry_is_refused(self, email_customer, sqs_client, queue, value):
        """What json cannot serialize cannot be sent; the error names the argument."""
        with pytest.raises(TypeError, match='"body"'):
            email_customer.send("a", "b", value)
        with pytest.raises(TypeError, match='"body"'):
            email_customer.send("a", "b", body=value)
        assert bodies(sqs_client, queue[1]) == []

    def test_options_refuse_the_body_and_the_unknown(self, email_customer, sqs_client, queue):
        """Options takes what send_message takes except for the MessageBody."""
        with pytest.raises(TypeError, match="MessageBody"):
            email_customer.send_job(args=("a", "b"), options={"MessageBody": "x"})
        with pytest.raises(TypeError, match='did you mean "DelaySeconds"'):
            email_customer.send_job(args=("a", "b"), options={"DelaySecond": 5})
        assert bodies(sqs_client, queue[1]) == []

    def test_options_have_all_that_send_message_takes(self):
        """Every parameter of SendMessage but the queue and the body is an option."""
        import botocore.session

        from squids.sqs_limits import SEND_OPTIONS

        model = botocore.session.Session().get_service_model("sqs").operation_model("SendMessage")
        assert set(SEND_OPTIONS) == set(model.input_shape.members) - {"QueueUrl", "MessageBody"}

    def test_calling_it_runs_it_here(self, email_customer, sqs_client, queue):
        """Called, the function runs in process like normal, and nothing is sent."""
        assert email_customer("a", "b") == "a b Hello!"
        assert bodies(sqs_client, queue[1]) == []

    def test_to_another_queue(self, email_customer, sqs_client, queue, new_queue):
        """One call can be sent to another queue."""
        other = new_queue(VisibilityTimeout=0)
        email_customer.send_job(args=("a", "b"), queue=other[0])
        email_customer.send_job(args=("a", "b"), queue=other[1])
        assert bodies(sqs_client, queue[1]) == []
        assert len(bodies(sqs_client, other[1])) >= 1

    def test_fifo(self, app, sqs_client, new_queue):
        """Options carry the group of a FIFO queue."""
        name, _url = new_queue("guide.fifo", FifoQueue="true", VisibilityTimeout=0)

        @app.task(name)
        def ordered(n):
            """Ordered."""

        response = ordered.send_job((1,), options={"MessageGroupId": "g", "MessageDeduplicationId": "1"})
        assert response["SequenceNumber"]


class TestConsuming:
    """Consuming tasks."""

    def test_consume_runs_and_deletes(self, app, queue, sqs_client):
        """consumer.consume fetches messages and runs the function associated with each; options are those of
        receive_messages; what succeeded is deleted."""
        ran = []

        @app.task(queue[0])
        def email_customer(to_addr):
            ran.append((to_addr, squids.current_job()))

        sent = [email_customer.send(name)["MessageId"] for name in ("a", "b", "c")]
        consumer = app.create_consumer(queue[0])
        result = consumer.consume(
            options={"WaitTimeSeconds": 1, "MaxNumberOfMessages": 10, "VisibilityTimeout": 30}
        )
        assert (result.received, result.done, result.failed) == (3, 3, 0)
        assert sorted(name for name, _ in ran) == ["a", "b", "c"]
        job = ran[0][1]
        assert job.id in sent
        assert (job.queue, job.task, job.receive_count) == (queue[0], email_customer.name, 1)
        assert job.sent_at.tzinfo is not None
        assert squids.current_job() is None
        assert bodies(sqs_client, queue[1]) == []
        assert consumer.consume().received == 0

    def test_one_bad_message_never_stops_the_rest(self, app, queue, sqs_client, caplog):
        """One receive: what cannot be run stays, what raises stays, the rest is done."""
        ran = []

        @app.task(queue[0])
        def work(name):
            if name == "bad":
                raise ValueError("no good")
            ran.append(name)

        @app.task(queue[0])
        def leave():
            raise SystemExit(0)

        work.send("first")
        sqs_client.send_message(QueueUrl=queue[1], MessageBody="not json")
        work.send("bad")
        leave.send()
        sqs_client.send_message(
            QueueUrl=queue[1], MessageBody=json.dumps({"task": "x", "args": [], "kwargs": {}})
        )
        work.send("last")
        with caplog.at_level(logging.ERROR, "squids"):
            result = app.create_consumer(queue[0]).consume(
                {"MaxNumberOfMessages": 10, "VisibilityTimeout": 60}
            )
        assert ran == ["first", "last"]
        assert (result.received, result.done, result.failed) == (6, 2, 4)
        assert len(caplog.records) == 4
        assert all(record.message_id for record in caplog.records)

    def test_a_queue_by_url(self, app, queue):
        """A consumer can be made by URL as by name."""

        @app.task(queue[0])
        def work():
            """Work."""

        work.send()
        assert app.create_consumer(queue[1]).consume().done == 1


class TestHooks:
    """Application hooks."""

    def test_they_run_in_order_around_sends_and_tasks(self, app, queue):
        """pre_send, post_send, pre_task and post_task get what the guide says, in order of registration,
        whether they were registered before or after the task."""
        seen: list[tuple[Any, ...]] = []

        @app.pre_send
        def before_send(queue_name, body):
            seen.append(("pre_send", queue_name, dict(body)))

        @app.task(queue[0])
        def work(n):
            seen.append(("work", n))

        @app.pre_send
        def before_send_too(queue_name, body):
            seen.append(("pre_send 2",))

        @app.post_send
        def after_send(queue_name, body, response):
            seen.append(("post_send", queue_name, body["args"], response["MessageId"]))

        @app.pre_task
        def before_task(task):
            seen.append(("pre_task", task, task.id))

        @app.after_task
        def after_task(task):
            seen.append(("after_task", task))

        @app.post_task
        def post_task(task):
            seen.append(("post_task", task))

        message_id = work.send(1)["MessageId"]
        app.create_consumer(queue[0]).consume()
        assert seen == [
            ("pre_send", queue[0], {"task": work.name, "args": [1], "kwargs": {}}),
            ("pre_send 2",),
            ("post_send", queue[0], [1], message_id),
            ("pre_task", work, message_id),
            ("work", 1),
            ("after_task", work),
            ("post_task", work),
        ]

    def test_a_raising_pre_send_stops_the_send(self, app, queue, sqs_client):
        """pre_send raising: the sender hears of it, and nothing is sent."""

        @app.task(queue[0])
        def work():
            """Work."""

        @app.pre_send
        def no(queue_name, body):
            raise RuntimeError("not today")

        with pytest.raises(RuntimeError, match="not today"):
            work.send()
        assert bodies(sqs_client, queue[1]) == []

    def test_a_raising_post_send_is_logged(self, app, queue, sqs_client, caplog):
        """post_send raising: the message is sent, so the sender gets its response."""

        @app.task(queue[0])
        def work():
            """Work."""

        @app.post_send
        def no(queue_name, body, response):
            raise RuntimeError("too late")

        assert work.send()["MessageId"]
        assert "too late" in caplog.text
        assert len(bodies(sqs_client, queue[1])) == 1

    def test_a_raising_pre_task_fails_the_message(self, app, queue, sqs_client):
        """pre_task raising: the task does not run, and the message fails."""
        ran = []

        @app.task(queue[0])
        def work():
            ran.append(1)

        @app.pre_task
        def no(task):
            raise RuntimeError("not today")

        work.send()
        assert app.create_consumer(queue[0]).consume().failed == 1
        assert ran == []
        assert len(bodies(sqs_client, queue[1])) == 1

    def test_a_raising_post_task_is_logged(self, app, queue, sqs_client, caplog):
        """post_task raising: the task has run, so the message is deleted. It also runs after a failure."""
        after = []

        @app.task(queue[0])
        def work(fails):
            if fails:
                raise ValueError

        @app.post_task
        def no(task):
            after.append(task)
            raise RuntimeError("too late")

        work.send(False)
        assert app.create_consumer(queue[0]).consume().done == 1
        assert "too late" in caplog.text
        assert bodies(sqs_client, queue[1]) == []
        work.send(True)
        assert app.create_consumer(queue[0]).consume().failed == 1
        assert len(after) == 2

    def test_queue_stats(self, app, queue):
        """queue_stats maps GetQueueAttributes with numbers as int, and knows the queue's name."""
        from squids.queues import QueueRef

        client = app.sqs.queue_client(QueueRef.parse(queue[0]), wait_seconds=0, connections=1)
        stats = client.attributes()
        assert stats["ApproximateNumberOfMessages"] == 0
        assert stats["QueueArn"].endswith(queue[0])
        assert stats.queue_name == queue[0]


class TestAroundTheGuide:
    """What the original has, and what people do with functions."""

    def test_class_based_tasks(self, app, queue):
        """A subclass of squids.Task with queue and run is registered with add_task."""
        ran = []

        class Greeter(squids.Task):
            def run(self, name, greeting="hello"):
                ran.append(f"{greeting} {name}")

        Greeter.queue = queue[0]
        greeter = app.add_task(Greeter)
        greeter.send("Ann", greeting="hi")
        with pytest.raises(TypeError):
            greeter.send()
        app.create_consumer(queue[0]).consume()
        greeter("Bob")
        assert ran == ["hi Ann", "hello Bob"]
        assert greeter.name.endswith("Greeter")

    def test_two_tasks_of_one_name(self, app, queue):
        """Two tasks of one name are an error at definition."""

        def make():
            @app.task(queue[0])
            def work():
                """Work."""

        make()
        with pytest.raises(squids.DuplicateTask, match="work"):
            make()

    def test_what_cannot_be_a_task_is_refused_with_a_reason(self, app):
        """Methods, classmethods, async functions and generators are refused."""
        with pytest.raises(TypeError, match="method"):

            class A:
                @app.task("q")
                def work(self):
                    """Work."""

        with pytest.raises(TypeError, match="method"):

            class B:
                @classmethod
                @app.task("q")
                def work(cls):
                    """Work."""

        with pytest.raises(TypeError, match="classmethod"):

            class C:
                @app.task("q")
                @classmethod
                def work(cls):
                    """Work."""

        with pytest.raises(TypeError, match="async"):

            @app.task("q")
            async def work():
                """Work."""

        with pytest.raises(TypeError, match="generator"):

            @app.task("q")
            def numbers():
                yield 1

        with pytest.raises(TypeError, match="name"):

            @app.task
            def bare():
                """No queue."""

    def test_decorators_below_and_above(self, app, queue):
        """functools.wraps below is part of the task; above, the wrapper can still be sent."""
        import functools

        calls = []

        def traced(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                calls.append("traced")
                return function(*args, **kwargs)

            return wrapper

        @app.task(queue[0])
        @traced
        def below(name):
            calls.append(name)

        @traced
        @app.task(queue[0])
        def above(name):
            calls.append(name)

        below.send("below")
        with pytest.raises(TypeError):
            below.send()
        app.create_consumer(queue[0]).consume()
        assert calls == ["traced", "below"]
        above.send("above")
        app.create_consumer(queue[0]).consume()
        assert calls[2:] == ["above"]

    def test_a_static_method_is_a_function(self, app, queue):
        """A staticmethod can be a task, either way round."""
        ran = []

        class Jobs:
            @staticmethod
            @app.task(queue[0])
            def one(n):
                ran.append(n)

        Jobs.one.send(1)
        app.create_consumer(queue[0]).consume()
        assert ran == [1]

    def test_threads_share_an_app(self, app, queue):
        """Sends from many threads at once all arrive."""

        @app.task(queue[0])
        def work(n):
            """Work."""

        threads = [threading.Thread(target=work.send, args=(n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done = 0
        while result := app.create_consumer(queue[0]).consume({"MaxNumberOfMessages": 10}).done:
            done += result
        assert done == 10


def test_a_task_of_a_module_can_be_pickled():
    """A task is pickled by name, like the function it stands for."""
    from tests.support import sample_tasks

    assert pickle.loads(pickle.dumps(sample_tasks.add)) is sample_tasks.add


def test_a_message_of_many_bytes_of_any_script_fits(strict_sqs):
    """Of 600 kB of Chinese, each character takes three bytes, not the six of its escape: SQS takes 1 MiB."""
    strict_sqs.create("texts")
    url, region = strict_sqs.endpoint_url, "us-east-1"
    app, ran = squids.App("my-app", config={"endpoint_url": url, "region_name": region}), []

    @app.task("texts")
    def read(text: str) -> None:
        ran.append(text)

    text = "漢" * 200_000
    read.send(text)
    assert app.create_consumer("texts").consume().done == 1
    assert ran == [text]
