"""The command that runs a module of ours in a fresh interpreter, with its specification as JSON.

Never by `-m`, which looks into the working directory first: an app's own `queue.py` would stand for
the standard library's.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_THIS_COPY = """\
import importlib.util, sys
spec = importlib.util.spec_from_file_location("squids", {package!r})
sys.modules["squids"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["squids"])
from {module} import main
main(sys.argv)
"""

_ITS_OWN = """\
import sys
try:
    from {module} import main
except ImportError as error:
    sys.exit(f"{{sys.executable}} cannot import {module}: install this version of squids there ({{error}})")
main(sys.argv)
"""


def interpreter_of(module: str, spec: dict[str, Any], python: str | None = None) -> list[str]:
    """The command that runs a module's `main`.

    `python` None: this interpreter, with this very copy of squids, wherever it came from (PyPI has another
    `squids`). Else that interpreter, with what is installed for it.
    """
    if python is not None:
        return [python, "-P", "-c", _ITS_OWN.format(module=module), json.dumps(spec)]
    package = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "__init__.py")
    program = _THIS_COPY.format(package=package, module=module)
    return [sys.executable, "-P", "-c", program, json.dumps(spec)]
