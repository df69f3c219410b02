"""Code is changed under a running supervisor: the newest that can be imported runs each new task, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support import journal
from tests.support.processes import call
from tests.support.saving import imported_after, save
from tests.support.waiting import wait_until

CODE = (
    journal.SOURCE
    + """
import os, time
import squids

VERSION = "v1"
app = squids.App("shop")

@app.task("tests")
def work(name):
    note("ran", name, VERSION)

@app.task("tests")
def wait_for(name, path):
    note("start", name, VERSION)
    while not os.path.exists(path):
        time.sleep(0.005)
    note("done", name, VERSION)
"""
)


def code(version: str) -> str:
    return CODE.replace('"v1"', f'"{version}"')


class Developer:
    """Somebody who saves files, and looks at what runs."""

    def __init__(self, up, sqs):
        self.up = up
        self.sqs = sqs
        self.count = 0

    def write(self, name: str, text: str, modified: int | None = None) -> None:
        save(self.up.directory / name, text, modified_ns=modified and modified * 10**9)

    def save(self, version: str) -> None:
        self.write("shop.py", code(version))

    def ran_on(self) -> str:
        """The version that a new task runs on."""
        self.count += 1
        name = f"probe{self.count}"
        self.sqs.put("tests", call("work", name))
        wait_until(lambda: name in self.up.journal.words("ran"), what=lambda: f"{name} runs\n{self.up.text}")
        return next(line[2] for line in self.up.journal.lines() if line[:2] == ["ran", name])

    def runs(self, version: str, handed_over: int) -> None:
        """After so many hand-overs new tasks run on this version."""
        self.up.wait_for("hand_over", handed_over)
        self.up.wait_for("stopping", handed_over)  # The old one knows it: it keeps nothing that it receives.
        ran_on = self.ran_on()
        assert ran_on == version, self.up.text

    def one_consumer(self, name: str = "tests") -> None:
        wait_until(lambda: len(self.up.mains(name)) == 1, what=lambda: f"one consumer\n{self.up.text}")

    def pid_at_rest(self, name: str, apps: int) -> int:
        """A program's pid, once no import and no hand-over is under way: each app has one fork server."""

        def at_rest() -> int | None:
            told = self.up.document("status")
            (entry,) = (entry for entry in told["programs"] if entry["name"] == name)
            moves = len(told["zygotes"]) != apps or entry["replacement"] or entry["leaving"]
            return entry["pid"] if entry["state"] == "running" and not moves else None

        pid = wait_until(at_rest, what=lambda: f"{name} is at rest\n{self.up.text}")
        assert pid is not None
        return pid


def heal(up, path) -> None:
    """Save a file that an import failed at until that is seen: it is watched a moment after the failure."""
    before = len(up.actions("code_changed"))

    def saved_and_seen() -> bool:
        save(path, "value = 1\n")
        return len(up.actions("code_changed")) > before

    wait_until(saved_and_seen, what=lambda: up.text)


@pytest.fixture
def developer(strict_sqs, supervisor):
    """A supervisor with --reload, its one queue up."""

    def make(queues=None, app=CODE, wait="*", files=None, **top) -> Developer:
        for queue in ("tests", "two"):
            strict_sqs.create(queue)
        up = supervisor(strict_sqs.endpoint_url, app)
        up.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        up.write(queues or {"tests": {}}, **{"reload": {"delay": "50ms", **top.pop("reload", {})}, **top})
        for name, text in (files or {}).items():
            (up.directory / name).write_text(text)
        up.launch("--reload")
        up.wait_for("started")
        done = up.verb("wait", wait, "--timeout", "30")
        assert done.returncode == 0, done.stdout + done.stderr + up.text
        return Developer(up, strict_sqs)

    return make


