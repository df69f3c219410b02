"""Arguments that JSON lacks: sent as plain JSON, and what they were again where they arrive."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import inspect
import json
import math
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict, Unpack

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import squids
import squids.testing
from squids.arguments import converter_of, is_plain
from squids.errors import ArgumentMismatch, BadMessage

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found] # noqa: F401


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    y: decimal.Decimal


@dataclasses.dataclass
class Line:
    sku: uuid.UUID
    price: decimal.Decimal
    parts: list[Line] = dataclasses.field(default_factory=list)
    photo: bytes = b""


class Customer(pydantic.BaseModel):
    id: uuid.UUID
    since: dt.date


class Paid(pydantic.BaseModel):
    """Another program knows its fields by other names, and reads more than it sends."""

    model_config = pydantic.ConfigDict(extra="forbid")
    order_id: int = pydantic.Field(alias="orderId")
    paid_by: str = pydantic.Field(validation_alias="payer", serialization_alias="paidBy")
    lines: pydantic.Json[list[int]]

    @pydantic.computed_field
    @property
    def count(self) -> int:
        return len(self.lines)


PAID = Paid.model_validate({"orderId": 7, "payer": "ada", "lines": "[1]"})


class Login(pydantic.BaseModel):
    password: pydantic.SecretStr


class Mixed(enum.Enum):
    WORD = "word"
    NUMBER = 1


class Row(TypedDict):
    at: dt.datetime


class Unknown:
    """What nobody can convert."""


class generic:  # noqa: N801 # as numpy calls the base of its scalars
    """In the place of numpy.generic."""

    __module__ = "numpy"

    def __init__(self, value: Any) -> None:
        self._value = value

    def item(self) -> Any:
        return self._value

    def __eq__(self, other: object) -> bool:
        return bool(other == self._value)

    __hash__ = None


class Scalar(generic):
    """In the place of numpy.int64."""


ID = uuid.UUID(int=7)
NOW = dt.datetime(2026, 11, 28, 6, 0, tzinfo=dt.UTC)


def through_json(
    function: Callable[..., Any], *args: Any, **kwargs: Any
) -> tuple[Any, inspect.BoundArguments]:
    """What is on the wire, and what arrives."""
    signature = inspect.signature(function)
    converter = converter_of(function, signature)
    assert converter is not None
    bound = signature.bind(*args, **kwargs)
    converter.to_json(bound)
    wire = json.loads(json.dumps([bound.args, bound.kwargs]))
    return wire, converter.from_json(*wire)


def annotated(annotation: Any) -> Callable[..., Any]:
    def function(value): ...

    function.__annotations__["value"] = annotation
    return function


@pytest.mark.parametrize(
    ("annotation", "value", "wire"),
    [
        (uuid.UUID, ID, "00000000-0000-0000-0000-000000000007"),
        (decimal.Decimal, decimal.Decimal("12.50"), "12.50"),
        (dt.datetime, NOW, "2026-11-28T06:00:00Z"),
        (dt.datetime, NOW.replace(tzinfo=None), "2026-11-28T06:00:00"),
        (dt.date, NOW.date(), "2026-11-28"),
        (dt.time, dt.time(6, 30), "06:30:00"),
        (dt.timedelta, dt.timedelta(days=1, seconds=2.5), "P1DT2.5S"),
        (Colour, Colour.RED, "red"),
        (Level, Level.LOW, 1),
        (Path, Path("/tmp/a"), "/tmp/a"),
        (PurePosixPath, PurePosixPath("a/b"), "a/b"),
        (bytes, b"\xff\x00", "/wA="),
        (set[int], {1, 2}, [1, 2]),
        (frozenset[str], frozenset({"a"}), ["a"]),
        (tuple[int, str], (1, "a"), [1, "a"]),
        (tuple[uuid.UUID, ...], (ID, ID), [str(ID), str(ID)]),
        (dict[int, str], {1: "a"}, {"1": "a"}),
        (dict[uuid.UUID, int], {ID: 1}, {str(ID): 1}),
        (list[dt.date | None], [NOW.date(), None], ["2026-11-28", None]),
        (Line, Line(ID, decimal.Decimal(1), [Line(ID, decimal.Decimal(2))], b"\xff"),
         {"sku": str(ID), "price": "1", "photo": "/w==",
          "parts": [{"sku": str(ID), "price": "2", "parts": [], "photo": ""}]}),
        (Customer, Customer(id=ID, since=NOW.date()), {"id": str(ID), "since": "2026-11-28"}),
        (list[Customer], [Customer(id=ID, since=NOW.date())], [{"id": str(ID), "since": "2026-11-28"}]),
        (Paid, PAID, {"order_id": 7, "paid_by": "ada", "lines": "[1]"}),
        (Point, Point(1, decimal.Decimal(2)), [1, "2"]),
        (Row, {"at": NOW}, {"at": "2026-11-28T06:00:00Z"}),
        (Annotated[uuid.UUID, "the order's"], ID, str(ID)),
        (Scalar, Scalar(5), 5),
        (uuid.UUID, str(ID), str(ID)),
    ],
)  # fmt: skip
def test_each_travels_as_plain_json_and_arrives_as_what_it_was(annotation, value, wire):
    sent, arrived = through_json(annotated(annotation), value)
    assert sent == [[wire], {}]
    expected = ID if value == str(ID) else value
    assert arrived.arguments == {"value": expected}
    assert type(arrived.arguments["value"]) is type(expected)


VALUES: dict[Any, Any] = {
    uuid.UUID: st.uuids(),
    decimal.Decimal: st.decimals(allow_nan=False),
    dt.datetime: st.datetimes(timezones=st.none() | st.just(dt.UTC)),
    dt.timedelta: st.timedeltas(),
    bytes: st.binary(),
    list[set[int]]: st.lists(st.sets(st.integers(-(2**63), 2**64 - 1))),
    dict[uuid.UUID, dt.date]: st.dictionaries(st.uuids(), st.dates()),
    Colour | None: st.none() | st.sampled_from(Colour),
}


@given(st.sampled_from(list(VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind])))
def test_any_value_arrives_as_it_was_sent(case: tuple[Any, Any]) -> None:
    annotation, value = case
    _, arrived = through_json(annotated(annotation), value)
    assert arrived.arguments == {"value": value}


def test_each_kind_of_parameter_is_converted_and_the_others_are_left_alone():
    def function(
        plain, order: uuid.UUID, *more: uuid.UUID, on: dt.date | None = None, **prices: decimal.Decimal
    ): ...

    _, arrived = through_json(function, [1], ID, ID, on=None, a=decimal.Decimal(1))
    assert arrived.args == ([1], ID, ID)
    assert arrived.kwargs == {"on": None, "a": decimal.Decimal(1)}


def test_keyword_arguments_may_be_those_of_a_typed_dict():
    def function(**row: Unpack[Row]): ...

    wire, arrived = through_json(function, at=NOW, more=1)
    assert wire == [[], {"at": "2026-11-28T06:00:00Z", "more": 1}]
    assert arrived.kwargs == {"at": NOW, "more": 1}


def test_a_model_is_read_by_its_aliases_too():
    """As the programs write it that the aliases are for."""
    function = annotated(Paid)
    converter = converter_of(function, inspect.signature(function))
    assert converter is not None
    arrived = converter.from_json([{"orderId": 7, "payer": "ada", "lines": "[1]"}], {})
    assert arrived.args == (PAID,)


@pytest.mark.parametrize(
    "annotation",
    [
        str, int, float, bool, None, Any, object, list, dict, list[int], dict[str, Any], str | None, Literal["a", 1],
        Annotated[int, []], Annotated[list[str], "names"],
    ],
)  # fmt: skip
def test_what_json_has_is_plain(annotation):
    assert is_plain(annotation)
    assert converter_of(annotated(annotation), inspect.signature(annotated(annotation))) is None


@pytest.mark.parametrize(
    "annotation",
    [
        Unknown,
        list[Unknown],
        "Missing",
        "not python",
        "1 / 0",
        str | uuid.UUID,
        dict[Path, int],
        Mixed,
        Callable[[], int],
        "Unknown | None",
    ],
)
def test_what_nobody_can_convert_gets_what_json_gives(annotation):
    """As before there were annotations that count: for instance the name of what is imported for a type checker."""
    function = annotated(annotation)
    assert converter_of(function, inspect.signature(function)) is None


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        (uuid.UUID, "7", 'argument "value": Invalid UUID'),
        (uuid.UUID, 7, 'argument "value": Expected `uuid`, got `int`'),
        (Line, Line(ID, "x"), 'argument "value": Invalid decimal string - at `value.price`'),
        (Colour, "green", "argument \"value\": Invalid enum value 'green'"),
        (Path, 7, 'argument "value": Expected a path, got 7'),
        (Customer, {"id": "7"}, 'argument "value": id: Input should be a valid UUID'),
        (Customer, {"id": str(ID)}, "since: Field required"),
        (Login, Login(password="x"), "pydantic masks the secrets of Login"),
        (uuid.UUID, Unknown(), "Object of type Unknown is not JSON serializable"),
        (dt.date, NOW, 'argument "value": Invalid RFC3339 encoded date'),
        (set[int], {"a"}, 'argument "value": Expected `int`, got `str` - at `value[0]`'),
    ],
)
def test_a_wrong_value_is_named_where_it_is_sent_and_where_it_arrives(annotation, value, says):
    function = annotated(annotation)
    converter = converter_of(function, inspect.signature(function))
    assert converter is not None
    with pytest.raises(TypeError) as error:
        converter.to_json(inspect.signature(function).bind(value))
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    if not isinstance(value, Unknown | Line | Login | set | dt.datetime):
        with pytest.raises(ArgumentMismatch) as late:
            converter.from_json([value], {})
        assert says in str(late.value)


@pytest.fixture
def app() -> squids.App:
    return squids.App("shop")


def test_a_task_gets_what_was_sent(app):
    seen = []

    @app.task("orders")
    def ship(order: uuid.UUID, at: dt.datetime, count: int) -> None:
        seen.append((order, at, count))

    with squids.testing.outbox(app) as box:
        ship.send(ID, at=NOW, count=1)
        box.run_all()
    assert seen == [(ID, NOW, 1)]
    assert json.loads(box.sent[0].body)["args"] == [str(ID), "2026-11-28T06:00:00Z", 1]
    with squids.testing.eager(app):
        ship.send(str(ID), NOW.isoformat(), 2)
    assert seen[1] == (ID, NOW, 2)


def test_a_message_that_does_not_fit_is_a_bad_one(app):
    """From a producer that does not check, as in another language."""

    @app.task("orders")
    def ship(order: uuid.UUID) -> None:
        raise AssertionError("not with this")

    app.pre_send(lambda queue, body: body.update(args=["7"]))
    with squids.testing.eager(app), pytest.raises(BadMessage, match=r'ship.*argument "order": Invalid UUID'):
        ship.send(ID)


def test_without_an_annotation_it_is_a_mistake_that_says_what_to_do(app):
    @app.task("orders")
    def ship(order, on: int) -> None: ...

    with squids.testing.outbox(app) as box:
        with pytest.raises(
            TypeError, match=r'"order" cannot be sent as JSON.*annotate the parameter, order: UUID, and'
        ):
            ship.send(ID, 1)
        with pytest.raises(
            TypeError, match=r'"on" cannot be sent as JSON: Object of type date is not JSON serializable$'
        ):
            ship.send(1, NOW.date())
        with pytest.raises(
            TypeError, match=r'"order" cannot be sent as JSON.*Unknown is not JSON serializable$'
        ):
            ship.send(Unknown(), 1)
    assert not box.sent


@pytest.mark.parametrize(
    ("annotation", "value", "written"),
    [
        (str | uuid.UUID, ID, r"str \| uuid.UUID"),
        ("Missing", ID, "Missing"),
        (Mixed, Mixed.WORD, r"[\w.]*Mixed"),
        (dict[Path, int], {Path("/tmp"): 1}, r"dict\[pathlib(._local)?.Path, int\]"),
    ],
)
def test_an_annotation_that_nobody_can_convert_is_named(app, annotation, value, written):
    task = app.task("orders", name="ship")(annotated(annotation))
    with (
        squids.testing.outbox(app) as box,
        pytest.raises(TypeError, match=rf'"value" cannot .*; its annotation, {written}, does not say what'),
    ):
        task.send(value)
    assert not box.sent


def test_scalars_that_equal_a_number_are_that_number(app):
    @app.task("orders")
    def count(number: int, others: list[float], more) -> None: ...

    with squids.testing.outbox(app) as box:
        count.send(Scalar(5), [Scalar(1.5)], {"a": Scalar(2)})
    assert box.sent[0].args == (5, [1.5], {"a": 2})


def test_what_is_not_a_number_is_still_refused(app):
    @app.task("orders")
    def price(amount: decimal.Decimal, rates: tuple[float, ...]) -> None: ...

    with (
        squids.testing.outbox(app),
        pytest.raises(TypeError, match=r'"rates" cannot be sent as JSON: Out of range'),
    ):
        price.send(decimal.Decimal(1), (math.nan,))


def test_tasks_with_plain_arguments_do_not_import_msgspec():
    code = """
