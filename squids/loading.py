"""Imports an app by "module.app" or "module:app", or calls "module:factory()", with helpful errors.

The caller has put the app's directory on `sys.path`.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from types import ModuleType, TracebackType
from typing import Any

from squids.app import App, living
from squids.app_path import AppPath, Attribute, FactoryCall
from squids.errors import AppImportFailed, AppNotFound, ConfigurationError
from squids.hints import did_you_mean, nearest
from squids.task import signature_text
from squids.tracebacks import traceback_of
from squids.unfinished import kind_of_function


def load_app(path: str) -> App:
    """Find the app at `path`, and have it import its tasks.

    Raises what `find_app` does. What `import_tasks` raises counts as raised by the module.
    """
    app = find_app(path)
    try:
        app.import_tasks()
    except (KeyboardInterrupt, ConfigurationError):
        raise
    except BaseException as error:
        raise AppImportFailed(_traceback(error)) from error
    return app


def find_app(path: str) -> App:
    """Import the app at `path`, or call the factory that makes it: see `app_path`.

    An object whose `extensions["squids"]` is an App, such as Flask's, will do.

    Raises AppNotFound if the module or attribute does not exist, takes other arguments, or is not an App, and
    AppImportFailed with the user's traceback if the module or the factory raises. A ConfigurationError that
    they raise needs no traceback, and is raised as it is.
    """
    try:
        where = AppPath.parse(path)
    except ValueError as error:
        raise AppNotFound(str(error)) from None
    before = set(living)
    module = _import(where.module, path)
    found: Any = module
    shown = where.module
    for step in where.steps:
        match step:
            case Attribute(name):
                found = _attribute(found, name, shown, path)
            case FactoryCall():
                found = _called(found, step, shown, path)
        shown = step.shown
    app = _app_of(found)
    if app is None:
        verb = "returned" if isinstance(step, FactoryCall) else "is"
        hint = _where_is_one(found, shown, module, where.module, set(living) - before)
        raise AppNotFound(f"{path} {verb} {_described(found)}, not a squids.App{hint}")
    return app


def _app_of(found: Any) -> App | None:
    extensions = getattr(found, "extensions", None)
    app = extensions.get("squids") if isinstance(extensions, dict) else found
    return app if isinstance(app, App) else None


def _attribute(found: Any, name: str, shown: str, path: str) -> Any:
    try:
        return getattr(found, name)
    except AttributeError:
        what = f"module {shown}" if isinstance(found, ModuleType) else shown
        raise AppNotFound(f"{path}: {what} has no {name}{_hint(name, found, shown)}") from None


def _called(factory: Any, call: FactoryCall, shown: str, path: str) -> Any:
    """Call a factory, unless that cannot work."""
    if isinstance(factory, App):
        raise AppNotFound(f"{path}: {shown} is an app, not a function that makes one; write {shown}")
    if not callable(factory):
        raise AppNotFound(f"{path}: {shown} is {_described(factory)}, which cannot be called")
    kind = kind_of_function(factory)
    if kind is not None:
        raise AppNotFound(f"{path}: {shown} is {kind}: calling it runs nothing; use a plain function")
    try:
        signature: inspect.Signature | None = inspect.signature(factory)
    except (TypeError, ValueError):  # It has none that Python can show.
        signature = None
    if signature is not None:
        try:
            signature.bind(*call.args, **call.kwargs)
        except TypeError as error:
            raise AppNotFound(
                f"{path}: {error}; write the arguments of {shown}{signature_text(signature)} as literals, "
                f"as in {shown}(1)"
            ) from None
    try:
        return factory(*call.args, **call.kwargs)
    except (KeyboardInterrupt, ConfigurationError):
        raise
    except BaseException as error:
        raise AppImportFailed(_traceback(error)) from error


def _import(name: str, path: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = no_module(name, error)
        if missing is not None:
            raise AppNotFound(f"{path}: {missing}") from None
        raise AppImportFailed(_traceback(error)) from error
    except (KeyboardInterrupt, ConfigurationError):
        raise
    except BaseException as error:  # sys.exit() in a module must not look like a success.
        raise AppImportFailed(_traceback(error)) from error


def no_module(name: str, error: ModuleNotFoundError) -> str | None:
    """Say that the module `name` is not there, if that is what failed, and not an import inside of it."""
    if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
        return None
    return f"there is no module {error.name}{_module_hint(error.name)}"


def _traceback(error: BaseException) -> str:
    return traceback_of(error, _users_frames(error.__traceback__)).rstrip()


def _users_frames(frames: TracebackType | None) -> TracebackType | None:
    """Skip the leading frames of squids and of the import system."""
    while frames is not None:
        name = str(frames.tb_frame.f_globals.get("__name__"))
        file = frames.tb_frame.f_code.co_filename
        if name == "importlib" or name.startswith("squids.") or file.startswith("<frozen importlib"):
            frames = frames.tb_next
        else:
            return frames
    return None


def _module_hint(name: str) -> str:
    parent, _, last = name.rpartition(".")
    paths = getattr(sys.modules.get(parent), "__path__", None) if parent else sys.path
    names = [module.name for module in pkgutil.iter_modules(paths)]
    near = nearest(last, names)
    if near is not None:
        return f"; did you mean {parent + '.' if parent else ''}{near}?"
    return f" in {sys.path[0] or 'the current directory'} or on the rest of sys.path"


def _hint(name: str, where: Any, shown: str) -> str:
    if isinstance(where, ModuleType) and _is_module(f"{shown}.{name}", where):
        return f"; {shown}.{name} is a module: write {shown}.{name}:NAME, with the name of its app"
    hint = did_you_mean(name, [known for known in dir(where) if not known.startswith("_")])
    return f"; {hint}" if hint else ""


def _is_module(name: str, package: ModuleType) -> bool:
    return hasattr(package, "__path__") and importlib.util.find_spec(name) is not None


def _where_is_one(found: Any, shown: str, module: ModuleType, name: str, made: set[App]) -> str:
    """Return a hint at an app: in what was found, in its module, from a factory, or elsewhere.

    `made`: those that the import made.
    """
    inside = {} if isinstance(found, ModuleType) else getattr(found, "__dict__", {})
    for key, value in inside.items():
        if isinstance(value, App):
            return f"; did you mean {shown}.{key}?"
    for key, value in inside.items():
        for inner, app in value.items() if isinstance(value, dict) else ():
            if isinstance(app, App):
                return f"; its {key}[{inner!r}] is one: give that a name in {name}, and write {name}:NAME"
    call = f"{shown}()" if callable(found) and _needs_nothing(found) else None
    for key, value in vars(module).items():
        if isinstance(value, App):
            return f"; did you mean {name}:{key}?{f' If it makes the app, write {call}' if call else ''}"
    if call is not None:
        return f"; if it makes the app, write {call}"
    for app in made:
        made_in = sys.modules.get(app.registry.module)
        for key, value in vars(made_in).items() if made_in is not None else ():
            if value is app:
                return f"; did you mean {app.registry.module}:{key}?"
    return "; does it end with `return app`?" if found is None else ""


def _needs_nothing(function: Any) -> bool:
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return not isinstance(function, type)


def _described(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, ModuleType):
        return "a module"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if hasattr(value, "__code__"):
        return "a function"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
