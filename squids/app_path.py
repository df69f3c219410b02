"""Where an app is, as text: `module:app`, `module.app`, or a call of a function that makes it. Pure.

The arguments of a call are literals, as gunicorn takes them: `shop:make("eu", debug=True)`. Nothing of the
text is run here.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

MAX_LENGTH = 1000
"""Characters of a path. What is longer is not meant, and deep nesting would exhaust the stack."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """Take the attribute of this name."""

    name: str
    shown: str
    """The text up to here, for messages."""


@dataclass(frozen=True, slots=True)
class FactoryCall:
    """Call what was found."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    shown: str


@dataclass(frozen=True, slots=True)
class AppPath:
    """A module, and the steps from it to the app. The first step is an attribute."""

    module: str
    steps: tuple[Attribute | FactoryCall, ...]

    @classmethod
    def parse(cls, text: str) -> AppPath:
        """Parse a path. Raises ValueError with a sentence that names it."""
        head = text.partition("(")[0]
        separator = ":" if ":" in head else "."
        module = head.partition(":")[0] if separator == ":" else head.rpartition(".")[0]
        expression = text[len(module) + 1 :]
        named = all(part.isidentifier() for part in module.split("."))
        if not named or expression != expression.strip() or len(text) > MAX_LENGTH:
            raise _nowhere(text)
        try:
            node = ast.parse(expression, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise _nowhere(text) from None
        return cls(module, _steps(node, text, f"{module}{separator}"))


def _nowhere(text: str) -> ValueError:
    return ValueError(
        f'"{text[:MAX_LENGTH]}" does not say where an app is; write module.app or module:app, '
        "or module:factory() for a function that makes it"
    )


def _steps(node: ast.expr, text: str, before: str) -> tuple[Attribute | FactoryCall, ...]:
    """Return the steps of an expression. Raises ValueError if it has anything but names and calls."""
    shown = before + ast.unparse(node)
    match node:
        case ast.Name(name):
            return (Attribute(name, shown),)
        case ast.Attribute(inner, name):
            return (*_steps(inner, text, before), Attribute(name, shown))
        case ast.Call(inner, arguments, keywords):
            steps = _steps(inner, text, before)
            try:
                args = tuple(ast.literal_eval(argument) for argument in arguments)
                kwargs = {_name_of(keyword): ast.literal_eval(keyword.value) for keyword in keywords}
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                raise ValueError(
                    f'"{text}": the arguments of a factory are literals, such as "eu", 5, True, None or ["a"]'
                ) from None
            return (*steps, FactoryCall(args, kwargs, shown))
    raise _nowhere(text)


def _name_of(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError("**")
    return keyword.arg