@pytest.mark.slow
def test_each_way_of_saving_is_one_reload(developer):
    """Truncate and write, rename over, delete and create, a checkout of many files: one import each.

    On a loaded machine a checkout has gaps: what comes within `delay` is one heap.
    """
    dev = developer(reload={"delay": "1s"})
    path = dev.up.directory / "shop.py"

    def truncate(text):
        path.write_text(text)

    def delete_and_create(text):
        path.unlink()
        path.write_text(text)

    def check_out(text):
        for number in range(300):
            (dev.up.directory / f"module{number}.py").write_text("x = 1\n")
        dev.write("shop.py", text)

    ways = [lambda text: dev.write("shop.py", text), truncate, delete_and_create, check_out]
    for number, way in enumerate(ways, 1):
        way(code(f"v{number + 1}"))
        dev.runs(f"v{number + 1}", number)
        dev.one_consumer()
        assert len(dev.up.actions("code_changed")) == number, dev.up.text
    assert dev.up.stop() == 0
    dev.up.nothing_left()


@pytest.mark.slow
def test_a_directory_that_is_moved_away_or_in_is_a_change(developer, tmp_path):
    """The system tells of the directory alone, not of the files in it."""
    dev = developer()
    package, old, new = dev.up.directory / "package", tmp_path / "old", tmp_path / "new"
    for directory, version in ((package, "p1"), (new / "deep", "p2")):
        directory.mkdir(parents=True)
        (directory / "part.py").write_text(f"VERSION = '{version}'\n")
    dev.write("shop.py", CODE.replace('VERSION = "v1"', "from package.part import VERSION"))
    wait_until(lambda: dev.ran_on() == "p1", what=lambda: dev.up.text)
    os.rename(package, old)
    wait_until(lambda: "stale: " in dev.up.verb("status").stdout, what=lambda: dev.up.text)
    os.rename(new / "deep", package)
    wait_until(lambda: dev.ran_on() == "p2", what=lambda: dev.up.text)
    (tmp_path / "more" / "er").mkdir(parents=True)
    (tmp_path / "more" / "er" / "new.py").write_text("")
    before = len(dev.up.actions("code_changed"))
    os.rename(tmp_path / "more", dev.up.directory / "more")
    wait_until(lambda: len(dev.up.actions("code_changed")) == before + 1, what=lambda: dev.up.text)
    assert "more/er/new.py changed" in dev.up.actions("code_changed")[-1]
    assert dev.up.stop() == 0


def test_what_is_no_code_of_the_apps_reloads_nothing(developer):
    """Logs, databases, caches, environments and repositories may lie in the tree."""
    dev = developer(reload={"exclude": ["generated"]})
    root = dev.up.directory
    for directory in (".venv/lib", "__pycache__", ".git/hooks", "node_modules/x", "generated"):
        (root / directory).mkdir(parents=True, exist_ok=True)
        (root / directory / "file.py").write_text("x = 1\n")
    for name in ("app.log", "data.sqlite3", ".shop.py.swp", ".#shop.py", "shop.py~", "4913"):
        for _ in range(5):
            with (root / name).open("a") as file:
                file.write("one more line\n")
    dev.save("v2")  # What comes after all of those was seen after all of those.
    dev.runs("v2", 1)
    (line,) = dev.up.actions("code_changed")
    assert "shop.py changed" in line


BROKEN = {
    "SyntaxError in shop.py:": "x = (\n",
    "NameError in shop.py:": "undefined\n",
    "SystemExit in shop.py:": "import sys; sys.exit(3)\n",
    "ModuleNotFoundError in shop.py:": "import nowhere_to_be_found\n",
    "ended its process": "import os; os._exit(3)\n",
    "took over 8 s": "import time; time.sleep(60)\n",
}


@pytest.mark.slow
def test_what_cannot_be_imported_changes_nothing_but_the_status(developer):
    """Old code goes on, the traceback is shown once, status says what is wrong, the next good save heals it."""
    dev = developer(defaults={"start_timeout": "8s"})
    pid = dev.up.pid_of("tests")
    for number, (short, line) in enumerate(BROKEN.items(), 1):
        dev.write("shop.py", code("bad") + line)
        dev.up.wait_for("stale", number)
        entry = dev.up.status()["tests"]
        assert short in entry["stale"]
        assert entry["pid"] == pid
        assert entry["state"] == "running"
    assert dev.ran_on() == "v1"
    dev.up.environment["COLUMNS"] = "80"
    text = dev.up.verb("status").stdout
    assert "\ntests: stale: the import of shop:app took over 8 s\n" in text
    assert "restart to run it" not in text, "it would not"
    assert "does not import; the old code keeps running: the import of" in dev.up.verb("why", "tests").stdout
    assert sum("SyntaxError: '(' was never closed" in line for line in dev.up.output) == 1
    dev.save("v2")
    dev.runs("v2", 1)
    assert dev.up.status()["tests"]["stale"] is None


