"""The application: the facade over tasks, hooks and SQS. All below take those, never an App."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakSet

from squids.errors import DuplicateTask
from squids.hooks import Hooks, PostSend, PreSend, StatsHook, TaskHook
from squids.queues import QueueRef
from squids.sqs import SQS
from squids.task import Task, check_function

if TYPE_CHECKING:
    from squids.consumer import Consumer

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound="Task[..., Any]")
PreSendT = TypeVar("PreSendT", bound=PreSend)
PostSendT = TypeVar("PostSendT", bound=PostSend)
TaskHookT = TypeVar("TaskHookT", bound=TaskHook)
StatsHookT = TypeVar("StatsHookT", bound=StatsHook)


living: WeakSet[App] = WeakSet()
"""All apps of this process, for tests."""


class App:
    """Registers tasks and hooks, and knows how to reach SQS.

    `name` is yours to choose. `config` takes the keys of boto3.session.Session.resource, such as
    `region_name`, `endpoint_url` or `config`; without it the usual AWS environment counts. An unknown
    key is a TypeError. Nothing is connected to before the first call.
    """

    def __init__(self, name: str, config: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.sqs = SQS(config or {})
        self.hooks = Hooks()
        self._tasks: dict[str, Task[..., Any]] = {}
        self.tasks: Mapping[str, Task[..., Any]] = MappingProxyType(self._tasks)
        living.add(self)

    def task(self, queue: str) -> Callable[[Callable[P, R]], Task[P, R]]:
        """Register a function as a task whose calls are sent to `queue`: a name, a URL or an ARN.

        TypeError for what cannot be a task, with the reason; DuplicateTask if its name is taken.
        """
        if not isinstance(queue, str):
            raise TypeError('app.task takes the queue\'s name: @app.task("emails")')

        def register(func: Callable[P, R]) -> Task[P, R]:
            return self._register(Task(self, queue, check_function(func)))

        return register

    def add_task(self, task_class: type[T]) -> T:
        """Register a class-based task: a subclass of `squids.Task` with a `queue` and a `run` method."""
        if not issubclass(task_class, Task):
            raise TypeError(f"app.add_task takes a subclass of squids.Task, not {task_class!r}")
        queue = getattr(task_class, "queue", None)
        if not isinstance(queue, str):
            raise TypeError(f'{task_class.__qualname__} has no queue: give the class queue = "..."')
        if task_class.run is Task.run:
            raise TypeError(f"{task_class.__qualname__} has no run method")
        return self._register(task_class(self, queue))

    def _register(self, task: T) -> T:
        QueueRef.parse(task.queue)
        if task.name in self._tasks:
            raise DuplicateTask(f"the app {self.name} has a task {task.name} already")
        self._tasks[task.name] = task
        return task

    def pre_send(self, hook: PreSendT) -> PreSendT:
        """Register a hook (queue_name, body) that runs just before a message is sent. Raising stops it."""
        self.hooks.pre_send.append(hook)
        return hook

    def post_send(self, hook: PostSendT) -> PostSendT:
        """Register a hook (queue_name, body, response) that runs just after a message was sent."""
        self.hooks.post_send.append(hook)
        return hook

    def pre_task(self, hook: TaskHookT) -> TaskHookT:
        """Register a hook (task) that runs in the consumer just before a task. Raising fails the message."""
        self.hooks.pre_task.append(hook)
        return hook

    def post_task(self, hook: TaskHookT) -> TaskHookT:
        """Register a hook (task) that runs in the consumer after a task returned or raised."""
        self.hooks.post_task.append(hook)
        return hook

    after_task = post_task

    def report_queue_stats(self, hook: StatsHookT) -> StatsHookT:
        """Register a hook (queue_stats) that the command line consumer calls now and then."""
        self.hooks.report_queue_stats.append(hook)
        return hook

    def get_queue_by_name(self, queue_name: str) -> str:
        """The URL of a queue."""
        return self.sqs.queue_url(QueueRef.parse(queue_name))

    def create_consumer(self, queue_name: str) -> Consumer:
        """A consumer of a queue in this process. The queue is not looked at before the first receive."""
        from squids.consumer import Consumer

        return Consumer(self.sqs, self._tasks, self.hooks, QueueRef.parse(queue_name))

    def __repr__(self) -> str:
        return f"<squids.App {self.name}: {len(self._tasks)} tasks>"
