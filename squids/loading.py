"""Imports an app by "module.app" or "module:app", with helpful errors.

The caller has put the app's directory on `sys.path`.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from types import ModuleType, TracebackType
from typing import Any

from squids.app import App
from squids.errors import AppImportFailed, AppNotFound
from squids.hints import did_you_mean, nearest
from squids.tracebacks import traceback_of


def load_app(path: str) -> App:
    """Import the app at `path`; an object whose `extensions["squids"]` is an App, such as Flask's, will do.

    Raises AppNotFound if the module or attribute does not exist or is not an App, and AppImportFailed with
    the user's traceback if the module raises.
    """
    module_name, attribute = _split(path)
    module = _import(module_name, path)
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise AppNotFound(f"{path}: module {module_name} has no {part}{_hint(part, found)}") from None
    app = _app_of(found)
    if app is None:
        raise AppNotFound(f"{path} is {_described(found)}, not a squids.App{_apps_in(module, module_name)}")
    return app


def _app_of(found: Any) -> App | None:
    extensions = getattr(found, "extensions", None)
    app = extensions.get("squids") if isinstance(extensions, dict) else found
    return app if isinstance(app, App) else None


def _split(path: str) -> tuple[str, str]:
    module, separator, attribute = path.partition(":")
    if not separator:
        module, _, attribute = path.rpartition(".")
    if (
        not module
        or not attribute
        or not all(part.isidentifier() for part in f"{module}.{attribute}".split("."))
    ):
        raise AppNotFound(f'"{path}" does not say where an app is; write module.app or module:app')
    return module, attribute


def _import(name: str, path: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise AppNotFound(f"{path}: there is no module {error.name}{_module_hint(error.name)}") from None
        raise AppImportFailed(_traceback(error)) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() in a module must not look like a success.
        raise AppImportFailed(_traceback(error)) from error


def _traceback(error: BaseException) -> str:
    return traceback_of(error, _users_frames(error.__traceback__)).rstrip()


def _users_frames(frames: TracebackType | None) -> TracebackType | None:
    """Skip the leading frames of this module and of the import system."""
    while frames is not None:
        name = frames.tb_frame.f_globals.get("__name__", "")
        file = frames.tb_frame.f_code.co_filename
        if name in (__name__, "importlib") or file.startswith("<frozen importlib"):
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


def _hint(name: str, where: Any) -> str:
    hint = did_you_mean(name, [known for known in dir(where) if not known.startswith("_")])
    return f"; {hint}" if hint else ""


def _apps_in(module: ModuleType, name: str) -> str:
    apps = [key for key, value in vars(module).items() if isinstance(value, App)]
    return f"; did you mean {name}:{apps[0]}?" if apps else ""


def _described(value: object) -> str:
    if isinstance(value, ModuleType):
        return "a module"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if hasattr(value, "__code__"):
        return "a function"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
