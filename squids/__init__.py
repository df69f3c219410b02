"""Background jobs from AWS SQS: plain functions as tasks, and consumers that lose no message.

Names are resolved on first use, so that `import squids` costs a web process almost nothing.
"""

# No `from __future__`: it imports a file, before `squids.cli.start` can guard against Ctrl-C.
TYPE_CHECKING = False  # Known to type checkers; importing `typing` would be the most expensive import here.
if TYPE_CHECKING:
    from typing import Any

    from squids.app import App
    from squids.consumer import Consumer, ConsumeResult
    from squids.errors import (
        AppImportFailed,
        AppNotFound,
        BadMessage,
        ConfigurationError,
        DuplicateTask,
        NeverRan,
        SquidsError,
    )
    from squids.job import Job, current_job
    from squids.sqs import QueueStats
    from squids.task import Task
    from squids.wire import JSON

_HOMES = {
    "JSON": "wire",
    "App": "app",
    "AppImportFailed": "errors",
    "AppNotFound": "errors",
    "BadMessage": "errors",
    "ConfigurationError": "errors",
    "ConsumeResult": "consumer",
    "Consumer": "consumer",
    "DuplicateTask": "errors",
    "Job": "job",
    "NeverRan": "errors",
    "QueueStats": "sqs",
    "SquidsError": "errors",
    "Task": "task",
    "current_job": "job",
}

__all__ = [
    "JSON",
    "App",
    "AppImportFailed",
    "AppNotFound",
    "BadMessage",
    "ConfigurationError",
    "ConsumeResult",
    "Consumer",
    "DuplicateTask",
    "Job",
    "NeverRan",
    "QueueStats",
    "SquidsError",
    "Task",
    "current_job",
]


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"squids.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
