"""A module whose library is not installed."""

import importlib

importlib.import_module("no_such_library")
