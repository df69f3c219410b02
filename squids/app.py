"""The application: a facade over tasks, hooks and SQS. Lower layers take those, never an App."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any, ParamSpec, TypedDict, TypeVar, cast
from weakref import WeakSet

from squids import class_tasks
from squids.hooks import (
    AroundTask,
    FailureHook,
    Hooks,
    LifeHook,
    PostSend,
    PreSend,
    StatsHook,
    SuccessHook,
    TaskHook,
)
from squids.queue_names import QueueNames
from squids.queues import QueueRef
from squids.registry import Registry
from squids.sqs import SEND_TIMEOUT, SQS
from squids.task import Task, check_function, check_names, check_runs, warn_of_decorator
from squids.wire import JSON

if TYPE_CHECKING:
    from squids.consumer import Consumer

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound="Task[..., Any]")
PreSendT = TypeVar("PreSendT", bound=PreSend)
PostSendT = TypeVar("PostSendT", bound=PostSend)
TaskHookT = TypeVar("TaskHookT", bound=TaskHook)
StatsHookT = TypeVar("StatsHookT", bound=StatsHook)
AroundTaskT = TypeVar("AroundTaskT", bound=AroundTask)
SuccessHookT = TypeVar("SuccessHookT", bound=SuccessHook)
FailureHookT = TypeVar("FailureHookT", bound=FailureHook)
LifeHookT = TypeVar("LifeHookT", bound=LifeHook)


class AppOptions(TypedDict, total=False):
    """The keyword arguments of `App`, for classes that pass them on."""

    queue_prefix: str | None
    queue_names: Mapping[str, str] | None
    json: JSON | None
    send_timeout: float


living: WeakSet[App] = WeakSet()
"""All apps of this process, for tests."""


class App:
    """Registers tasks and hooks, and holds the configuration of SQS.

    `name` is for messages and the repr. `config` takes the keyword arguments of
    boto3.session.Session.resource, such as `region_name`, `endpoint_url` or `config`; what it does not set
    comes from the usual AWS environment. `send_timeout`: seconds that a send may take, with all its tries.
    Raises TypeError for an unknown key, ValueError for a `send_timeout` that is not above 0. Makes no
    connection before the first call.

    `queue_prefix` is put before each name of a queue, unless it has it already; default: the variable
    SQUIDS_QUEUE_PREFIX. `queue_names` has a name, URL or ARN for some names, which then get no prefix. Raises
    ConfigurationError if they are malformed, or contradict the environment.

    `json` encodes and decodes messages, in place of the standard library's and of the annotations of tasks.
    """

    task_class: type[Task[Any, Any]] = Task
    """What `task` makes of a function."""

    def __init__(
        self,
        name: str,
        config: Mapping[str, Any] | None = None,
        *,
        queue_prefix: str | None = None,
        queue_names: Mapping[str, str] | None = None,
        json: JSON | None = None,
        send_timeout: float = SEND_TIMEOUT,
    ) -> None:
        self.name = name
        self.json = json
        self.queue_names = QueueNames.of(queue_prefix, queue_names, os.environ)
        self.sqs = SQS(config or {}, send_timeout)
        self.hooks = Hooks()
        frame, depth = _maker(self)
        place = frame.f_code.co_filename, frame.f_lineno
        self.registry = Registry(name, str(frame.f_globals.get("__name__", "")), place)
        self.tasks: Mapping[str, Task[..., Any]] = self.registry.by_name
        living.add(self)
        if (problem := self.registry.made_twice()) is not None:
            warnings.warn(problem, stacklevel=depth)

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
            task: Task[P, R] = self.task_class()
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
        self.queue_ref(task.queue)
        check_names(task.name, task.aliases)
        self.registry.add(task)
        return task

    def import_tasks(self) -> None:
        """Import the tasks that the app's own module does not import; called after it is imported.

        For subclasses. Consumers and commands call it; a process that only sends does not.
        """

    def pre_send(self, hook: PreSendT) -> PreSendT:
        """Register `hook(queue_name, body)` to run before each send.

        `body` is a dict with task, args and kwargs, which may be changed. An exception stops the send.
        """
        return self.hooks.add("pre_send", hook)

    def post_send(self, hook: PostSendT) -> PostSendT:
        """Register `hook(queue_name, body, response)` to run after each send.

        `response` is the dict that boto3 returned. Exceptions are logged.
        """
        return self.hooks.add("post_send", hook)

    def pre_task(self, hook: TaskHookT) -> TaskHookT:
        """Register `hook(task)` to run before each job, in its process. An exception fails the job."""
        return self.hooks.add("pre_task", hook)

    def post_task(self, hook: TaskHookT) -> TaskHookT:
        """Register `hook(task)` to run after a task returned or raised. Exceptions are logged."""
        return self.hooks.add("post_task", hook)

    after_task = post_task

    def report_queue_stats(self, hook: StatsHookT) -> StatsHookT:
        """Register `hook(queue_stats)` for pooled consumers to call with a QueueStats from time to time.

        The interval is at least the option `report_interval`, in seconds. Exceptions are logged.
        """
        return self.hooks.add("report_queue_stats", hook)

    def around_task(self, factory: AroundTaskT) -> AroundTaskT:
        """Register `factory(job)`, whose context manager is entered around each job, in its process.

        The first registered one is the outermost; `pre_task`, the task and `post_task` run inside. An
        exception of the factory, of `__enter__` or of `__exit__` fails the job. `__exit__` is told what the
        task or an inner hook raised; its return value does not matter: a task that raised has failed.

        Raises TypeError if `factory` is async, or a generator without `contextlib.contextmanager`.
        """
        return self.hooks.add("around_task", factory)

    def on_success(self, hook: SuccessHookT) -> SuccessHookT:
        """Register `hook(job)` to run after each job that is done, outside of the `around_task` contexts.

        Its message is not yet deleted. Exceptions are logged. Raises TypeError if `hook` is async.
        """
        return self.hooks.add("on_success", hook)

    def on_failure(self, hook: FailureHookT) -> FailureHookT:
        """Register `hook(job, exception)` to run after each job that failed, in its process.

        `exception` is what was raised, with its traceback and cause. It runs outside of the `around_task`
        contexts. A message that cannot be run fails with BadMessage; `job.task` is "" if it names none. Not
        called if the worker was killed, or if Ctrl-C ended the job in an in-process consumer or under
        `debug`. Exceptions are logged. Raises TypeError if `hook` is async.
        """
        return self.hooks.add("on_failure", hook)

    def consumer_start(self, hook: LifeHookT) -> LifeHookT:
        """Register `hook()` to run once in a consumer's main process, before its first receive.

        If it raises, the consumer exits: with 78 for a ConfigurationError, which no restart can fix, else
        with 1. Raises TypeError if `hook` is async.
        """
        return self.hooks.add("consumer_start", hook)

    def consumer_stop(self, hook: LifeHookT) -> LifeHookT:
        """Register `hook()` to run once in a consumer's main process, after everything is settled.

        The last registered one runs first. Exceptions are logged. Raises TypeError if `hook` is async.
        """
        return self.hooks.add("consumer_stop", hook)

    def worker_start(self, hook: LifeHookT) -> LifeHookT:
        """Register `hook()` to run once in each worker process, before its first job.

        If it raises, the worker exits and is replaced, after a delay that grows. Raises TypeError if `hook`
        is async.
        """
        return self.hooks.add("worker_start", hook)

    def worker_stop(self, hook: LifeHookT) -> LifeHookT:
        """Register `hook()` to run once in each worker process, after its last job; not if it is killed.

        The last registered one runs first. Exceptions are logged. Raises TypeError if `hook` is async.
        """
        return self.hooks.add("worker_stop", hook)

    def get_queue_by_name(self, queue_name: str) -> str:
        """Return the URL of a queue, given its name, URL or ARN.

        Raises ValueError if `queue_name` is malformed, and botocore's exceptions if SQS cannot be asked.
        """
        return self.sqs.queue_url(self.queue_ref(queue_name))

    def queue_ref(self, queue_name: str) -> QueueRef:
        """Return the queue of SQS that a name, URL or ARN means to this app.

        Raises ValueError if `queue_name` is malformed.
        """
        return self.queue_names.ref(queue_name)

    def create_consumer(self, queue_name: str) -> Consumer:
        """Return a consumer of a queue for this process. Does not call SQS.

        Raises ValueError if `queue_name` is malformed.
        """
        from squids.consumer import Consumer

        names = self.registry.by_any_name
        return Consumer(self.sqs, names, self.hooks, self.queue_ref(queue_name), self.json)

    def __repr__(self) -> str:
        return f"<squids.App {self.name}: {len(self.tasks)} tasks>"


def _maker(app: App) -> tuple[FrameType, int]:
    """Return the frame that makes an app, outside of the `__init__` of subclasses, and its stack level."""
    frame, depth = sys._getframe(2), 2
    while frame.f_code.co_name == "__init__" and frame.f_locals.get("self") is app and frame.f_back:
        frame, depth = frame.f_back, depth + 1
    return frame, depth