@pytest.mark.parametrize(
    ("broken", "says"),
    [("def f(:\n", "stale: SyntaxError in"), ("value = undefined\n", "stale: NameError in")],
)
def test_what_was_broken_outside_the_directory_is_healed_there(developer, tmp_path, broken, says):
    """The import failed at a file that no import that succeeded ever came to."""
    common = tmp_path / "common"
    common.mkdir()
    (common / "shared.py").write_text(broken)
    dev = developer(environment={"PYTHONPATH": str(common)})
    dev.write("shop.py", "import shared\n" + code("v2"))
    wait_until(lambda: says in dev.up.verb("status").stdout, what=lambda: f"stale\n{dev.up.text}")
    heal(dev.up, common / "shared.py")
    dev.runs("v2", 1)
    assert dev.up.stop() == 0


@pytest.mark.slow
def test_what_was_broken_outside_the_directory_from_the_start_is_healed_there(
    strict_sqs, supervisor, tmp_path
):
    strict_sqs.create("tests")
    common = tmp_path / "common"
    common.mkdir()
    (common / "shared.py").write_text("def f(:\n")
    up = supervisor(strict_sqs.endpoint_url, "import shared\n" + CODE)
    up.write({"tests": {}}, environment={"PYTHONPATH": str(common)})
    up.launch("--reload")
    up.wait_for("import_failed")
    heal(up, common / "shared.py")
    up.until_state("tests", "running")
    assert up.stop() == 0


@pytest.mark.slow
def test_a_file_that_one_app_imports_touches_its_queues_alone(developer):
    """Two apps of one directory: a nested import of one is changed, and later a file that nobody imported."""
    nested = "import helper\n" + CODE.replace('VERSION = "v1"', "VERSION = helper.version()")
    other = CODE.replace('"tests"', '"two"')
    dev = developer({"tests": {}, "two": {"app": "other:app"}}, wait="tests")
    dev.up.wait_for("import_failed")  # There is no other.py; that there is one heals it.
    dev.write("part.py", "NAME = 'n1'\n")
    dev.write("helper.py", "import part\ndef version():\n    return part.NAME\n")
    dev.write("other.py", other)
    dev.write("shop.py", nested)
    dev.up.until_state("two", "running")
    wait_until(lambda: dev.ran_on() == "n1", what=lambda: f"the nested one runs\n{dev.up.text}")
    before = dev.pid_at_rest("two", apps=2)
    dev.write("part.py", "NAME = 'n2'\n")
    wait_until(lambda: dev.ran_on() == "n2", what=lambda: f"the nested change runs\n{dev.up.text}")
    assert dev.up.pid_of("two") == before
    dev.write("lazy.py", "x = 1\n")
    wait_until(lambda: dev.up.pid_of("two") != before, what="what nobody is known to import is everybody's")


@pytest.mark.slow
def test_bytecode_of_the_same_second_and_size_never_wins(developer):
    """Python tells caches by seconds and size: another process has cached what was saved just before."""
    dev = developer()
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    second = int(time.time()) - 100
    for number in range(2, 5):
        dev.write("shop.py", code(f"v{number}"), modified=second)
        dev.runs(f"v{number}", number - 1)
        subprocess.run(
            [sys.executable, "-c", "import shop"],
            cwd=dev.up.directory,
            env={**environment, "JOURNAL": os.devnull},
            check=True,
        )
        assert list((dev.up.directory / "__pycache__").glob("shop.*.pyc")), "somebody cached it"


