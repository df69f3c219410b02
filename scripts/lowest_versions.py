"""Print the lowest version of each library that squids allows, as constraints for pip.

    python scripts/lowest_versions.py > lowest.txt
    PIP_CONSTRAINT=lowest.txt make venv

So the suite runs with the oldest that pyproject.toml promises.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def constraints(project: dict[str, Any]) -> list[str]:
    """`name==lowest` for what squids needs at run time, and for the local SQS server."""
    wanted: list[str] = project["dependencies"] + project["optional-dependencies"]["local"]
    found = []
    for text in wanted:
        named = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)(?:;.*)?", text.replace(" ", ""))
        if named is None:
            sys.exit(f"{PYPROJECT.name}: no lowest version in {text!r}")
        found.append(f"{named[1]}=={named[2]}")
    return found


if __name__ == "__main__":
    print("\n".join(constraints(tomllib.loads(PYPROJECT.read_text())["project"])))
