"""The tasks of an app, by name and by alias: what clashes, and what an unknown name may mean.

`by_name` has each task once. `by_any_name` also has the aliases, by which a consumer finds a task that was
renamed or moved; sends always use the name. A finder may add a task when its name is looked up, as where a
module that defines tasks is imported only then.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from weakref import WeakSet

from squids.bounds import NAME, cut
from squids.errors import DuplicateTask
from squids.hints import did_you_mean
from squids.task import Task

_living: WeakSet[Registry] = WeakSet()
"""All registries of this process."""


SCRIPTS = ("__main__", "__mp_main__")
"""Names of a module that is run. Python imports it once more if another module does."""


class Registry:
    """The tasks of one app. `app`: its name; `module`, `place` (file and line): where it was made."""

    def __init__(self, app: str, module: str = "", place: tuple[str, int] | None = None) -> None:
        self.app = app
        self.module = module
        self.place = place
        self._by_name: dict[str, Task[..., Any]] = {}
        self._by_any_name = _Names()
        self.by_name: Mapping[str, Task[..., Any]] = MappingProxyType(self._by_name)
        self.by_any_name: Mapping[str, Task[..., Any]] = MappingProxyType(self._by_any_name)
        _living.add(self)

    def find_by(self, finder: Callable[[str], None]) -> None:
        """Have `finder(name)` add the task of a name that is looked up in `by_any_name`, and not there.

        If it adds none, or raises UnknownTask with a reason, the name stays unknown.
        """
        self._by_any_name.finder = finder

    def add(self, task: Task[..., Any]) -> None:
        """Add a task. Raises DuplicateTask if its name or an alias is taken."""
        names = (task.name, *task.aliases)
        for name in names:
            holder = self._by_any_name.get(name)
            if holder is not None:
                raise DuplicateTask(self._clash(task, name, holder))
        self._by_name[task.name] = task
        self._by_any_name.update(dict.fromkeys(names, task))

    def made_twice(self) -> str | None:
        """Return a sentence if one file, imported by two names, made this app and another."""
        if self.place is None or self.module in SCRIPTS:
            return None
        for other in list(_living):
            if other.place == self.place and other.module not in (self.module, *SCRIPTS):
                return (
                    f"the app {self.app} is made twice, for its file is imported as {other.module} and as "
                    f"{self.module}: the tasks of one are unknown to the other. "
                    "Import the module by one name everywhere"
                )
        return None

    def _clash(self, task: Task[..., Any], name: str, holder: Task[..., Any]) -> str:
        alias = "" if name == task.name else f"the alias {name} of {task.name} is taken: "
        if name == holder.name:
            text = f"{alias}the app {self.app} has a task {name} already"
        else:
            text = f"{alias}the task {holder.name} of the app {self.app} answers to {name} already"
        old, new = place_of(holder.target), place_of(task.target)
        if name.count("<locals>") or (old is not None and old == new and holder.target != task.target):
            return (
                f"{text}: if one decorator made both functions, it lacks functools.wraps; "
                "add @functools.wraps(func) to its wrapper, or give each task a name of its own with name="
            )
        if old is not None and new is not None and old != new:
            text += f", from {old[0]}:{old[1]}; this one is from {new[0]}:{new[1]}"
        return text


class _Names(dict[str, "Task[..., Any]"]):
    """Tasks by name. `names[name]` asks the finder, too; `in`, `get` and loops show what is there."""

    finder: Callable[[str], None] | None = None

    def __missing__(self, name: str) -> Task[..., Any]:
        if self.finder is not None:
            self.finder(name)
            if name in self:
                return self[name]
        raise KeyError(name)


def no_task_for(queue: str, tasks: Mapping[str, Task[..., Any]]) -> str | None:
    """Return a warning if no task is sent to this queue, given by its name, or None.

    Messages may come here nevertheless: with `send_job(queue=...)`, or as in a dead-letter queue.
    """
    queues = {task.app.queue_ref(name).name for task in tasks.values() for name in task.queues}
    if queue in queues:
        return None
    if not queues:
        return "the app has no tasks: the module that defines them may not be imported"
    others = sorted(queues)
    shown = ", ".join(others[:QUEUES_SHOWN]) + (", ..." if len(others) > QUEUES_SHOWN else "")
    return (
        f"the app has no task for the queue {queue}; it has tasks for: {shown}. "
        "Only messages that name one of those tasks can run"
    )


QUEUES_SHOWN = 10
"""Maximum queues that a warning names."""


def place_of(function: Callable[..., Any]) -> tuple[str, int] | None:
    """Return the file and line of a function, within its decorators; None if it has no Python code."""
    code = getattr(innermost(function), "__code__", None)
    return (code.co_filename, code.co_firstlineno) if inspect.iscode(code) else None


def innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function within decorators and partials, as far as they show it."""
    seen: set[int] = set()
    while id(function) not in seen:
        seen.add(id(function))
        function = inspect.unwrap(function)
        if isinstance(function, functools.partial):
            function = function.func
    return function


def hint_for(name: str, known: Mapping[str, Task[..., Any]]) -> str:
    """Return what an unknown name may mean, or ""."""
    if len(name) > NAME:
        return ""
    if "." in name:
        for task in known:
            if "." in task and (task.endswith(f".{name}") or name.endswith(f".{task}")):
                return (
                    f"did you mean {task}? One module was imported by two paths: "
                    "import it by the same one in senders and consumers"
                )
    for registry in _living:
        if name in registry.by_any_name:
            made = f" of {registry.module}" if registry.module else ""
            return (
                f"another app of this process has it, {cut(registry.app, NAME)}{made}: "
                "was its module imported by two paths?"
            )
    return did_you_mean(name, known)
