"""Each child draws numbers of its own. Each test looks at a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from squids.process.random_state import RESEEDED
from tests.support.servers import ROOT

DRAWN_BY_TWO = """
import json, os, sys
from squids.process.random_state import reseed
{source}
drawn = []
for _ in range(2):
    read, write = os.pipe()
    if os.fork() == 0:
        reseed()
        os.write(write, json.dumps([{draw}, "numpy" in sys.modules]).encode())
        os._exit(0)
    os.wait()
    drawn.append(json.loads(os.read(read, 1000)))
print(json.dumps(drawn))
"""


def drawn(source, draw):
    """What two forked children draw after this import, and whether NumPy is imported in each."""
    program = DRAWN_BY_TWO.format(source=source, draw=draw)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


OTHER_GENERATOR = "import numpy.random\nnumpy.random.set_bit_generator(numpy.random.PCG64(7))"
FAKES = """
import random, types
generator = random.Random(7)
sys.modules["torch"] = types.SimpleNamespace(seed=generator.seed)
"""


@pytest.mark.parametrize(
    ("source", "draw"),
    [
        ("import random; random.seed(7)", "random.random()"),
        ("import numpy.random", "int(numpy.random.randint(10**9))"),
        ("import numpy.random; numpy.random.seed(7)", "int(numpy.random.randint(10**9))"),
        (OTHER_GENERATOR, "int(numpy.random.randint(10**9))"),
        (FAKES, "generator.random()"),
    ],
)
def test_a_global_generator_differs_in_each_child(source, draw):
    """Also if the import has set its seed, or has chosen another algorithm."""
    ((one, _), (other, _)), complaints = drawn(source, draw)
    assert one != other
    assert complaints == ""


def test_what_is_not_imported_is_not_imported_for_it():
    ((_, imported), _), _ = drawn("import random", "random.random()")
    assert not imported


def test_one_that_fails_is_named_and_the_others_are_seeded():
    source = "import types, numpy.random\nsys.modules['random'] = types.SimpleNamespace()"
    ((one, _), (other, _)), complaints = drawn(source, "int(numpy.random.randint(10**9))")
    assert one != other
    assert complaints.count("squids: random could not be given a new seed: AttributeError") == 2


def test_the_documentation_lists_them():
    page = (ROOT / "docs" / "forking.md").read_text()
    assert [name for name in RESEEDED if f"`{name}`" not in page] == []
