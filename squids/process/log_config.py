"""Applies a configuration of logging that the operator gave: the schema of `logging.config.dictConfig`.

`log_rules` finds what is wrong with its shape, without importing anything of it. What shows only here, such
as a class that does not exist, is told by the same keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from squids.errors import AppImportFailed, ConfigurationError
from squids.process.log_rules import mistakes
from squids.process.log_setup import StatedLevel

_PART = re.compile(r"Unable to configure (formatter|filter|handler|logger) '(.*)'", re.DOTALL)
"""How `logging.config` says which part it was at. The cause says what is wrong."""


def apply(config: str | None) -> None:
    """Apply a configuration (JSON text), if there is one. Call this before the import of the app.

    Loggers that exist are not disabled, unless it says so. Raises ConfigurationError, or AppImportFailed if
    the system refused something, which may be better later.
    """
    if config is None:
        return
    import logging.config  # Rarely needed, and it imports a server.

    given: dict[str, Any] = json.loads(config)
    for mistake in mistakes(given):
        raise ConfigurationError(f"logging: {mistake}")
    # dictConfig changes what it is given.
    stated = "level" in (given.get("root") or {})
    try:
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **given})
    except Exception as error:
        text = f"logging: {_words(error, given)}"
        if any(isinstance(cause, OSError) for cause in _causes(error)):
            raise AppImportFailed(text) from error
        raise ConfigurationError(text) from error
    if stated:
        root = logging.getLogger()
        root.setLevel(StatedLevel(root.level))


def _words(error: Exception, given: Mapping[str, Any]) -> str:
    """Say what is wrong, after the key that it is at."""
    found = _PART.fullmatch(str(error))
    where = ""
    if found is not None:
        where = f"{found[1]}s.{found[2]}: "
    elif str(error) == "Unable to configure root logger":
        where = "root: "
    causes = _causes(error)
    text = str(causes[1] if len(causes) > 1 and where else error)
    deepest = causes[-1]
    if str(deepest) not in text:
        text = f"{text}: {deepest}" if text else str(deepest)
    kind = type(deepest).__name__
    known = isinstance(deepest, ImportError | OSError | ValueError | AttributeError)
    return " ".join(f"{where}{text if known and text else f'{kind}: {text}'}".split())


def _causes(error: BaseException) -> list[BaseException]:
    found = [error]
    while (cause := found[-1].__cause__) is not None and len(found) < 20:
        found.append(cause)
    return found
