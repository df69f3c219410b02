"""The application's hooks, and what happens when one raises.

Several of each kind may be registered, before or after the tasks. They run in order of registration.
`pre_send` and `pre_task` can stop the send or the job by raising. `post_send`, `post_task` and
`report_queue_stats` cannot: their exceptions are logged, and the remaining hooks still run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from squids.reports import log

if TYPE_CHECKING:
    from squids.sqs import QueueStats
    from squids.task import Task

PreSend = Callable[[str, dict[str, Any]], Any]
PostSend = Callable[[str, dict[str, Any], dict[str, Any]], Any]
TaskHook = Callable[["Task[Any, Any]"], Any]
StatsHook = Callable[["QueueStats"], Any]


class Hooks:
    """The hooks that are registered with one app."""

    def __init__(self) -> None:
        self.pre_send: list[PreSend] = []
        self.post_send: list[PostSend] = []
        self.pre_task: list[TaskHook] = []
        self.post_task: list[TaskHook] = []
        self.report_queue_stats: list[StatsHook] = []

    def run_pre_send(self, queue_name: str, body: dict[str, Any]) -> None:
        """Run the hooks before a send. An exception propagates to the sender, and nothing is sent."""
        for hook in self.pre_send:
            hook(queue_name, body)

    def run_post_send(self, queue_name: str, body: dict[str, Any], response: dict[str, Any]) -> None:
        """Run the hooks after a send."""
        for hook in self.post_send:
            _run("post_send", hook, queue_name, body, response)

    def run_pre_task(self, task: Task[Any, Any]) -> None:
        """Run the hooks before a task. An exception fails the job, and the task does not run."""
        for hook in self.pre_task:
            hook(task)

    def run_post_task(self, task: Task[Any, Any]) -> None:
        """Run the hooks after a task returned or raised."""
        for hook in self.post_task:
            _run("post_task", hook, task)

    def run_report_queue_stats(self, stats: QueueStats) -> None:
        """Run the hooks for a queue's attributes."""
        for hook in self.report_queue_stats:
            _run("report_queue_stats", hook, stats)


def _run(kind: str, hook: Callable[..., Any], *args: Any) -> None:
    try:
        hook(*args)
    except KeyboardInterrupt:
        raise
    except BaseException:  # Also SystemExit.
        name = getattr(hook, "__qualname__", repr(hook))
        log.exception("%s hook %s raised", kind, name, extra={"action": "hook_failed"})
