"""Sphinx: the documentation's settings. `make docs` builds it, with warnings as errors."""

import tomllib
from pathlib import Path

_project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]

project = "squids"
author = "The squids maintainers"
copyright = "2026, the squids maintainers"
release = _project["version"]
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"squids {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True

# Docstrings mark code with single backticks.
default_role = "code"

nitpicky = True
# Names of the standard library and of boto3, whose inventories are not fetched: a build needs no network.
nitpick_ignore_regex = [
    ("py:.*", r"(collections|typing|datetime|inspect|enum|botocore|boto3|types)\..*"),
    ("py:.*", r"(Any|Callable|Mapping|Iterator|Sequence|ParamSpec|P|R|T|datetime|optional)"),
    # Our own, where the annotation names the module that a public name lives in, or a type variable.
    ("py:class", r"squids\.\w+\.(\w*T|P|R|Task|App|Job|Consumer|ConsumeResult|QueueStats|JSON|AppOptions)"),
    ("py:exc", r"squids\.\w+\.\w+"),
    ("py:class", r"\w*T"),
]
