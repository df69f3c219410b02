"""A task: a function that can be called here, or sent to a queue and run by a consumer."""

from __future__ import annotations

import functools
import inspect
import keyword
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, TypeVar

from squids.arguments import Converter, converter_of, hint, simplify
from squids.bounds import NAME, cut
from squids.hints import did_you_mean
from squids.job import current_job
from squids.queues import QueueRef
from squids.sqs_limits import SEND_OPTIONS
from squids.unfinished import kind_of_function
from squids.wire import encode, encode_with, to_json

if TYPE_CHECKING:
    from squids.app import App

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class CheckedCall:
    """A call that can be sent: the queue as the code names it and in SQS, arguments, body and options."""

    queue_name: str
    target: QueueRef
    args: list[Any]
    kwargs: dict[str, Any]
    text: str
    options: dict[str, Any]


class Task(Generic[P, R]):
    """A registered function, made by `App.task`, and the base class of class-based tasks.

    A class-based task has a `queue` and a `run` method, and is registered with `App.add_task`. It may also
    have a `name` and `aliases`. Calling a task runs it here and now, like the function that it is.

    `name`: the name in messages, by default the module and the qualified name. `aliases`: more names by which
    consumers find it. `other_queues`: where its calls may be sent besides `queue`, so that consumers of those
    queues do not warn that no task is theirs.
    """

    queue: str
    name: str
    aliases: Sequence[str] = ()
    other_queues: Sequence[str] = ()

    _sending: ClassVar[tuple[str, ...]] = ("send", "send_job", "send_async", "send_job_async")
    """The methods that send."""

    def __init__(
        self, app: App | None = None, queue: str | None = None, func: Callable[P, R] | None = None
    ) -> None:
        """`App.task` and `App.add_task` make tasks. The `__init__` of a class need not call this one."""
        if app is not None and queue is not None and "target" not in self.__dict__:
            self.set_up(app, queue, func)

    def set_up(
        self,
        app: App,
        queue: str,
        func: Callable[P, R] | None = None,
        name: str | None = None,
        aliases: Iterable[str] = (),
    ) -> None:
        # First: it copies the attributes of the function, which may have some of these names.
        if func is not None:
            functools.update_wrapper(self, func)
        self.app = app
        self.queue = queue
        self.target: Callable[..., Any] = self.run if func is None else func
        home: Any = type(self) if func is None else func
        self._place = getattr(home, "__qualname__", "")
        self.name = f"{_importable_module(home.__module__)}.{home.__qualname__}" if name is None else name
        self.aliases = tuple(aliases)
        self.signature = inspect.signature(self.target)
        if func is not None:
            self.__signature__ = self.signature
            # In the instance's own dict, so that functools.wraps around a task copies them.
            self.__dict__.update({name: getattr(self, name) for name in self._sending})

    def run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the task here and now. Class-based tasks override this."""
        if self.target == self.run:
            raise TypeError(f"{type(self).__qualname__} has no run method of its own")
        return self.target(*args, **kwargs)  # type: ignore[no-any-return]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.target(*args, **kwargs)  # type: ignore[no-any-return]

    def send(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        """Send the call to the task's queue; return the response of SQS.Queue.send_message.

        Raises TypeError if the arguments do not fit the signature or JSON, and otherwise what `send_job`
        raises.
        """
        return self.send_job(args, kwargs)

    def send_job(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        queue: str | None = None,
    ) -> dict[str, Any]:
        """Send the call with options; return the response of SQS.Queue.send_message.

        `options` takes the arguments of SQS.Queue.send_message, except MessageBody. `queue` is a name, URL or
        ARN that replaces the task's queue.

        Raises, before anything is sent, TypeError if the arguments do not fit the signature or JSON or an
        option is unknown, ValueError if `queue` is malformed, RuntimeError if no consumer can import the
        task, and what a `pre_send` hook raises. Raises botocore's exceptions if the send fails.

        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
        """
        return self.send_call(self.checked_call(args, kwargs, options, queue))

    def checked_call(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        queue: str | None = None,
    ) -> CheckedCall:
        """Return a call that `send_call` can send. Raises what `send_job` raises before hooks run."""
        bound = self._bind(args or (), kwargs or {})
        send_options = _checked_options(options or {})
        text = self._encoded(bound)
        if self.name.startswith("__main__."):
            raise RuntimeError(
                f"task {self.name} is defined in a script that no consumer can import: "
                "move it to a module, or name the script like one"
            )
        queue_name = queue or self.queue
        target = self.app.queue_ref(queue_name)
        return CheckedCall(queue_name, target, list(bound.args), bound.kwargs, text, send_options)

    def send_call(self, call: CheckedCall) -> dict[str, Any]:
        """Run the hooks, and send a call of this task; return the response. Raises what they raise."""
        hooks, text = self.app.hooks, call.text
        body: dict[str, Any] = {"task": self.name, "args": call.args, "kwargs": call.kwargs}
        if hooks.pre_send:
            hooks.run_pre_send(call.queue_name, body)
            text = self._encoded_again(body)
        response = self.app.sqs.send(call.target, text, call.options)
        hooks.run_post_send(call.queue_name, body, response)
        return response

    async def send_async(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        """Send like `send`, without blocking the event loop: it runs in a thread, with this context.

        So do the hooks. If the coroutine is cancelled, the call may be sent nevertheless.
        """
        return await self.send_job_async(args, kwargs)

    async def send_job_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        queue: str | None = None,
    ) -> dict[str, Any]:
        """Send like `send_job`, without blocking the event loop: see `send_async`."""
        from squids.in_thread import in_thread

        return await in_thread(functools.partial(self.send_job, args, kwargs, options, queue))

    @property
    def id(self) -> str | None:
        """The id of the running message, if this task is running; otherwise None."""
        job = current_job()
        return job.id if job is not None and job.task == self.name else None

    @property
    def queues(self) -> tuple[str, ...]:
        """All queues of its calls, its own one first."""
        return (self.queue, *self.other_queues)

    @functools.cached_property
    def converter(self) -> Converter | None:
        """What converts the arguments by their annotations, or None if JSON has them all."""
        return converter_of(self.target, self.signature) if self.app.json is None else None

    def _encoded(self, bound: inspect.BoundArguments) -> str:
        """Return the body; replace arguments by what JSON has. Raises TypeError that names a wrong one."""
        if self.app.json is not None:
            body = {"task": self.name, "args": list(bound.args), "kwargs": bound.kwargs}
            return encode_with(self.app.json, body)
        if self.converter is not None:
            self.converter.to_json(bound)
        try:
            return encode(self.name, bound.args, bound.kwargs, list(bound.arguments))
        except TypeError as error:
            if not simplify(bound):
                raise TypeError(f"{error}{hint(bound)}") from error.__cause__
        return encode(self.name, bound.args, bound.kwargs, list(bound.arguments))

    def _encoded_again(self, body: dict[str, Any]) -> str:
        """Return a body that `pre_send` hooks may have changed."""
        if self.app.json is not None:
            return encode_with(self.app.json, body)
        return encode(**body) if set(body) == {"task", "args", "kwargs"} else to_json(body)

    def _bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        try:
            return self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} for queue {self.queue}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        # Pickled by its place, like the function: the receiving process imports it.
        return self._place if self._place and "<locals>" not in self._place else super().__reduce__()


def check_function(func: object, name: str | None = None) -> Callable[..., Any]:
    """Return the function to register. Raises TypeError with the reason if it cannot be a task.

    `name`: the one that it was given, if any.
    """
    if isinstance(func, staticmethod):
        func = func.__func__
    if isinstance(func, classmethod):
        raise TypeError("a classmethod cannot be a task: a message carries no class; use a function")
    if isinstance(func, Task):
        raise TypeError(f"{func.name} is a task already; send it to another queue with send_job(queue=...)")
    if isinstance(func, type) or not callable(func):
        raise TypeError(f"app.task decorates a function, not {func!r}; for a class, use app.add_task")
    label = getattr(func, "__qualname__", None) or name
    if name is None and (label is None or not hasattr(func, "__module__")):
        raise TypeError(
            f"{func!r} has no name that a message could carry: if a decorator made it, use functools.wraps "
            "there; or name it, as in @app.task(queue, name=...); or wrap it in a function"
        )
    check_runs(func, str(label))
    if _is_method(func):
        raise TypeError(
            f"{label} is a method: a message carries no object to call it on; "
            "use a function, a staticmethod, or a class with app.add_task"
        )
    return func


def check_runs(func: Callable[..., Any], name: str) -> None:
    """Raise TypeError if calling the function runs nothing of it."""
    kind = kind_of_function(func)
    if kind == "async":
        raise TypeError(f"{name} is async: a worker would never await it; use a plain function")
    if kind is not None:
        raise TypeError(f"{name} is {kind}: calling it runs nothing; use a plain function")


def _is_method(func: Callable[..., Any]) -> bool:
    parent = getattr(func, "__qualname__", "").rpartition(".")[0]
    if not parent or parent.endswith("<locals>"):
        return False
    first = next(iter(inspect.signature(func).parameters), None)
    return first in ("self", "cls")


def check_names(name: object, aliases: object) -> None:
    """Check what a task is called. Raises TypeError or ValueError."""
    if isinstance(aliases, str) or not isinstance(aliases, Iterable):
        raise TypeError(f'aliases takes a list of names, as in aliases=["shop.mail"], not {aliases!r}')
    for given in (name, *aliases):
        if not isinstance(given, str):
            raise TypeError(f"the name of a task is a string, not {given!r}")
        if not given or len(given) > NAME or not given.isprintable() or given.split() != [given]:
            raise ValueError(
                f"{cut(repr(given), NAME)} cannot be the name of a task: "
                f"it has 1 to {NAME} characters, none of them a space or a control character"
            )


def warn_of_decorator(func: Callable[..., Any], frame: FrameType | None) -> None:
    """Warn if a function has the name of a decorator's inner function, which all that it decorates have.

    `frame`: where the function becomes a task. A function within one that still runs is meant to be there.
    """
    outer, inside, _ = getattr(func, "__qualname__", "").rpartition(".<locals>.")
    if not inside:
        return
    file = getattr(getattr(func, "__code__", None), "co_filename", None)
    while frame is not None:
        if frame.f_code.co_qualname == outer and frame.f_code.co_filename == file:
            return
        frame = frame.f_back
    warnings.warn(
        f"this task is named {func.__module__}.{func.__qualname__}, as each one is that {outer} decorates: "
        "add @functools.wraps(func) to the function that it returns, or give the task a name of its own, "
        "as in @app.task(queue, name=...)",
        stacklevel=3,
    )


def _checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    for name in options:
        if name == "MessageBody":
            raise TypeError("options cannot have MessageBody: the body is the call itself")
        if name not in SEND_OPTIONS:
            hint = did_you_mean(name, SEND_OPTIONS, f"known options: {', '.join(SEND_OPTIONS)}", quoted=True)
            raise TypeError(f'unknown option "{name}"; {hint}')
    return dict(options)


def _importable_module(module: str) -> str:
    """Return the name by which a consumer can import a module; for a script, that of its file."""
    if module != "__main__":
        return module
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name)
    stem, extension = os.path.splitext(os.path.basename(getattr(main, "__file__", None) or ""))
    if extension == ".py" and stem.isidentifier() and not keyword.iskeyword(stem):
        return stem
    return module


def signature_text(signature: inspect.Signature) -> str:
    """Return a signature as it was written: annotations that are strings stand without quotes."""
    parameters = [
        parameter.replace(annotation=_as_written(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    returned = _as_written(signature.return_annotation)
    try:
        return str(signature.replace(parameters=parameters, return_annotation=returned))
    except Exception:  # The repr of a default value is foreign code.
        return "(...)"


class _Annotation(str):
    """Code in a string, as `from __future__ import annotations` makes of each annotation."""

    __slots__ = ()
    __repr__ = str.__str__


def _as_written(annotation: Any) -> Any:
    return _Annotation(annotation) if isinstance(annotation, str) else annotation
