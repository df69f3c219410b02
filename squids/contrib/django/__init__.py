"""Django: tasks of installed apps, with database connections as in a request. Extra: `squids[django]`.

This package imports no models, so that it can be imported before Django is set up.
"""

from squids.contrib.django.app import App, DjangoTask
from squids.contrib.django.project import get_app

__all__ = ["App", "DjangoTask", "get_app"]
