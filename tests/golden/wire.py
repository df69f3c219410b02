"""What travels: messages to SQS, and frames between squids' own processes."""

from __future__ import annotations

import json
from typing import Any, get_args

import squids
from squids.process.frames import encode
from squids.process.protocol import PROTOCOL, Frame, from_wire, to_wire
from tests.support.servers import CREDENTIALS
from tests.support.strict_sqs import StrictSQS


def messages(server: StrictSQS) -> str:
    """What the server is asked for by calls that the library sends: a block for each."""
    server.create("emails")
    server.create("orders.fifo")
    _send_all(server.endpoint_url)
    asked = [
        {**data, "QueueUrl": data["QueueUrl"].rpartition("/")[2]} for data in server.asked("SendMessage")
    ]
    return "\n\n".join(
        "\n".join(f"{key}: {_shown(value)}" for key, value in sorted(a.items())) for a in asked
    )


def _shown(value: Any) -> str:
    """A text as it is sent."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _send_all(endpoint: str) -> None:
    app = squids.App(
        "golden",
        {
            "endpoint_url": endpoint,
            "region_name": CREDENTIALS["AWS_DEFAULT_REGION"],
            "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        },
    )

    def function(*args: Any, **kwargs: Any) -> None: ...

    function.__module__, function.__qualname__ = "shop", "Customers.grüße"
    task = app.task("emails")(function)
    task.send()
    task.send("ada@example.com", 1, 2.5, None, True)
    task.send(to="ada@example.com", lines=[{"sku": "A", "count": 2}])
    task.send("€ 5", naïve="ünïcode \u2028")
    attributes = {"trace": {"DataType": "String", "StringValue": "1-2"}}
    task.send_job([1], {"b": 2}, {"DelaySeconds": 5, "MessageAttributes": attributes})
    fifo = {"MessageGroupId": "ada", "MessageDeduplicationId": "order-1"}
    task.send_job([1], {"b": 2}, fifo, queue="orders.fifo")
    app.pre_send(lambda queue, body: body.update(tenant="acme"))
    task.send(1, b=2)


FACTS = {
    "imported_at": 1700000000.5,
    "files": [["/srv/shop/tasks.py", 1700000000000000000, 512]],
}
FIGURES = {
    "paused": False,
    "workers": 2,
    "ready": 1,
    "busy": 1,
    "held": 3,
    "done": 40,
    "failed": 2,
    "p50": 0.25,
    "p95": 1.5,
    "running": [
        {"worker": 0, "pid": 101, "task": "shop.email_customer", "message_id": "m-1", "started": 12.5}
    ],
    "pids": [101, 102],
    "warnings": ["the app has no task for the queue emails"],
}

EXAMPLES: list[list[Any]] = [
    ["spawn", 7, "squids.pool.worker_main:main", {"queue": "emails"}, "squids: emails", 30.0, 2, True, "emails", 1, 5,
     {"nofile": 1024, "core": None}],
    ["spawned", 7, 101],
    ["spawn_failed", 7, 11, "Resource temporarily unavailable"],
    ["kill", 7, 15, False, True],
    ["exited", 7, 101, -9],
    ["preloaded", "a thread", FACTS],
    ["preload_failed", True, "tasks.py:12: SyntaxError", ["/srv/shop/tasks.py"]],
    ["output", "emails", 1, 101],
    ["booted", FACTS],
    ["ready"],
    ["degraded", "no such queue"],
    ["figures", FIGURES],
    ["alive"],
    ["fork_server_hangs", "did not answer for 30 s"],
    ["stopping", "SIGTERM"],
    ["drain", 30.0],
    ["pause", True],
    ["scale", 4],
    ["follow", True, False],
    ["jobs_changed", [["m-1", "started"], ["m-1", "done"]]],
    ["worker_ready"],
    ["assign", [[1, "m-1", "{}"]]],
    ["results", [[1, "done", 0.25]]],
    ["recall"],
]  # fmt: skip
"""One of each frame, as it is on the wire: how the dataclasses hold it is up to them."""


REFUSED = "refused"


def frames() -> str:
    """Each example, read and written again, without the four bytes of its length; first the version."""
    return "\n".join([f"protocol {PROTOCOL}", *map(_again, EXAMPLES)])


def _again(example: list[Any]) -> str:
    try:
        return encode(to_wire(from_wire(example)))[4:].decode()
    except ValueError:
        return f"{REFUSED}: {json.dumps(example)}"


def tags_without_example() -> set[str]:
    return {frame.tag for frame in get_args(Frame)} - {example[0] for example in EXAMPLES}
