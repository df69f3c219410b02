"""What an App takes as a task, and what it refuses."""

from __future__ import annotations

import pytest

import squids
from squids.app import living
from squids.errors import DuplicateTask


@pytest.fixture
def app() -> squids.App:
    return squids.App("shop")


def work():
    pass


def test_a_registered_task_is_found_by_its_name(app):
    task = app.task("emails")(work)
    assert dict(app.tasks) == {f"{__name__}.work": task}
    assert repr(app) == "<squids.App shop: 1 tasks>"


def test_tasks_come_by_registration_alone(app):
    """A view: nobody adds one past the checks."""
    with pytest.raises(TypeError):
        app.tasks["shop.work"] = work


def test_two_tasks_of_one_name_are_refused(app):
    """A message could mean either. The first stays."""
    first = app.task("emails")(work)
    with pytest.raises(DuplicateTask, match=r"the app shop has a task .*\.work already"):
        app.task("reports")(work)
    assert list(app.tasks.values()) == [first]
    squids.App("another").task("emails")(work)


@pytest.mark.parametrize("queue", ["", "a queue", "https://sqs.eu-west-1.amazonaws.com/", "x" * 81])
def test_a_queue_that_cannot_be_is_refused_where_it_stands(app, queue):
    """Not at the first send."""
    with pytest.raises(ValueError):
        app.task(queue)(work)
    assert not app.tasks


def test_a_decorator_without_its_queue_says_how_it_is_written(app):
    with pytest.raises(TypeError, match=r'@app\.task\("emails"\)'):
        app.task(work)


class NoQueue(squids.Task):
    def run(self):
        pass


class NoRun(squids.Task):
    queue = "emails"


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (NoQueue, 'NoQueue has no queue: give the class queue = "..."'),
        (NoRun, "NoRun has no run method"),
        (dict, "takes a subclass of squids.Task"),
    ],
)
def test_a_class_that_is_no_task_is_refused_with_the_reason(app, made, says):
    with pytest.raises(TypeError) as caught:
        app.add_task(made)
    assert says in str(caught.value)
    assert not app.tasks


@pytest.mark.parametrize(
    ("register", "kind"),
    [
        ("pre_send", "pre_send"),
        ("post_send", "post_send"),
        ("pre_task", "pre_task"),
        ("post_task", "post_task"),
        ("after_task", "post_task"),
        ("report_queue_stats", "report_queue_stats"),
    ],
)
def test_a_hook_stays_the_function_that_it_is(app, register, kind):
    """Decorators can be stacked. `after_task` is what the original SQuidS calls it."""
    assert getattr(app, register)(work) is work
    assert {name: hooks for name, hooks in vars(app.hooks).items() if hooks} == {kind: [work]}


def test_an_unknown_key_of_the_config_is_told_at_once():
    with pytest.raises(TypeError, match='did you mean "region_name"'):
        squids.App("shop", {"region_nam": "eu-west-1"})


def test_a_consumer_has_the_tasks_that_are_registered_after_it(app):
    """It is made in one module, and tasks stand in many."""
    consumer = app.create_consumer("emails")
    task = app.task("emails")(work)
    assert consumer.queue.name == "emails"
    assert list(consumer._tasks.values()) == [task]


def test_an_app_lives_as_long_as_somebody_has_it():
    """The list of all is for tests; it keeps none of them."""
    made = squids.App("for a moment")
    assert made in living
    names = [app.name for app in living]
    del made
    __import__("gc").collect()
    assert "for a moment" in names
    assert "for a moment" not in [app.name for app in living]
