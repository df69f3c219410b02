"""Takes the valid parts of a configuration file as rules, and reports the others."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError

from squids.supervisor.config.document import Document, Path, Problem
from squids.supervisor.config.problems import problem_of
from squids.supervisor.config.rules import FileRules


def valid_rules(text: Document, problems: list[Problem]) -> FileRules | None:
    """Return the rules of the valid parts; report and drop invalid parts."""
    known = {problem.path for problem in problems}
    data = copy.deepcopy(text.data)
    for _ in range(2):  # The first pass drops what is invalid; the second validates the rest.
        try:
            return FileRules.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                problem = problem_of(text, detail)
                if problem.path not in known:
                    problems.append(problem)
                    known.add(problem.path)
                _leave_out(data, tuple(detail["loc"]))
    return None


def _leave_out(data: Any, path: Path) -> None:
    """Remove the value at the path, or at its longest existing prefix."""
    around: Any = None
    last: Any = None
    for part in path:
        is_key = isinstance(data, dict) and part in data
        is_index = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if is_key or is_index:
            around, last, data = data, part, data[part]
        else:
            break
    if isinstance(around, dict):
        around.pop(last, None)
    elif isinstance(around, list) and isinstance(last, int):
        around[last] = ""
