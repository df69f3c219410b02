"""A Django project on disk, as `startproject` and `startapp` lay it out."""

from __future__ import annotations

from pathlib import Path

from tests.support import journal

MANAGE = """
import os, sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webshop.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""

SETTINGS = """
SECRET_KEY = "of a test"
INSTALLED_APPS = ["orders", "untasked", "squids.contrib.django"]
SQUIDS_APP = "webshop.squids_app:app"
MARK = "settings"
ROOT_URLCONF = "webshop.urls"
ALLOWED_HOSTS = ["*"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
"""

APP = """
from squids.contrib.django import App

app = App("webshop", settings="webshop.settings")
"""

READY = (
    journal.SOURCE
    + """
from django.apps import AppConfig

class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self):
        note("ready")
        from orders import tasks
"""
)

MODELS = """
from django.db import models

class Order(models.Model):
    number = models.IntegerField()
"""

TASKS = (
    journal.SOURCE
    + """
from django.conf import settings
from django.utils import translation

from orders.models import Order
from webshop.squids_app import app

@app.task("tests")
def work(name: str) -> None:
    note("done", name, settings.MARK, translation.get_language(), Order._meta.label)
    translation.activate("de")

@app.task("tests")
def fail(name: str) -> None:
    raise ValueError(name)
"""
)

URLS = """
from django.http import HttpResponse
from django.urls import path

from orders.tasks import work

def place(request, name):
    work.send(name)
    return HttpResponse("placed")

urlpatterns = [path("orders/<name>", place)]
"""


def write_project(directory: Path, changed: dict[str, str] | None = None) -> Path:
    """Write the project, with other sources of some modules; return its manage.py."""
    modules = {
        "manage": MANAGE,
        "webshop": "",
        "webshop.settings": SETTINGS,
        "webshop.squids_app": APP,
        "webshop.urls": URLS,
        "orders": "",
        "orders.apps": READY,
        "orders.models": MODELS,
        "orders.tasks": TASKS,
        "untasked": "",
    }
    packages = ("webshop", "orders", "untasked")
    for name, source in {**modules, **(changed or {})}.items():
        folder = directory / name.replace(".", "/")
        path = folder / "__init__.py" if name in packages else folder.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return directory / "manage.py"
