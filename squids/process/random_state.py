"""Gives each child random numbers of its own.

A forked child has a copy of its parent's generators, so without this all children draw the same numbers. So
do fresh interpreters if the import sets a seed. Only the global generators of modules are seeded again, if
these are imported. Objects that an app makes at import are its own: they may be meant to repeat.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any

from squids.process.output import complain


def _numpy(module: Any) -> None:
    try:
        module.seed()
    except TypeError:  # Another bit generator was set (numpy.random.set_bit_generator), which has no `seed`.
        module.set_bit_generator(type(module.get_bit_generator())())


RESEEDED: dict[str, Callable[[Any], object]] = {
    "random": lambda module: module.seed(),
    "numpy.random": _numpy,
    "torch": lambda module: module.seed(),
    "faker": lambda module: module.Faker.seed(),
}
"""Modules with a global generator, and how to seed it from the operating system's randomness.

`random` does so by itself after a fork, but not in a fresh interpreter. pandas, SciPy and scikit-learn use
NumPy's.
"""


def reseed() -> None:
    """Seed the global generators of what is imported. A failure is reported, and stops no other."""
    for name, seed in RESEEDED.items():
        module = sys.modules.get(name)
        if module is None:
            continue
        try:
            seed(module)
        except Exception as error:
            text = traceback.format_exception_only(error)[-1].strip()
            complain(f"squids: {name} could not be given a new seed: {text}\n")
