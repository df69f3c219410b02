"""Converts the arguments that JSON lacks, by the annotations of a task's parameters.

A UUID, a datetime or a dataclass travels as plain JSON, which other languages and the original SQuidS can
read and write. The annotation says what it is again where it arrives. Parameters without an annotation, or
with one that JSON has (`str`, `list[int]`, `dict[str, Any]`), get what JSON gives. A task that has only such
parameters costs nothing, and does not import msgspec.

See `docs/decisions/0028-annotations-decode-arguments.md`.
"""

from __future__ import annotations

import functools
import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from squids.errors import ArgumentMismatch

PLAIN: frozenset[Any] = frozenset(
    {Any, object, str, int, float, bool, None, type(None), list, dict, inspect.Parameter.empty}
)
"""Annotations that say no more than JSON does."""

_MISFITS = (TypeError, ValueError, NotImplementedError, RecursionError, OverflowError)


class Converter:
    """Converts the arguments of one task to what JSON has, and back.

    `types`: the annotations of the parameters that it converts, by name.
    """

    def __init__(self, signature: inspect.Signature, types: Mapping[str, Any]) -> None:
        self._signature = signature
        self._types = types

    def to_json(self, bound: inspect.BoundArguments) -> None:
        """Replace the arguments by what JSON has. Raises TypeError that names one of a wrong type."""

        def plain(value: Any, of_type: Any) -> Any:
            found = to_builtins(value)
            convert(found, of_type)
            return found

        self._each(bound, plain, TypeError)

    def from_json(self, args: list[Any], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """Return the arguments as the parameters are annotated.

        Raises ArgumentMismatch that names one of a wrong type, and TypeError if they do not fit the
        signature.
        """
        bound = self._signature.bind(*args, **kwargs)
        self._each(bound, convert, ArgumentMismatch)
        return bound

    def _each(
        self, bound: inspect.BoundArguments, change: Callable[[Any, Any], Any], error: type[Exception]
    ) -> None:
        for name in bound.arguments.keys() & self._types.keys():
            value, of_type = bound.arguments[name], self._types[name]
            try:
                match self._signature.parameters[name].kind:
                    case inspect.Parameter.VAR_POSITIONAL:
                        bound.arguments[name] = tuple(change(item, of_type) for item in value)
                    case inspect.Parameter.VAR_KEYWORD if (whole := _unpacked(of_type)) is not None:
                        bound.arguments[name] = {**value, **change(value, whole)}
                    case inspect.Parameter.VAR_KEYWORD:
                        bound.arguments[name] = {key: change(item, of_type) for key, item in value.items()}
                    case _:
                        bound.arguments[name] = change(value, of_type)
            except _MISFITS as reason:
                raise error(f'argument "{name}": {_in_words(name, reason)}') from None


def converter_of(function: Callable[..., Any], signature: inspect.Signature) -> Converter | None:
    """Return what converts the arguments of a function, or None if JSON has all of them."""
    annotations = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if not _is_simple(parameter.annotation)
    }
    if not annotations:
        return None
    found = {}
    for name, annotation in _resolved(function, annotations).items():
        if is_plain(annotation) or not _is_known(_unpacked(annotation) or annotation):
            continue
        is_optional = signature.parameters[name].default is None
        found[name] = typing.Optional[annotation] if is_optional else annotation  # noqa: UP045 # it may be any form
    return Converter(signature, found) if found else None


