"""Helpers to test code that sends tasks: run them at once, record them, or use a local SQS.

`eager` and `outbox` need no server. squids also has the pytest fixtures `squids_outbox` and `squids_local`.
Names are resolved on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from squids.testing.eager import eager
    from squids.testing.local_queues import LocalQueues
    from squids.testing.local_sqs import LocalSQS
    from squids.testing.outbox import Clock, Outbox, Run, Sent, outbox

_HOMES = {
    "Clock": "outbox",
    "LocalQueues": "local_queues",
    "LocalSQS": "local_sqs",
    "Outbox": "outbox",
    "Run": "outbox",
    "Sent": "outbox",
    "eager": "eager",
    "outbox": "outbox",
}

__all__ = ["Clock", "LocalQueues", "LocalSQS", "Outbox", "Run", "Sent", "eager", "outbox"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"squids.testing.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
