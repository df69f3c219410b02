"""`python -m tests.golden.update` writes the files of `expected/` as they are now. CHANGELOG.md says what changed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["-q", str(Path(__file__).parent), "--accept"]))