@pytest.mark.slow
@pytest.mark.parametrize("where", ["elsewhere", "behind a link"])
def test_bytecode_that_lies_elsewhere_never_wins_either(developer, tmp_path, where):
    """PYTHONPYCACHEPREFIX; and a file that is imported by a link has its cache beside the link."""
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"JOURNAL": os.devnull}
    prefix = {"PYTHONPYCACHEPREFIX": str(tmp_path / "caches")} if where == "elsewhere" else {}
    dev = developer(environment=prefix)
    if where == "behind a link":
        (tmp_path / "real").mkdir()
        (dev.up.directory / "part.py").symlink_to(tmp_path / "real" / "part.py")
    second = int(time.time()) - 100

    def save(version: str) -> None:
        dev.write("part.py", f"VERSION = '{version}'\n", modified=second)

    save("p1")
    dev.write("shop.py", CODE.replace('VERSION = "v1"', "from part import VERSION"))
    wait_until(lambda: dev.ran_on() == "p1", what=lambda: dev.up.text)
    for number in range(2, 4):
        subprocess.run(
            [sys.executable, "-c", "import part"],
            cwd=dev.up.directory,
            env=environment | prefix,
            check=True,
        )
        save(f"p{number}")
        # Hand-overs are not counted: before shop.py imported it, the first part.py may have brought one.
        wait_until(lambda n=number: dev.ran_on() == f"p{n}", what=lambda: dev.up.text)
    assert dev.up.stop() == 0


@pytest.mark.slow
def test_fifty_saves_a_second_end_on_the_last_and_lose_nothing(developer):
    """Imports in progress are given up for newer ones; every message runs."""
    dev = developer()
    names = []
    for number in range(100):
        names.append(f"m{number}")
        dev.sqs.put("tests", call("work", names[-1]))
        dev.save(f"s{number}")
        time.sleep(0.02)  # What is tested is the pace itself.
    wait_until(lambda: dev.ran_on() == "s99", what=lambda: f"the last save runs\n{dev.up.text}")
    wait_until(lambda: set(names) <= set(dev.up.journal.words("ran")), what="all ran")
    dev.one_consumer()
    wait_until(lambda: len(dev.up.zygotes()) == 1, what="one fork server is left")
    assert not dev.up.actions("died")
    assert dev.up.stop() == 0


@pytest.mark.slow
def test_a_task_that_runs_ends_on_the_old_code(developer, tmp_path):
    """A save kills no task; a second save hurries what the first one left behind."""
    dev = developer(defaults={"workers": 1, "retry_delay": 0})
    first, second = tmp_path / "first", tmp_path / "second"
    dev.sqs.put("tests", call("wait_for", "a", str(first)))
    wait_until(lambda: ["start", "a", "v1"] in [line[:3] for line in dev.up.journal.lines()])
    dev.save("v2")
    dev.runs("v2", 1)
    first.touch()
    wait_until(lambda: ["done", "a", "v1"] in [line[:3] for line in dev.up.journal.lines()])
    dev.one_consumer()
    dev.sqs.put("tests", call("wait_for", "b", str(second)))
    wait_until(lambda: ["start", "b", "v2"] in [line[:3] for line in dev.up.journal.lines()])
    dev.save("v3")
    dev.runs("v3", 2)
    dev.save("v4")
    # Its message is given back, and runs on the newest code.
    wait_until(
        lambda: ["start", "b", "v4"] in [line[:3] for line in dev.up.journal.lines()],
        what=lambda: dev.up.text,
    )
    second.touch()
    wait_until(lambda: "b" in dev.up.journal.words("done"))
    assert dev.up.stop() == 0


@pytest.mark.slow
def test_new_code_does_not_undo_a_stop(developer, tmp_path):
    """It was saved just before, and is imported while the old consumer drains: of one queue, and of all."""
    dev = developer()
    for number, stop in enumerate((lambda: dev.up.verb("stop", "--no-wait"), dev.up.process.terminate), 1):
        go, stopped = tmp_path / f"go{number}", tmp_path / f"stopped{number}"
        dev.sqs.put("tests", call("wait_for", f"a{number}", str(go)))
        wait_until(lambda n=number: f"a{n}" in dev.up.journal.words("start"), what=lambda: dev.up.text)
        dev.write("shop.py", imported_after(stopped, code(f"v{number + 1}")))
        dev.up.wait_for("code_changed", number)
        stop()
        dev.up.wait_for("stopping", 2 * number)
        stopped.touch()
        dev.up.wait_for("imported", number + 1)
        go.touch()
        if number == 1:
            dev.up.until_state("tests", "stopped")
            assert dev.up.verb("start").returncode == 0
    assert dev.up.wait() == 0, dev.up.text
    assert len(dev.up.actions("ready")) == 2, dev.up.text


