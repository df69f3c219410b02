"""The application's hooks, and what happens when one raises.

Several of each kind may be registered, before or after the tasks. They run in order of registration; those
that end something (`worker_stop`, `consumer_stop`) in reverse. `pre_send`, `pre_task`, `worker_start` and
`consumer_start` can stop what they precede by raising. The others cannot: their exceptions are logged, and
the remaining hooks still run. `around_task` is entered and left by `execute`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from squids.reports import log
from squids.unfinished import kind_of_function

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from squids.job import Job
    from squids.sqs import QueueStats
    from squids.task import Task

PreSend = Callable[[str, dict[str, Any]], Any]
PostSend = Callable[[str, dict[str, Any], dict[str, Any]], Any]
TaskHook = Callable[["Task[Any, Any]"], Any]
StatsHook = Callable[["QueueStats"], Any]
AroundTask = Callable[["Job"], "AbstractContextManager[Any]"]
SuccessHook = Callable[["Job"], Any]
FailureHook = Callable[["Job", BaseException], Any]
LifeHook = Callable[[], Any]
H = TypeVar("H", bound=Callable[..., Any])


class Hooks:
    """The hooks that are registered with one app."""

    def __init__(self) -> None:
        self.pre_send: list[PreSend] = []
        self.post_send: list[PostSend] = []
        self.pre_task: list[TaskHook] = []
        self.post_task: list[TaskHook] = []
        self.report_queue_stats: list[StatsHook] = []
        self.around_task: list[AroundTask] = []
        self.on_success: list[SuccessHook] = []
        self.on_failure: list[FailureHook] = []
        self.consumer_start: list[LifeHook] = []
        self.consumer_stop: list[LifeHook] = []
        self.worker_start: list[LifeHook] = []
        self.worker_stop: list[LifeHook] = []

    def add(self, kind: str, hook: H) -> H:
        """Add a hook of a kind, which is the name of one of these lists, and return it.

        Raises TypeError if calling the hook would run nothing of it: it is async, or a generator.
        """
        _check(kind, hook)
        getattr(self, kind).append(hook)
        return hook

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

    def run_on_success(self, job: Job) -> None:
        """Run the hooks for a job that is done."""
        for hook in self.on_success:
            _run("on_success", hook, job)

    def run_on_failure(self, job: Job, error: BaseException) -> None:
        """Run the hooks for a job that failed, or a message that cannot be run."""
        for hook in self.on_failure:
            _run("on_failure", hook, job, error)

    def run_consumer_start(self) -> None:
        """Run the hooks before a consumer's first receive. An exception propagates: it cannot start."""
        _run_all(self.consumer_start)

    def run_consumer_stop(self) -> None:
        """Run the hooks after a consumer has settled its last message, the last registered one first."""
        for hook in reversed(self.consumer_stop):
            _run("consumer_stop", hook)

    def run_worker_start(self) -> None:
        """Run the hooks before a worker's first job. An exception propagates: it cannot start."""
        _run_all(self.worker_start)

    def run_worker_stop(self) -> None:
        """Run the hooks after a worker's last job, the last registered one first."""
        for hook in reversed(self.worker_stop):
            _run("worker_stop", hook)


def _check(kind: str, hook: Callable[..., Any]) -> None:
    runs_nothing = kind_of_function(hook)
    if runs_nothing is None:
        return
    mend = f"{kind} takes a plain function"
    if runs_nothing == "async":
        raise TypeError(f"{name_of(hook)} is async, and nothing would await it: {mend}")
    if kind == "around_task":
        mend = "write @contextlib.contextmanager between it and @app.around_task"
    raise TypeError(f"{name_of(hook)} is {runs_nothing}, and calling it runs nothing: {mend}")


def name_of(hook: Callable[..., Any]) -> str:
    """Return the name of a hook, for messages."""
    return str(getattr(hook, "__qualname__", None) or repr(hook))


def _run_all(hooks: Iterable[LifeHook]) -> None:
    for hook in hooks:
        hook()


def _run(kind: str, hook: Callable[..., Any], *args: Any) -> None:
    try:
        hook(*args)
    except KeyboardInterrupt:
        raise
    except BaseException:  # Also SystemExit.
        log.exception("%s hook %s raised", kind, name_of(hook), extra={"action": "hook_failed"})
