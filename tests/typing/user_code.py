"""What user code sees. Checked by mypy in tests/typing/test_typing.py, never run."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, assert_type

import squids
import squids.contrib.django
import squids.testing

app = squids.App(
    "typed", config={"region_name": "eu-west-1"}, queue_prefix="staging-", queue_names={"films": "movies"}
)


@app.task("emails")
def email_customer(to_addr: str, body: str = "", *, urgent: bool = False) -> int:
    """Send it."""
    return len(to_addr)


assert_type(email_customer("a", body="b"), int)
assert_type(email_customer.send("a", urgent=True), dict[str, Any])
assert_type(email_customer.send_job(args=("a",), options={"DelaySeconds": 5}), dict[str, Any])
assert_type(email_customer.name, str)


async def request() -> None:
    """Send without blocking."""
    assert_type(await email_customer.send_async("a", urgent=True), dict[str, Any])
    assert_type(await email_customer.send_job_async(args=("a",), queue="others"), dict[str, Any])


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


@app.worker_start
def connect() -> None:
    """Open what a worker needs."""


@app.consumer_stop
def close() -> bool:
    """Whatever it returns."""
    return True


@app.around_task
@contextmanager
def session(job: squids.Job) -> Iterator[None]:
    """Have a session."""
    yield


@app.around_task
def transaction(job: squids.Job) -> AbstractContextManager[str]:
    """Any context manager will do."""
    return nullcontext(job.task)


@app.on_failure
def alert(job: squids.Job, exception: BaseException) -> None:
    """See it fail."""


@app.on_success
def count(job: squids.Job) -> None:
    """See it done."""


class Greeter(squids.Task[[str], None]):
    """A class-based task."""

    queue = "emails"

    def run(self, name: str) -> None:
        """Greet."""


greeter = app.add_task(Greeter)
assert_type(greeter, Greeter)
greeter.send("Ann")


class Words:
    """A codec of its own."""

    def dumps(self, body: dict[str, Any], /) -> bytes:
        """Encode."""
        return b""

    def loads(self, body: str, /) -> Any:
        """Decode."""


squids.App("words", json=Words())


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
with app.create_consumer("emails") as consumer:
    assert_type(consumer, squids.Consumer)
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


app.worker_stop(lambda job: None)  # type: ignore[type-var]
app.on_failure(lambda job: None)  # type: ignore[type-var]
app.around_task(lambda job: None)  # type: ignore[type-var]
email_customer.send()  # type: ignore[call-arg]
email_customer.send(1)  # type: ignore[arg-type]
email_customer.send("a", urgency=True)  # type: ignore[call-arg]
greeter.send(5)  # type: ignore[arg-type]
squids.testing.eager("app")  # type: ignore[arg-type]


django_app = squids.contrib.django.App("typed", settings="shop.settings", queue_prefix="staging-")
squids.contrib.django.App("typed", queue_prefx="staging-")  # type: ignore[call-arg]


@django_app.task("emails")
def mail_receipt(order: int) -> int:
    """Send it."""
    return order


assert_type(mail_receipt(7), int)
mail_receipt.send_on_commit(7)
mail_receipt.send_on_commit("7")  # type: ignore[arg-type]
mail_receipt.send_job_on_commit([7], using="archive", robust=True)
squids.contrib.django.send_on_commit(email_customer, "a", urgent=True)
squids.contrib.django.send_on_commit(email_customer, 7)  # type: ignore[arg-type]
