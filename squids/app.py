"""The application: a facade over tasks, hooks and SQS. Lower layers take those, never an App."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast
from weakref import WeakSet

from squids import class_tasks
from squids.hooks import Hooks, PostSend, PreSend, StatsHook, TaskHook
from squids.queues import QueueRef
from squids.registry import Registry
from squids.sqs import SQS
from squids.task import Task, check_function, check_names, check_runs, warn_of_decorator
from squids.unfinished import kind_of_function

if TYPE_CHECKING:
    from squids.consumer import Consumer

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound="Task[..., Any]")
H = TypeVar("H", bound=Callable[..., Any])
PreSendT = TypeVar("PreSendT", bound=PreSend)
PostSendT = TypeVar("PostSendT", bound=PostSend)
TaskHookT = TypeVar("TaskHookT", bound=TaskHook)
StatsHookT = TypeVar("StatsHookT", bound=StatsHook)


living: WeakSet[App] = WeakSet()
"""All apps of this process, for tests."""


class App:
    """Registers tasks and hooks, and holds the configuration of SQS.

    `name` is for messages and the repr. `config` takes the keyword arguments of
    boto3.session.Session.resource, such as `region_name`, `endpoint_url` or `config`; what it does not set
    comes from the usual AWS environment. Raises TypeError for an unknown key. Makes no connection before the
    first call.
    """

    def __init__(self, name: str, config: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.sqs = SQS(config or {})
        self.hooks = Hooks()
        frame = sys._getframe(1)
        place = frame.f_code.co_filename, frame.f_lineno
        self.registry = Registry(name, str(frame.f_globals.get("__name__", "")), place)
        self.tasks: Mapping[str, Task[..., Any]] = self.registry.by_name
        living.add(self)
        if (problem := self.registry.made_twice()) is not None:
            warnings.warn(problem, stacklevel=2)

    def task(
        self, queue: str, *, name: str | None = None, aliases: Iterable[str] = ()
    ) -> Callable[[Callable[P, R]], Task[P, R]]:
        """Register a function as a task; its calls are sent to `queue`: a name, a URL or an ARN.

        `name`: the name in messages, by default the module and the qualified name of the function. `aliases`:
        more names by which consumers find it, such as the old ones of a function that was moved.

        Raises TypeError if it cannot be a task, ValueError if `queue` or a name is malformed, DuplicateTask
        if a name is taken.
        """
        if not isinstance(queue, str):
            raise TypeError('app.task takes the queue\'s name: @app.task("emails")')
        check_names("task" if name is None else name, aliases)
        names = tuple(aliases)

        def register(func: Callable[P, R]) -> Task[P, R]:
            checked = check_function(func, name)
            if name is None:
                warn_of_decorator(checked, sys._getframe(1))
            task: Task[P, R] = Task()
            task.set_up(self, queue, checked, name, names)
            return self._register(task)

        return register

    def add_task(
        self, task_class: type[T] | T, *, name: str | None = None, aliases: Iterable[str] | None = None
    ) -> T:
        """Register a subclass of `squids.Task` with `queue` and `run`, or an instance; return the instance.

        A class is instantiated once. Its `__init__` gets the app and the queue if it has parameters of these
        names, and need not call that of `squids.Task`. `name` and `aliases`, as for `task`, may also be
        attributes of the class.

        Raises TypeError if the class is not one or needs more parameters, ValueError if `queue` or a name is
        malformed, DuplicateTask if a name is taken.
        """
        made: Any = task_class if isinstance(task_class, Task) else None
        kind: Any = task_class if made is None else type(made)
        if not isinstance(kind, type) or not issubclass(kind, Task):
            raise TypeError(f"app.add_task takes a subclass of squids.Task, not {task_class!r}")
        if kind.run is Task.run:
            if made is not None and "target" in made.__dict__:
                raise TypeError(f"{made.name} is a task already")
            raise TypeError(f"{kind.__qualname__} has no run method")
        check_runs(kind.run, f"{kind.__qualname__}.run")
        if made is None:
            task = class_tasks.make(kind, self, name, aliases)
        else:
            if made.__dict__.get("app") is not None and made.app.tasks.get(made.name) is made:
                raise TypeError(f"{made.name} is a task already")
            class_tasks.set_up(made, self, name, aliases)
            task = made
        if not task.queue or not isinstance(task.queue, str):
            raise TypeError(f'{kind.__qualname__} has no queue: give the class queue = "..."')
        self._register(task)
        return cast(T, task)

    def _register(self, task: T) -> T:
        QueueRef.parse(task.queue)
        check_names(task.name, task.aliases)
        self.registry.add(task)
        return task

    def pre_send(self, hook: PreSendT) -> PreSendT:
        """Register `hook(queue_name, body)` to run before each send.

        `body` is a dict with task, args and kwargs, which may be changed. An exception stops the send.
        """
        return _registered(hook, self.hooks.pre_send)

    def post_send(self, hook: PostSendT) -> PostSendT:
        """Register `hook(queue_name, body, response)` to run after each send.

        `response` is the dict that boto3 returned. Exceptions are logged.
        """
        return _registered(hook, self.hooks.post_send)

    def pre_task(self, hook: TaskHookT) -> TaskHookT:
        """Register `hook(task)` to run before each job, in its process. An exception fails the job."""
        return _registered(hook, self.hooks.pre_task)

    def post_task(self, hook: TaskHookT) -> TaskHookT:
        """Register `hook(task)` to run after a task returned or raised. Exceptions are logged."""
        return _registered(hook, self.hooks.post_task)

    after_task = post_task

    def report_queue_stats(self, hook: StatsHookT) -> StatsHookT:
        """Register `hook(queue_stats)` for pooled consumers to call with a QueueStats from time to time.

        The interval is at least the option `report_interval`, in seconds. Exceptions are logged.
        """
        return _registered(hook, self.hooks.report_queue_stats)

    def get_queue_by_name(self, queue_name: str) -> str:
        """Return the URL of a queue, given its name, URL or ARN.

        Raises ValueError if `queue_name` is malformed, and botocore's exceptions if SQS cannot be asked.
        """
        return self.sqs.queue_url(QueueRef.parse(queue_name))

    def create_consumer(self, queue_name: str) -> Consumer:
        """Return a consumer of a queue for this process. Does not call SQS.

        Raises ValueError if `queue_name` is malformed.
        """
        from squids.consumer import Consumer

        return Consumer(self.sqs, self.registry.by_any_name, self.hooks, QueueRef.parse(queue_name))

    def __repr__(self) -> str:
        return f"<squids.App {self.name}: {len(self.tasks)} tasks>"


def _registered(hook: H, hooks: list[Any]) -> H:
    """Add a hook. Raises TypeError if calling it would run nothing of it."""
    kind = kind_of_function(hook)
    if kind is not None:
        name = getattr(hook, "__qualname__", repr(hook))
        ignored = "awaits it" if kind == "async" else "reads what it yields"
        raise TypeError(f"{name} is {kind}: a hook is called, and nothing {ignored}; use a plain function")
    hooks.append(hook)
    return hook
