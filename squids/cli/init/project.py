"""`squids-supervisor init`: writes a small project that works."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

from squids.exit_codes import ExitCode

TEMPLATES = Path(__file__).parent / "template"

SCHEMA = "squids.schema.json"

NAMES = ("tasks.py", "squids.yaml", "test_tasks.py", "README.md", SCHEMA)


def write_project(directory: str) -> int:
    """Write the missing files, keep existing ones; return the exit code."""
    root = Path(directory)
    written, kept = [], []
    try:
        root.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            if _write(root / name, _content(name)):
                written.append(name)
            else:
                kept.append(name)
    except OSError as error:
        print(
            f"squids-supervisor: cannot write {error.filename}: {error.strerror}",
            file=sys.stderr,
        )
        return ExitCode.FAILURE
    if kept:
        print(f"kept as they are: {', '.join(kept)}")
    if not written:
        print("nothing was written: all files exist already")
        return ExitCode.OK
    print(f"written: {', '.join(written)}\n")
    if "tasks.py" in kept or "squids.yaml" in kept:
        print(
            "Your files were not changed. README.md describes those that squids writes where there are none."
        )
        return ExitCode.OK
    if os.path.realpath(root) != os.path.realpath("."):
        print(f"  cd {shlex.quote(os.path.join('.', directory) if directory.startswith('-') else directory)}")
    print("  squids-supervisor --dev           # a local SQS, and consumers that reload")
    print('  squids-supervisor send email_customer \'{"to": "ada@example.com"}\' --wait')
    print("\nRun the second line in another terminal. README.md continues from there.")
    return ExitCode.OK


def _content(name: str) -> str:
    if name == SCHEMA:
        from squids.supervisor.config.schema import json_schema

        return json.dumps(json_schema(), indent=2) + "\n"
    return (TEMPLATES / f"{name}.template").read_text(encoding="utf-8")


def _write(path: Path, text: str) -> bool:
    try:
        # Whatever the umask: root refuses a configuration that group or others can write to.
        with open(path, "x", encoding="utf-8", opener=_writable_by_owner) as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        path.unlink(missing_ok=True)  # Otherwise the next call would keep a partial file.
        raise OSError(error.errno, error.strerror, str(path)) from None
    return True


def _writable_by_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o644)
