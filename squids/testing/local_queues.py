"""The queues of one test, in a local SQS."""

from __future__ import annotations

from squids.app import App, living
from squids.queues import QueueRef
from squids.testing.local_sqs import LocalSQS


class LocalQueues:
    """The value of the fixture `squids_local`. All apps of the process use it while the test runs."""

    def __init__(self, server: LocalSQS) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """The server's endpoint."""
        return self._server.url

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that make another process use this server."""
        return self._server.environment

    def begin(self) -> None:
        """Create the queues of all tasks."""
        self._forget_clients()
        self.create(*(app.queue_ref(task.queue).name for app in living for task in app.tasks.values()))

    def end(self) -> None:
        """Delete all queues."""
        for url in self._urls():
            self._server.call("DeleteQueue", {"QueueUrl": url})
        self._forget_clients()

    def create(self, *queues: str) -> None:
        """Create queues, by name, URL or ARN, each with a dead-letter queue. Existing ones are kept."""
        self._server.create(queues)

    def messages(self, queue: str) -> int:
        """Return the number of messages in a queue: visible, delayed or in flight."""
        url = f"{self._server.url}/123456789012/{QueueRef.parse(queue).name}"
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "Delayed", "NotVisible")]
        answer = self._server.call("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": names})
        return sum(int(answer["Attributes"][name]) for name in names)

    def drain(self, app: App) -> int:
        """Run the visible messages of an app's queues, and those sent meanwhile; return how many succeeded.

        They run in this process. Failures are logged and stay in flight.
        """
        consumers = [
            app.create_consumer(queue) for queue in dict.fromkeys(t.queue for t in app.tasks.values())
        ]
        done = 0
        received = True
        while received:
            results = [consumer.consume({"MaxNumberOfMessages": 10}) for consumer in consumers]
            received = any(result.received for result in results)
            done += sum(result.done for result in results)
        return done

    def _urls(self) -> list[str]:
        return list(self._server.call("ListQueues", {}).get("QueueUrls", ()))

    def _forget_clients(self) -> None:
        for app in living:
            app.sqs.forget()
