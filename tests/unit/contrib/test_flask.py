"""Jobs in Flask's app contexts, with Flask itself."""

from __future__ import annotations

import pytest
from flask import Flask, current_app, g
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

import squids.testing
from squids.contrib.flask import App
from squids.loading import load_app


@pytest.fixture
def app() -> App:
    return App("shop")


@pytest.fixture
def flask_app(app) -> Flask:
    flask_app = Flask("shop")
    app.init_app(flask_app)
    return flask_app


def test_each_job_has_a_context_of_its_own_that_is_torn_down(app, flask_app):
    """As each request has: what one job puts in `g` no other finds, and teardown functions see what was raised."""
    seen = []
    flask_app.teardown_appcontext(lambda error: seen.append(error))
    app.pre_task(lambda task: seen.append(current_app.name))

    @app.task("emails")
    def work(fails):
        seen.append(g.get("mark"))
        g.mark = "left behind"
        if fails:
            raise ValueError("no")

    with squids.testing.eager(app):
        work.send(False)
        with pytest.raises(ValueError) as caught:
            work.send(True)
    assert seen == ["shop", None, None, "shop", None, caught.value]
    assert not current_app


def test_inside_of_another_context_a_job_still_has_its_own(app, flask_app):
    """A test, or a request, that sends eagerly keeps what is its own."""

    @app.task("emails")
    def work():
        assert "mark" not in g
        g.mark = "the job's"

    with squids.testing.eager(app), flask_app.app_context():
        g.mark = "mine"
        work.send()
        assert g.mark == "mine"


def test_a_database_session_ends_with_its_job(app, tmp_path):
    """Flask-SQLAlchemy removes the session at the end of a context: what a job did not commit no later job commits."""
    flask_app = Flask("shop")
    flask_app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/shop.db"
    database = SQLAlchemy(flask_app)
    app.init_app(flask_app)
    sessions = []

    @app.task("emails")
    def pay(order, commits):
        sessions.append(database.session())
        database.session.execute(text("INSERT INTO paid VALUES (:order)"), {"order": order})
        if commits:
            database.session.commit()

    with flask_app.app_context():
        database.session.execute(text("CREATE TABLE paid (number INTEGER)"))
        database.session.commit()
    with squids.testing.eager(app):
        for order, commits in ((1, True), (2, False), (3, True)):
            pay.send(order, commits)
    with flask_app.app_context():
        assert database.session.scalars(text("SELECT number FROM paid ORDER BY number")).all() == [1, 3]
    with flask_app.app_context():  # Of its own: a session returns its connection at the end of its context.
        database.engine.dispose()
    assert len(set(map(id, sessions))) == 3


def test_a_teardown_function_that_raises_fails_the_job(app, flask_app):
    """Such as one that commits."""

    @flask_app.teardown_appcontext
    def commit(error):
        raise RuntimeError("commit failed")

    @app.task("emails")
    def work():
        pass

    with squids.testing.eager(app), pytest.raises(RuntimeError, match="commit failed"):
        work.send()


def test_without_a_flask_app_neither_a_job_nor_a_process_starts(app):
    @app.task("emails")
    def work():
        raise AssertionError("it ran")

    with squids.testing.eager(app), pytest.raises(squids.ConfigurationError, match="shop has no Flask app"):
        work.send()
    for start in (app.hooks.run_consumer_start, app.hooks.run_worker_start):
        with pytest.raises(squids.ConfigurationError, match="init_app"):
            start()


def test_the_settings_of_sqs_may_be_those_of_flask(app):
    """A factory knows them, the import does not."""
    flask_app = Flask("shop")
    flask_app.config["SQUIDS"] = {"region_name": "eu-west-1", "endpoint_url": "http://127.0.0.1:1"}
    app.init_app(flask_app)
    client = app.sqs.client(squids.queues.QueueRef.parse("emails"))
    assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-west-1", "http://127.0.0.1:1")
    flask_app.config["SQUIDS"] = {"regoin": "eu-west-1"}
    with pytest.raises(TypeError, match="regoin"):
        app.init_app(flask_app)


def test_it_takes_what_every_app_takes():
    """And keeps it when the factory knows better where SQS is."""
    app = App("shop", queue_prefix="staging-", queue_names={"films": "movies"}, send_timeout=5)
    flask_app = Flask("shop")
    flask_app.config["SQUIDS"] = {"region_name": "eu-west-1"}
    app.init_app(flask_app)
    assert [app.queue_ref(name).name for name in ("emails", "films")] == ["staging-emails", "movies"]
    assert app.sqs.send_timeout == 5
    assert app.registry.module == __name__
    assert app.registry.place is not None and app.registry.place[0] == __file__


def test_a_command_may_be_given_the_flask_app(app, flask_app, monkeypatch):
    import tests.support.sample_tasks as module

    monkeypatch.setattr(module, "web", flask_app, raising=False)
    assert load_app("tests.support.sample_tasks:web") is app


def test_a_flask_app_without_squids_is_not_an_app(monkeypatch):
    import tests.support.sample_tasks as module

    monkeypatch.setattr(module, "web", Flask("shop"), raising=False)
    with pytest.raises(squids.AppNotFound, match=r"is a Flask, not a squids\.App"):
        load_app("tests.support.sample_tasks:web")
