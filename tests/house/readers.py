"""Who reads a value: names that code reads, and what a function takes from one of its parameters."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator

from tests.house.modules import modules, tree

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*rooms: str, without: Collection[str] = ()) -> list[ast.Module]:
    """The modules of these rooms, without those of others."""
    return [
        tree(path) for name, path in modules().items() if _is_in(name, rooms) and not _is_in(name, without)
    ]


def names_read(code: Iterable[ast.AST]) -> set[str]:
    """Each `x` of `value.x`, `value["x"]` and `value.get("x")`; not of `self.x`, another value's own."""
    found = set()
    for node in _nodes(code):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and not _is(node.value, "self"):
            found.add(node.attr)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            found |= texts([node.slice])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            found |= texts(node.args[:1])
    return found


def texts(code: Iterable[ast.AST]) -> set[str]:
    """All string literals."""
    return {
        node.value for node in _nodes(code) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def takers(code: Iterable[ast.AST], parameter: str) -> dict[str, Function]:
    """The functions and methods that have this parameter, by each name that they are called by."""
    nodes = list(_nodes(code))
    found = {
        node.name: node
        for node in nodes
        if isinstance(node, Function) and parameter in {argument.arg for argument in node.args.args}
    }
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            found |= {
                name.asname: found[name.name] for name in node.names if name.asname and name.name in found
            }
    return found


def taken(
    code: Iterable[ast.AST], parameter: str, known: dict[str, Function], but_by: Collection[str] = ()
) -> set[str]:
    """What code takes from a parameter: `parameter.x`, `parameter.a.get("x")`, `getattr(parameter, "x")`.

    That of the known functions to which it passes the parameter counts, too, `but_by` some.
    """
    found: set[str] = set()
    waiting, seen = list(code), set(but_by)
    while waiting:
        for node in _nodes([waiting.pop()]):
            if isinstance(node, ast.Attribute) and _is(node.value, parameter):
                found.add(node.attr)
            elif isinstance(node, ast.Call):
                called = _last_name(node.func)
                passed = any(_is(argument, parameter) for argument in node.args)
                if _is(_root(node.func), parameter) or (passed and called == "getattr"):
                    found |= texts(node.args)
                if passed and called in known and called not in seen:
                    seen.add(called)
                    waiting.append(known[called])
    return found


def _is_in(name: str, rooms: Iterable[str]) -> bool:
    return any(f"{name}.".startswith(f"{room}.") for room in rooms)


def _nodes(code: Iterable[ast.AST]) -> Iterator[ast.AST]:
    return (node for part in code for node in ast.walk(part))


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _root(node: ast.AST) -> ast.AST:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