def test_old_code_goes_on_for_kill_after(developer, tmp_path):
    """What has not ended by then is killed, given back, and runs on the new code."""
    dev = developer(defaults={"retry_delay": 0}, reload={"kill_after": "200ms"})
    go = tmp_path / "go"
    dev.sqs.put("tests", call("wait_for", "a", str(go)))
    wait_until(lambda: "a" in dev.up.journal.words("start"))
    dev.save("v2")
    wait_until(
        lambda: ["start", "a", "v2"] in [line[:3] for line in dev.up.journal.lines()],
        what=lambda: dev.up.text,
    )
    go.touch()
    wait_until(lambda: ["done", "a", "v2"] in [line[:3] for line in dev.up.journal.lines()])


def test_a_changed_file_is_read_and_an_invalid_one_changes_nothing(developer):
    """A queue more is there; nonsense is told, and all goes on."""
    dev = developer()
    pid = dev.up.pid_of("tests")
    good = dev.up.file.read_text()
    dev.write("squids.yaml", good.replace("tests:", "testz: ["))
    dev.up.wait_for("reload_failed")
    assert dev.up.pid_of("tests") == pid
    dev.write("squids.yaml", good)
    wait_until(lambda: "the configuration is valid again" in dev.up.text, what=lambda: dev.up.text)
    dev.write("squids.yaml", good.replace("tests: {}", "tests: {}\n  two: {}"))
    wait_until(lambda: "two" in dev.up.status(), what=lambda: dev.up.text)
    dev.up.until_state("two", "running")
    assert dev.up.pid_of("tests") == pid


def test_a_changed_file_of_variables_is_read_for_its_queues_alone(developer):
    """A mistake in it changes nothing."""
    app = CODE.replace('VERSION = "v1"', 'VERSION = os.environ.get("VERSION", "none")')
    dev = developer(
        {"tests": {"env_file": "tests.env"}, "two": {}}, app, files={"tests.env": "VERSION=one\n"}
    )
    two = dev.up.pid_of("two")
    assert dev.ran_on() == "one"
    dev.write("tests.env", "VERSION=two\n")
    wait_until(lambda: dev.ran_on() == "two", what=lambda: dev.up.text)
    dev.write("tests.env", "no variable\n")
    dev.up.wait_for("reload_failed")
    assert "tests.env:1:1: queues.tests.env_file.0: is not a variable such as NAME=value" in dev.up.text
    assert dev.ran_on() == "two"
    assert dev.up.pid_of("two") == two


def test_a_file_that_comes_under_an_included_glob_is_read(developer):
    dev = developer({"tests": {}}, include=["conf.d/*.yaml"])
    directory = dev.up.directory / "conf.d"
    directory.mkdir()
    (directory / "a.yaml").write_text("queues: {two: {}}\n")
    wait_until(lambda: "two" in dev.up.status(), what=lambda: f"its directory came with it\n{dev.up.text}")
    (directory / "b.yaml").write_text("queues: {three: {queue: two}}\n")
    wait_until(lambda: "three" in dev.up.status(), what=lambda: f"it came later\n{dev.up.text}")
    (directory / "b.yaml").unlink()
    wait_until(lambda: "three" not in dev.up.status(), what=lambda: f"it went\n{dev.up.text}")
    assert dev.up.actions("code_changed") == []
    assert dev.up.stop() == 0


@pytest.mark.slow
def test_code_that_takes_long_to_import_does_not_undo_a_newer_file(developer):
    """Old directory's code is still being imported when the file names another; the file is what counts."""
    dev = developer()
    (dev.up.directory / "app").mkdir()
    (dev.up.directory / "app" / "shop.py").write_text(code("v3"))
    dev.save("v1")
    dev.runs("v1", 1)
    go = dev.up.directory / "go"
    dev.write("shop.py", imported_after(go, code("v2")))
    dev.up.wait_for("code_changed", 2)
    dev.sqs.fail("503", times=10**6)  # What the file brings does not receive yet.
    dev.write("squids.yaml", f"directory: app\n{dev.up.file.read_text()}")
    wait_until(lambda: len(dev.up.mains("tests")) == 2, what=lambda: dev.up.text)
    go.touch()
    wait_until(lambda: len(dev.up.zygotes()) == 2, what=lambda: dev.up.text)  # The code of `go` is let go.
    dev.sqs.faults.clear()
    wait_until(lambda: dev.ran_on() == "v3", what=lambda: dev.up.text)
    dev.one_consumer()


