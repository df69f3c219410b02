"""Makes the one instance of a class-based task, whatever the `__init__` of the class takes.

The task has its app, queue and name before `__init__` runs, which need not call that of `squids.Task`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from squids.task import Task

if TYPE_CHECKING:
    from squids.app import App

T = TypeVar("T", bound="Task[..., Any]")

RESERVED = ("app", "target", "signature")
"""Attributes that `__init__` must not change."""


def make(task_class: type[T], app: App, name: str | None, aliases: Iterable[str] | None) -> T:
    """Return the instance of a class.

    `__init__` gets the app and the queue if it has parameters with these names, or `*args`. Raises TypeError
    if it needs others, and what it raises.
    """
    queue = getattr(task_class, "queue", None)
    queue = queue if isinstance(queue, str) else ""
    args, kwargs = _arguments(task_class, {"app": app, "queue": queue})
    task = task_class.__new__(task_class, *args, **kwargs)
    set_up(task, app, name, aliases)
    before = {attribute: getattr(task, attribute) for attribute in RESERVED}
    task.__init__(*args, **kwargs)  # type: ignore[misc]
    for attribute, value in before.items():
        if getattr(task, attribute) is not value:
            raise TypeError(
                f"{task_class.__qualname__}.__init__ sets self.{attribute}, which squids needs itself: "
                "give that attribute another name"
            )
    return task


def set_up(task: Task[..., Any], app: App, name: str | None, aliases: Iterable[str] | None) -> None:
    """Give an instance its app, its queue and its names: those given, or else those of its class."""
    queue = getattr(task, "queue", None)
    own = getattr(task, "name", None)
    named = name if name is not None else own if isinstance(own, str) else None
    task.set_up(
        app,
        queue if isinstance(queue, str) else "",
        name=named,
        aliases=aliases if aliases is not None else task.aliases,
    )


def _arguments(task_class: type[Any], given: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return what to call the `__init__` of a class with. Raises TypeError if it needs more."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    left = dict(given)
    missing = []
    for parameter in list(inspect.signature(task_class.__init__).parameters.values())[1:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            if not kwargs:
                args += left.values()
                left.clear()
        elif parameter.kind is not parameter.VAR_KEYWORD and parameter.name in left:
            value = left.pop(parameter.name)
            if parameter.kind is parameter.POSITIONAL_ONLY:
                args.append(value)
            else:
                kwargs[parameter.name] = value
        elif parameter.kind is not parameter.VAR_KEYWORD and parameter.default is parameter.empty:
            missing.append(parameter.name)
    if missing:
        name = task_class.__qualname__
        example = ", ".join(f"{parameter}=..." for parameter in missing)
        raise TypeError(
            f"{name}.__init__ needs {', '.join(missing)}, which app.add_task cannot know: "
            f"make the instance yourself, as in app.add_task({name}({example}))"
        )
    return args, kwargs
