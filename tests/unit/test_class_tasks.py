"""One instance of a class-based task, whatever its `__init__` takes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

import squids
from squids.class_tasks import RESERVED
from squids.delivery import Delivery
from squids.execute import execute
from squids.job import JobEnd


@pytest.fixture
def app() -> squids.App:
    return squids.App("shop")


class Base(squids.Task):
    queue = "emails"
    given: Any = ()

    def run(self, to):
        return (self.given, to)


class Plain(Base):
    """It has no `__init__` of its own."""


class Forgets(Base):
    def __init__(self):
        self.given = "none"


class CallsIt(Base):
    def __init__(self):
        super().__init__()
        self.given = self.name.rpartition(".")[2], self.queue, self.app.name


class AsBefore(Base):
    def __init__(self, app, queue):
        super().__init__(app, queue)
        self.given = (app.name, queue)


class PassesOn(Base):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.given = len(args)


class OnlyByName(Base):
    def __init__(self, *, queue, retries=3):
        self.given = (queue, retries)


class HasDefaults(Base):
    def __init__(self, host="localhost", port=25):
        self.given = (host, port)


@dataclasses.dataclass
class Data(Base):
    given: str = "data"


class MadeByNew(Base):
    def __new__(cls):
        made = super().__new__(cls)
        made.given = "new"
        return made

    def __init__(self):
        pass


@pytest.mark.parametrize(
    ("made", "given"),
    [
        (Plain, ()),
        (Forgets, "none"),
        (CallsIt, ("CallsIt", "emails", "shop")),
        (AsBefore, ("shop", "emails")),
        (PassesOn, 2),
        (OnlyByName, ("emails", 3)),
        (HasDefaults, ("localhost", 25)),
        (Data, "data"),
        (MadeByNew, "new"),
    ],
)
def test_a_class_is_made_once_with_what_its_init_asks_for(app, made, given):
    task = app.add_task(made)
    assert type(task) is made
    assert (task.name, task.queue, task.app) == (f"{__name__}.{made.__qualname__}", "emails", app)
    assert task("ada") == (given, "ada")
    body = json.dumps({"task": task.name, "args": ["ada"]})
    assert execute(Delivery("m1", "r", body), "emails", app.tasks, app.hooks).end is JobEnd.DONE


class Needs(Base):
    def __init__(self, host, *, port):
        self.given = (host, port)


def test_an_init_that_needs_more_is_refused_with_how_to_give_it(app):
    with pytest.raises(
        TypeError, match=r"needs host, port, .*app\.add_task\(Needs\(host=\.\.\., port=\.\.\.\)\)"
    ):
        app.add_task(Needs)
    assert not app.tasks


def test_an_instance_is_registered_as_it_is(app):
    made = Needs("mail.example.com", port=25)
    assert app.add_task(made) is made
    assert made("ada") == (("mail.example.com", 25), "ada")
    assert app.tasks[f"{__name__}.Needs"] is made
    with pytest.raises(TypeError, match=r"Needs is a task already"):
        squids.App("another").add_task(made)


def test_a_function_that_is_a_task_is_not_added_again(app):
    with pytest.raises(TypeError, match="is a task already"):
        app.add_task(app.task("emails", name="shop.mail")(print))


def test_what_an_init_raises_is_what_add_task_raises(app):
    class Broken(Base):
        def __init__(self):
            raise ConnectionError("no mail server")

    with pytest.raises(ConnectionError, match="no mail server"):
        app.add_task(Broken)


@pytest.mark.parametrize("attribute", RESERVED)
def test_an_init_that_replaces_what_squids_needs_is_refused(app, attribute):
    """It would fail at the first send, far from here."""

    class Clashes(Base):
        def __init__(self):
            setattr(self, attribute, "something else")

    with pytest.raises(TypeError, match=rf"Clashes\.__init__ sets self\.{attribute}"):
        app.add_task(Clashes)
    assert not app.tasks


def test_the_queue_and_the_name_may_be_set_by_init(app):
    """For instance from the environment."""

    class Late(squids.Task):
        def __init__(self):
            self.queue = "reports"
            self.name = "shop.late"

        def run(self):
            pass

    assert app.add_task(Late).queue == "reports"
    assert "shop.late" in app.tasks


def test_a_class_has_its_name_and_aliases_as_attributes_or_as_arguments(app):
    class Mail(Base):
        name = "shop.mail"
        aliases = ("shop.old_mail",)

    first = app.add_task(Mail)
    second = app.add_task(Mail, name="shop.letter", aliases=["shop.old_letter"])
    assert {name: task.aliases for name, task in app.tasks.items()} == {
        "shop.mail": ("shop.old_mail",),
        "shop.letter": ("shop.old_letter",),
    }
    assert app.registry.by_any_name["shop.old_mail"] is first
    assert app.registry.by_any_name["shop.old_letter"] is second