@pytest.mark.slow
def test_a_directory_that_goes_and_comes_back(developer):
    """A checkout of another branch may take the app's whole directory away for a moment."""
    dev = developer()
    away = dev.up.directory / "app"
    away.mkdir()
    dev.write("app/shop.py", code("v2"))
    good = dev.up.file.read_text()
    dev.write("squids.yaml", f"directory: app\n{good}")
    wait_until(lambda: dev.ran_on() == "v2", what=lambda: f"the directory's code runs\n{dev.up.text}")
    dev.one_consumer()  # Until then the old process may still answer.
    os.rename(away, dev.up.directory / "gone")
    assert dev.ran_on() == "v2"
    away.mkdir()
    dev.write("app/shop.py", code("v3"))
    wait_until(lambda: dev.ran_on() == "v3", what=lambda: f"what came back runs\n{dev.up.text}")
    dev.save("v4")
    assert dev.up.process.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize("how", ["threads", "preload"])
def test_apps_that_no_fork_may_copy_are_reloaded_too(developer, how):
    """Threads at import, or `preload: false`: each process imports for itself, and bad code is not tried."""
    threads = (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    extra = threads if how == "threads" else ""
    defaults = {"preload": False} if how == "preload" else {}
    dev = developer(app=CODE + extra, defaults=defaults)
    dev.write("shop.py", code("bad") + extra + "undefined\n")
    dev.up.wait_for("stale")
    assert dev.ran_on() == "v1"
    dev.write("shop.py", code("v2") + extra)
    dev.runs("v2", 1)
    dev.one_consumer()
    assert dev.up.stop() == 0


def test_code_that_was_broken_from_the_start_is_healed_by_a_save(strict_sqs, supervisor):
    """Nothing has to wait for the backoff; the traceback is shown once, however often it is tried."""
    strict_sqs.create("tests")
    up = supervisor(strict_sqs.endpoint_url, CODE + "undefined\n").write({"tests": {}})
    up.launch("--reload")
    up.wait_for("import_failed", 3)  # By now the next try is seconds away.
    assert sum("NameError: name 'undefined'" in line and "action=" not in line for line in up.output) == 1
    assert "NameError in shop.py:" in up.actions("import_failed")[2]
    assert "as before" in up.actions("import_failed")[2]
    dev = Developer(up, strict_sqs)
    dev.save("v2")
    assert dev.ran_on() == "v2"


def test_code_is_changed_while_sqs_is_away(developer):
    """Neither old nor new code receives; when SQS is back, the new code does."""
    dev = developer(defaults={"start_timeout": "8s"})
    dev.sqs.fail("503", times=10**6)
    dev.save("v2")
    dev.up.wait_for("imported", 2)
    wait_until(lambda: len(dev.up.mains("tests")) == 2)
    dev.up.wait_for("degraded")
    dev.sqs.faults.clear()
    dev.runs("v2", 1)
    dev.one_consumer()


def test_without_reload_nothing_is_watched(strict_sqs, supervisor):
    """A save changes nothing, and watchfiles is not even imported."""
    strict_sqs.create("tests")
    up = supervisor(strict_sqs.endpoint_url, CODE).write({"tests": {}}).up()
    with open(f"/proc/{up.pid}/maps") as maps:
        assert "_rust_notify" not in maps.read()


def test_squids_reloads_too(strict_sqs, squids_process):
    """The command for one queue, with --reload; --log-level and the other options hold."""
    strict_sqs.create("tests")
    process = squids_process(strict_sqs.endpoint_url, CODE)
    process.start("--reload", "--workers", "1", "--prefetch", "1").ready()
    dev = Developer(process, strict_sqs)
    assert dev.ran_on() == "v1"
    dev.save("v2")
    dev.runs("v2", 1)
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    process.nothing_left()