def _unpacked(annotation: Any) -> Any:
    """Return the TypedDict that says what keyword arguments a function takes, or None."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Unpack else None


def is_plain(annotation: Any) -> bool:
    """Whether JSON has all values of an annotation. It has no tuples, and only strings for keys."""
    if _is_in(annotation, PLAIN):
        return True
    origin, parameters = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return is_plain(parameters[0])
    if origin is typing.Literal:
        return all(type(value) in PLAIN for value in parameters)
    if origin in (typing.Union, types.UnionType, list):
        return all(map(is_plain, parameters))
    if origin is dict:
        return parameters[0] is str and is_plain(parameters[1])
    return False


def _is_in(annotation: Any, known: frozenset[Any]) -> bool:
    try:
        return annotation in known
    except TypeError:  # It is not hashable.
        return False


def simplify(bound: inspect.BoundArguments) -> bool:
    """Replace arguments that equal what JSON has, such as NumPy's scalars; return whether there are any.

    For arguments that JSON has refused, of parameters that are not converted.
    """
    changed = False
    for name, value in bound.arguments.items():
        try:
            plain = to_builtins(value)
            if plain is not value and bool(plain == value):
                bound.arguments[name], changed = plain, True
        except _MISFITS:
            continue
    return changed


def hint(bound: inspect.BoundArguments) -> str:
    """Return how to send an argument that JSON has refused, or ""."""
    for name, parameter in bound.signature.parameters.items():
        value, annotation = bound.arguments.get(name), parameter.annotation
        if _is_json(value):
            continue
        if annotation is not inspect.Parameter.empty and _is_simple(annotation):
            return ""
        if annotation is not inspect.Parameter.empty:
            written = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
            return f"; its annotation, {written}, does not say what it becomes where it arrives"
        try:
            to_builtins(value)
        except _MISFITS:
            return ""
        return f"; annotate the parameter, {name}: {type(value).__name__}, and it can be sent"
    return ""


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except _MISFITS:
        return False
    return True


def to_builtins(value: Any) -> Any:
    """Return what JSON has for a value. Raises TypeError if it has nothing."""
    import msgspec

    return msgspec.to_builtins(value, enc_hook=_encoded, str_keys=True)


def convert(value: Any, of_type: Any) -> Any:
    """Convert what came as JSON to a value of this type. Raises ValueError if it is none."""
    import msgspec

    try:
        return msgspec.convert(value, of_type, dec_hook=_decoded, str_keys=True)
    except msgspec.ValidationError as error:  # A ValueError only in newer versions.
        raise ValueError(str(error)) from None


def _encoded(value: Any) -> Any:
    """Encode what msgspec does not know."""
    if isinstance(value, PurePath):
        return str(value)
    if _is_model(type(value)):
        return _dumped(value)
    if _is_numpy_scalar(type(value)):
        return value.item()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _decoded(of_type: Any, value: Any) -> Any:
    """Decode what msgspec does not know."""
    if _is_model(of_type):
        try:
            return of_type.model_validate_json(_json(value), **_either_name(of_type))
        except ValueError as error:
            raise ValueError(_in_one_line(error)) from None
    if issubclass(of_type, PurePath) and not isinstance(value, str):
        raise ValueError(f"Expected a path, got {value!r}")
    return of_type(value)


def _json(value: Any) -> bytes:
    import msgspec

    return msgspec.json.encode(value)


def _is_model(of_type: Any) -> bool:
    """Whether this is a pydantic model. pydantic need not be imported here."""
    return isinstance(of_type, type) and hasattr(of_type, "model_validate_json")


def _dumped(model: Any) -> Any:
    """Return a pydantic model as what its class can read again. Raises TypeError if it hides a part."""
    either = _either_name(model.__class__)
    # Without computed fields, which a model may refuse, and with the text of Json fields.
    dumped = model.model_dump(mode="json", round_trip=True, by_alias=not either)
    if _MASK in str(dumped) and type(model).model_validate(dumped, **either) != model:
        raise TypeError(f"pydantic masks the secrets of {type(model).__name__}: send them by other means")
    return dumped


_MASK = "*" * 10
"""What pydantic writes for a SecretStr."""


@functools.cache
def _either_name(of_type: Any) -> dict[str, bool]:
    """Return the options by which a model reads its fields by their names and by their aliases.

    Empty before pydantic 2.11, which has only aliases, unless the model says more. Two aliases, one to read
    and one to write, cannot be read again there.
    """
    options = inspect.signature(of_type.model_validate_json).parameters
    return {"by_alias": True, "by_name": True} if "by_name" in options else {}


def _is_numpy_scalar(of_type: Any) -> bool:
    bases = of_type.__mro__ if isinstance(of_type, type) else ()
    return any(base.__name__ == "generic" and base.__module__ == "numpy" for base in bases)


def _is_known(annotation: Any) -> bool:
    """Whether values can be converted to this annotation. Otherwise they stay as JSON gives them."""
    from msgspec.inspect import type_info

    try:
        return _has_known_types(type_info(annotation), set())
    except (TypeError, NameError, RecursionError, AttributeError):
        return False  # For instance a union in which a string may be several things.


def _has_known_types(info: Any, seen: set[int]) -> bool:
    """Whether none of the types in a type is an unknown class. `seen`: types may contain themselves."""
    from msgspec.inspect import CustomType, DictType, Field, Type

    if id(info) in seen:
        return True
    seen.add(id(info))
    if isinstance(info, CustomType):
        return _is_model(info.cls) or _is_numpy_scalar(info.cls) or _is_path(info.cls)
    if isinstance(info, DictType) and isinstance(info.key_type, CustomType):
        return False  # msgspec leaves such a key a string.
    parts = [getattr(info, name) for name in getattr(info, "__struct_fields__", ())]
    inner = [one for part in parts for one in (part if isinstance(part, tuple) else (part,))]
    return all(_has_known_types(one, seen) for one in inner if isinstance(one, Type | Field))


def _is_path(of_type: Any) -> bool:
    return isinstance(of_type, type) and issubclass(of_type, PurePath)


def _is_simple(annotation: Any) -> bool:
    """Whether an annotation is plain at first sight, also as a string."""
    if isinstance(annotation, str):
        return annotation in SIMPLE
    return is_plain(annotation)


SIMPLE = frozenset({"Any", "object", "str", "int", "float", "bool", "None", "list", "dict"})
"""Plain annotations, as `from __future__ import annotations` leaves them."""


def _resolved(function: Callable[..., Any], annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate annotations that are strings, without those that name what is not there (TYPE_CHECKING)."""
    plain = inspect.unwrap(function)
    plain = getattr(plain, "__func__", plain)
    namespace = getattr(plain, "__globals__", {})
    found: dict[str, Any] = {}
    for name, annotation in annotations.items():
        holder = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            found |= typing.get_type_hints(holder, namespace, include_extras=True)
        except Exception:  # noqa: S112 # an annotation is the application's code, and need not be evaluated
            continue
    return found


def _in_words(name: str, error: Exception) -> str:
    """Return msgspec's message, with the argument's name in place of the root of its path."""
    return _in_one_line(error).replace("`$", f"`{name}")


def _in_one_line(error: Exception) -> str:
    """Return a message in one line; pydantic's has several, with links."""
    if hasattr(error, "errors"):
        places = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors(include_url=False)]
        return "; ".join(f"{place}: {text}" if place else text for place, text in places)
    return " ".join(str(error).split())