import sys, squids, squids.testing
__name__ = "shop"
app = squids.App("shop")
@app.task("emails")
def mail(to: str, ids: list[int], *, urgent: bool = False, **more: object) -> None: ...
with squids.testing.eager(app):
    mail.send("ada", [1], urgent=True, a=None)
assert "msgspec" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Words:
    """A codec of an application's own."""

    def dumps(self, body):
        return f"{body['task']} {' '.join(map(str, body['args']))}".encode()

    def loads(self, body):
        task, *args = body.split()
        if not args:
            raise LookupError("no words")
        return {"task": task, "args": args}


def test_an_app_may_have_a_codec_of_its_own():
    """It decides alone: annotations do not count."""
    app = squids.App("shop", json=Words())
    seen = []

    @app.task("orders")
    def ship(order: uuid.UUID) -> None:
        seen.append(order)

    with squids.testing.outbox(app) as box:
        ship.send(ID)
        app.pre_send(lambda queue, body: body.update(args=["8"]))
        ship.send(ID)
        box.run_all()
    assert [sent.body for sent in box] == [f"{ship.name} {ID}", f"{ship.name} 8"]
    assert seen == [str(ID), "8"]


def test_what_a_codec_raises_is_a_type_error_of_the_sender_and_a_bad_message():
    app = squids.App("shop", json=Words())

    @app.task("orders")
    def ship(order, **more) -> None: ...

    app.pre_send(lambda queue, body: body.pop("args") if body["kwargs"] else body.update(args=[]))
    with squids.testing.eager(app):
        with pytest.raises(TypeError, match="ship: the arguments cannot be encoded: 'args'"):
            ship.send(1, a=2)
        with pytest.raises(BadMessage, match="the body cannot be decoded: no words"):
            ship.send(1)
