"""What an import costs is a promise: modules are counted, not seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = {"asyncio", "yaml", "pydantic", "watchfiles", "squids.pool", "squids.process", "squids.cli"}


def modules_after(code: str) -> set[str]:
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    # Without coverage, which would be counted too.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    return set(json.loads(done.stdout))


def test_import_squids_imports_itself_only():
    """`import squids` resolves its names later."""
    ours = {name for name in modules_after("import squids") if name.startswith("squids")}
    assert ours == {"squids"}


def test_defining_an_app_imports_no_boto3():
    """A web process that defines tasks pays for boto3 only when it sends."""
    loaded = modules_after("import squids\napp = squids.App('x')\n@app.task('q')\ndef f(): ...")
    assert loaded & {*HEAVY, "multiprocessing", "boto3", "botocore"} == set()


@pytest.mark.usefixtures("aws_environment")
def test_the_first_send_imports_no_consumer(new_queue):
    """A send needs boto3 and nothing of a consumer's."""
    name, _ = new_queue()
    code = (
        f"import squids\napp = squids.App('x')\n@app.task({name!r})\ndef f(): ...\nf.name = 'm.f'\nf.send()"
    )
    loaded = modules_after(code)
    assert "boto3" in loaded
    assert loaded & HEAVY == set()


def test_a_task_in_a_script_gets_an_importable_name(tmp_path):
    """A task defined in a script has the name under which a consumer imports it; where there is none, a send
    says so."""
    script = tmp_path / "my_script.py"
    script.write_text("import squids\napp = squids.App('x')\n@app.task('q')\ndef f(): ...\nprint(f.name)")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "my_script.f"
    odd = tmp_path / "my-script.py"
    odd.write_text(script.read_text() + "\nf.send()")
    done = subprocess.run([sys.executable, str(odd)], capture_output=True, text=True, check=False)
    assert "no consumer can import" in done.stderr
