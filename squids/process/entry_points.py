"""Entry points by name, "module:function", as used in frames."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def resolve(entry: str) -> Callable[..., Any]:
    """Return the function of this name. Raises ImportError or AttributeError if there is none."""
    module, _, function = entry.partition(":")
    found = getattr(importlib.import_module(module), function)
    if not callable(found):
        raise AttributeError(f"{entry} is not a function")
    return found  # type: ignore[no-any-return]
