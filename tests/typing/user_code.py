"""What user code sees. Checked by mypy in tests/typing/test_typing.py, never run."""

from typing import Any, assert_type

import squids
import squids.testing

app = squids.App("typed", config={"region_name": "eu-west-1"})


@app.task("emails")
def email_customer(to_addr: str, body: str = "", *, urgent: bool = False) -> int:
    """Send it."""
    return len(to_addr)


assert_type(email_customer("a", body="b"), int)
assert_type(email_customer.send("a", urgent=True), dict[str, Any])
assert_type(email_customer.send_job(args=("a",), options={"DelaySeconds": 5}), dict[str, Any])
assert_type(email_customer.name, str)
assert_type(email_customer.queue, str)


@app.pre_send
def before(queue_name: str, body: dict[str, Any]) -> None:
    """See it go."""


@app.pre_task
def start(task: "squids.Task[..., Any]") -> None:
    """See it start."""


@app.report_queue_stats
def report(queue_stats: squids.QueueStats) -> None:
    """Count."""
    assert_type(queue_stats.queue_name, str)


class Greeter(squids.Task[[str], None]):
    """A class-based task."""

    queue = "emails"

    def run(self, name: str) -> None:
        """Greet."""


greeter = app.add_task(Greeter)
assert_type(greeter, Greeter)
greeter.send("Ann")


class Configured(squids.Task[[int], str]):
    """One with an `__init__` of its own."""

    queue = "emails"
    aliases = ("old.Configured",)

    def __init__(self, host: str) -> None:
        self.host = host

    def run(self, number: int) -> str:
        """Say where."""
        return self.host


assert_type(app.add_task(Configured("localhost"), name="typed.configured"), Configured)


@app.task("emails", name="typed.named", aliases=["old.named"])
def named(number: int) -> int:
    """Have a name."""
    return number


assert_type(named(1), int)

result = app.create_consumer("emails").consume(options={"WaitTimeSeconds": 5})
assert_type(result.done, int)
job = squids.current_job()
if job is not None:
    assert_type(job.id, str)

with squids.testing.eager(app):
    email_customer.send("a")

with squids.testing.outbox(app, max_receives=3) as box:
    assert_type(box["emails"], list[squids.testing.Sent])
    assert_type(box.run_all(), list[squids.testing.Run])
    box.clock.advance(60)


def test_fixtures(squids_outbox: squids.testing.Outbox, squids_local: squids.testing.LocalQueues) -> None:
    """What the fixtures are."""
    assert_type(squids_outbox["emails"][0].arguments, dict[str, Any])
    assert_type(squids_local.drain(app), int)


email_customer.send()  # type: ignore[call-arg]
email_customer.send(1)  # type: ignore[arg-type]
email_customer.send("a", urgency=True)  # type: ignore[call-arg]
greeter.send(5)  # type: ignore[arg-type]
squids.testing.eager("app")  # type: ignore[arg-type]
