"""The configuration file: what it comes to, and every mistake at its place, all at once."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from squids.options import OPTIONS
from squids.supervisor.config import build as config
from squids.supervisor.config.text import MAX_BYTES
from squids.supervisor.settings import ReloadSettings, RestartWhen, Settings

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty directory, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(here, text, environ=None, name="squids.yaml"):
    (here / name).write_text(text)
    return config.read(name, environ or {})


def problems_of(name):
    found = config.read(name, {})
    assert not isinstance(found, Settings)
    return found


def good(here, text, environ=None):
    found = read(here, text, environ)
    assert isinstance(found, Settings), "\n".join(map(str, found))
    return found


def bad(here, text, environ=None):
    found = read(here, text, environ)
    assert isinstance(found, list), "it was taken"
    return [str(problem) for problem in found]


def test_a_current_directory_that_is_gone_does_not_matter(tmp_path, monkeypatch):
    """A deployment may have taken it away. The file is named in full then."""
    (tmp_path / "squids.yaml").write_text("app: a:b\nqueues: {q: {}}")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert isinstance(config.read(str(tmp_path / "squids.yaml"), {}), Settings)


def test_the_file_of_the_docs(here):
    """The file that the guide shows, with all that it means."""
    settings = good(
        here,
        """
app: shop.tasks:app
directory: .
environment: {DATABASE_URL: "${DATABASE_URL}", LOG_LEVEL: "${LOG_LEVEL:-info}"}
include: [conf.d/*.yaml]
supervisor: {log_format: text}
defaults: {workers: 2, polling_wait_time: 20}
queues:
  emails: {workers: 8}
  reports: {workers: 1, visibility_timeout: 600, shutdown_timeout: 120, environment: {OMP_NUM_THREADS: "1"}}
  orders.fifo: {}
  slow-emails: {queue: emails, app: shop.slow:app, restart: on-failure}
""",
        {"DATABASE_URL": "postgres://x"},
    )
    emails, reports, orders, slow = settings.programs
    assert emails.option("workers") == 8
    assert emails.option("polling_wait_time") == 20
    assert orders.option("workers") == 2
    assert dict(reports.app_spec.environment) == {
        "DATABASE_URL": "postgres://x", "LOG_LEVEL": "info", "OMP_NUM_THREADS": "1",
        "SQUIDS_QUEUE_NAMES": '{"slow-emails": "emails"}',
    }  # fmt: skip
    assert (slow.queue, slow.app_spec.app, slow.restart) == (
        "emails",
        "shop.slow:app",
        RestartWhen.ON_FAILURE,
    )
    assert emails.app_spec.directory == str(here)
    assert emails.app_spec == orders.app_spec


@pytest.mark.parametrize(
    "option", [o for o in OPTIONS if o.name not in ("queue", "app")], ids=lambda o: o.name
)
def test_every_option_of_the_command_is_a_key(here, option):
    """The same names with underscores, the same ranges."""
    value = {int: 3, float: 3.5, bool: True, str: "x"}[option.kind]
    extra = ", retry_delay: 1" if option.name == "retry_max_delay" else ""
    settings = good(
        here, f"app: a:b\nqueues: {{q: {{{option.name}: {yaml.safe_dump(value).split()[0]}{extra}}}}}"
    )
    if option.name != "preload":
        assert settings.programs[0].option(option.name) == value
    if option.minimum is not None:
        (line,) = bad(here, f"app: a:b\nqueues: {{q: {{{option.name}: {option.minimum - 1:g}}}}}")
        assert f"queues.q.{option.name}: " in line
        assert "is less than" in line or "not a" in line or "expected" in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ReloadSettings()),
        ("reload: true", ReloadSettings(enabled=True)),
        ("reload: {polling: auto}", ReloadSettings()),
        ("reload: {polling: true}", ReloadSettings(polling=True)),
        ("reload: {polling: false}", ReloadSettings(polling=False)),
        ("reload: {delay: 1s, kill_after: 2m, include: '*.html'}",
         ReloadSettings(delay=1.0, kill_after=120.0, include=("*.html",))),
        ("reload: {enabled: true, exclude: [a, b/*]}", ReloadSettings(enabled=True, exclude=("a", "b/*"))),
    ],
)  # fmt: skip
def test_reload_is_a_switch_or_a_mapping(here, text, expected):
    """`true` is short for `enabled: true`."""
    assert good(here, f"app: a:b\n{text}\nqueues: {{q: {{}}}}").reload == expected


def test_paths_of_reload_are_relative_to_the_file_and_are_there(here):
    """A directory or a file."""
    (here / "more").mkdir()
    found = good(here, "app: a:b\nreload: {paths: more}\nqueues: {q: {}}").reload
    assert found.paths == (f"{here}/more",)
    (line,) = bad(here, "app: a:b\nreload: {paths: [nowhere]}\nqueues: {q: {}}")
    assert line.startswith("squids.yaml:2:18: reload.paths.0: ")
    (line,) = bad(here, "app: a:b\nreload: {enable: true}\nqueues: {q: {}}")
    assert line.startswith('squids.yaml:2:10: reload.enable: unknown key, did you mean "enabled"?')


def test_all_mistakes_at_once_each_at_its_place(here):
    """file:line:column: path: what is wrong, in the order of the file."""
    lines = bad(
        here,
        """app: shop.tasks:app
environment: {URL: "${NOWHERE}"}
include: [nope.yaml]
supervisor: {log_format: texxt}
defaults: {polling_wait_time: 200s, restart: on-failur}
workers: 3
queues:
  emails: {workres: 8, workers: yes}
  reports: {workers: 010, limits: {nofiles: 1}, log_file: {max_size: 1M}}
  emails: {}
  slow: {queue: "bad name!", nice: -30, backoff: {first: 2, max: 1x}, directory: nodir}
""",
    )
    expected = [
        "squids.yaml:2:20: environment.URL: the variable NOWHERE is not set",
        "squids.yaml:3:11: cannot read nope.yaml: No such file or directory",
        'squids.yaml:4:26: supervisor.log_format: expected text, brief or json, not "texxt"; did you mean text?',
        "squids.yaml:5:31: defaults.polling_wait_time: 200s is more than 20",
        "squids.yaml:5:46: defaults.restart: expected always, on-failure or never",
        "squids.yaml:6:1: workers: unknown key; it belongs under defaults, or a queue",
        'squids.yaml:8:12: queues.emails.workres: unknown key, did you mean "workers"?',
        "squids.yaml:8:33: queues.emails.workers: YAML reads yes as true",
        "squids.yaml:9:22: queues.reports.workers: YAML reads 010 as another number",
        'squids.yaml:9:35: queues.reports.limits: unknown limit "nofiles", did you mean "nofile"?',
        "squids.yaml:9:59: queues.reports.log_file: path is missing",
        "squids.yaml:10:3: queues.emails: is defined twice; first at squids.yaml:8:3",
        "squids.yaml:11:17: queues.slow.queue: ",
        "squids.yaml:11:36: queues.slow.nice: -30 is less than -20",
        "squids.yaml:11:66: queues.slow.backoff.max: expected a time such as 30, 30s or 5m",
        f"squids.yaml:11:82: queues.slow.directory: directory {here}/nodir does not exist",
    ]
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start), (line, start)


@pytest.mark.parametrize("name", ["cpu", "nofile", "as"])
def test_a_negative_limit_is_a_mistake_at_its_place(here, name):
    (line,) = bad(here, f"app: a:b\nqueues: {{q: {{limits: {{{name}: -1}}}}}}")
    assert line.startswith("squids.yaml:2:")
    assert line.endswith(f': queues.q.limits.{name}: expected 0 or more, or "unlimited", not -1')


@pytest.mark.parametrize("name", ["", "A=B", r"A\nB", r"A\0B", r"A\eB"])
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('app: a:b\nqueues: {q: {environment: {"%s": x}}}', "2:28: queues.q."),
        ('app: a:b\nenvironment: {"%s": x}\nqueues: {q: {}, r: {}}', "2:15: "),
        ('app: a:b\ndefaults: {environment: {"%s": x}}\nqueues: {q: {}, r: {}}', "2:26: defaults."),
    ],
)
def test_what_cannot_name_a_variable_is_a_mistake_once_at_its_place(here, text, place, name):
    """A line end passed `check`. A name at the top was reported for each queue, and where that is."""
    (line,) = bad(here, text % name)
    assert line.startswith(f"squids.yaml:{place}environment.")
    assert 'is not the name of a variable: it is empty, or holds "=" or a control character' in line


@pytest.mark.parametrize(
    ("workers", "few", "needed"), [(1, 0, 64), (1, 12, 64), (1, 63, 64), (12, 63, 64), (60, 64, 208)]
)
def test_too_few_open_files_for_the_workers_are_refused(here, workers, few, needed):
    """It passed `check`. Then its consumer could not start, or warned of a worker that could not, for ever."""
    text = "app: a:b\nqueues:\n  q: {{workers: {}, limits: {{nofile: {}}}}}"
    (line,) = bad(here, text.format(workers, few))
    noun = "worker" if workers == 1 else "workers"
    assert "squids.yaml:3:" in line
    words = f"is too few for a consumer with {workers} {noun}: {needed} or more"
    assert line.endswith(f": queues.q.limits.nofile: {few} {words}")
    good(here, text.format(workers, needed))
    good(here, text.format(workers, "unlimited"))


def test_too_few_open_files_for_all_queues_are_said_once_at_their_place(here):
    text = "app: a:b\ndefaults: {workers: 60, limits: {nofile: 99}}\nqueues: {q: {}, r: {}, s: {workers: 3}}"
    (line,) = bad(here, text)
    assert line.startswith("squids.yaml:2:42: defaults.limits.nofile: 99 is too few")


def test_open_files_count_for_the_workers_of_each_cpu(here, monkeypatch):
    """Without `workers`, there is one for each CPU."""
    monkeypatch.setattr(config, "usable_cpus", lambda: 60)
    (line,) = bad(here, "app: a:b\nqueues: {q: {limits: {nofile: 207}}}")
    assert line.endswith("207 is too few for a consumer with 60 workers: 208 or more")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no queues defined"),
        ("queues: {}", "no queues defined"),
        ("- a", "is not a mapping of keys to values"),
        ("queues: [a]", "expected a mapping of keys to values, not a list"),
        ("queues: {q: 3}", "expected a mapping of keys to values, not 3"),
        ("queues: {q: {}}", "has no app"),
        ("app: x\nqueues: {q: {}}", '"x" does not say where an app is'),
        ('app: "a:b(c)"\nqueues: {q: {}}', '"a:b(c)": the arguments of a factory are literals'),
        ("app: a:b\nqueues: {q: {retry_delay: 10, retry_max_delay: 5}}", "retry_max_delay is less than"),
        ("app: a:b\nqueues: {q: {consumers: 2}, 'q:1': {queue: q}}", "its name q:1 is also one of"),
        (
            "app: a:b\nqueues: {'q/1': {queue: q}}",
            '"q/1" is not a valid name: choose another and set queue: to the SQS name',
        ),
        ("app: a:b\nsupervisor: {socket: no/s}\nqueues: {q: {}}", "supervisor.socket: directory "),
        ("app: a:b\nqueues: {q: {log_file: .}}", "queues.q.log_file: "),
        ("app: a:b\nqueues: {q: {python: python9}}", "interpreter python9 is not on PATH"),
        ('app: a:b\nqueues: {"q\\nr": {queue: q}}', "is not a valid name"),
        ("app: a:b\nqueues: {'': {queue: q}}", '"" is not a valid name'),
        ("app: a:b\nqueues: {q: {umask: 99}}", "expected octal digits such as 0027"),
        ("app: a:b\nqueues: {q: {shutdown_timeout: 1_000}}", "YAML reads 1_000 as another number"),
        ("app: a:b\nqueues: {q: {shutdown_timeout: 1:30}}", "YAML reads 1:30 as another number"),
        ("app: a:b\nqueues: {q: {workers: on}}", "YAML reads on as true"),
        ("app: a:b\nenvironment: {A: no}\nqueues: {q: {}}", 'write false, or "no"'),
        ("app: a:b\nqueues: {q: &a {environment: *a}}", "refers to itself"),
        ("app: [a:b\nqueues: {q: {}}", "YAML: "),
        ("app: a:b\nqueues:\n\tq: {}", "YAML: "),
        ("app: a:b\nqueues: {q: {visibility_timeout: 1.5}}", "expected whole seconds"),
        ("app: a:b\nqueues: {q: {python: ./nothing}}", "queues.q.python: interpreter "),
        ("app: a:b\nqueues: {q: {environment: {A: '${1x}'}}}", "is not a variable; write $$ for a $"),
        ("app: a:b\nsupervisor: {socket: /tmp/" + "x" * 120 + "}\nqueues: {q: {}}", "at most 107 bytes"),
        ("app: a:b\nqueues: {q: {user: nosuchuser}}", "user"),
        ("app: a:b\nqueues: {q: {log_file: nodir/a.log}}", "queues.q.log_file: directory "),
        ('app: a:b\ninclude: ["\\0"]\nqueues: {q: {}}', "contains a NUL character"),
        (
            "app: a:b\ninclude: [squids.yaml]\nqueues: {q: {}}",
            "include cycle: squids.yaml includes squids.yaml",
        ),
    ],
)
def test_what_is_wrong_is_said(here, text, says):
    """One line each, with a place."""
    lines = bad(here, text)
    assert any(says in line for line in lines), lines
    assert all(line.startswith("squids.yaml:") for line in lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("app: '${NOPE}'\nqueues: {q: {}, r: {}}", "squids.yaml:1:6: app: the variable NOPE is not set"),
        ("app: [a]\nqueues: {q: {}, r: {}}", "squids.yaml:1:6: app: expected a text"),
        ("defaults: 5\nqueues: {q: {}, r: {}}", "squids.yaml:1:11: defaults: expected a mapping"),
        ("app: a:b\nqueues: [emails]", "squids.yaml:2:9: queues: expected a mapping"),
        ("app: a:b\nqueues: {q: 3}", "squids.yaml:2:13: queues.q: expected a mapping"),
        ("app: a:b\ninclude: nope.yaml", "squids.yaml:2:10: cannot read nope.yaml"),
        ("app: a:b\ninclude: ['${NOPE}/a.yaml']", "squids.yaml:2:11: include.0: the variable NOPE"),
        ('app: a:b\ninclude: "\\0"', "squids.yaml:2:10: include: "),
        ('app: a:b\nqueues: {q: {python: "./a\\0b"}}', "squids.yaml:2:22: queues.q.python: "),
        ('app: a:b\nqueues: {q: {log_file: {path: "a/\\0b"}}}', "squids.yaml:2:31: queues.q.log_file.path: "),
        ("app: a:b\nqueues: {q: {directory: '${NOPE}/x'}}", "squids.yaml:2:25: queues.q.directory: the var"),
        ("app: a:b\nqueues: {'a b': {queue: [q]}}", "squids.yaml:2:25: queues.a b.queue: expected a text"),
        (
            "app: a:b\nqueues: {q: {backoff: {first: x, max: 0.5}}}",
            "squids.yaml:2:31: queues.q.backoff.first",
        ),
        ("app: a:b\nqueues: {q: {retry_delay: x, retry_max_delay: 1}}", "squids.yaml:2:27: queues.q.retry_d"),
        ("app: a:b\nsupervisor: {socket: '${NOPE}'}\nqueues: {q: {}}", "squids.yaml:2:22: supervisor.socket"),
    ],
)
def test_what_follows_from_a_mistake_is_not_one_more(here, text, says):
    (line,) = bad(here, text)
    assert line.startswith(says)


def test_a_queue_that_is_defined_twice_may_have_other_mistakes(here):
    assert len(bad(here, "queues: {q: {nice: -30, python: ./no}, q: {}}")) == 4


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("python: ./file", "interpreter {}/file is not executable"),
        ("python: ./", "interpreter {} is a directory"),
        ("python: ./nothing", "interpreter {}/nothing does not exist"),
        ("directory: file", "{}/file is not a directory"),
        ("log_file: file/a.log", "{}/file is not a directory"),
    ],
)
def test_what_is_there_is_not_said_to_be_missing(here, key, says):
    (here / "file").write_text("")
    (line,) = bad(here, f"app: a:b\nqueues: {{q: {{{key}}}}}")
    assert line.endswith(f": {says.format(here)}")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("shutdown_timeout", "30", 30.0), ("shutdown_timeout", "30s", 30.0), ("shutdown_timeout", "5m", 300.0),
        ("shutdown_timeout", "1.5h", 5400.0), ("visibility_timeout", "10m", 600), ("workers", '"${N}"', 7),
        ("workers", "${N:-4}", 7), ("workers", "${M:-4}", 4),
    ],
)  # fmt: skip
def test_durations_and_variables(here, key, text, value):
    """Units for times; a variable's value is a number where it is written as one."""
    settings = good(here, f"app: a:b\nqueues:\n  q:\n    {key}: {text}\n", {"N": "7"})
    assert settings.programs[0].option(key) == value


@pytest.mark.parametrize(
    ("text", "value"), [("512M", 512 << 20), ("1K", 1024), ("77", 77), ("unlimited", None)]
)
def test_sizes(here, text, value):
    """512M and the like."""
    settings = good(here, f"app: a:b\nqueues: {{q: {{limits: {{as: {text}}}}}}}")
    assert dict(settings.programs[0].limits) == {"as": value}


@pytest.mark.parametrize("text", ["99999999T", "9223372036854775808", "9" * 500])
def test_sizes_that_no_system_takes(here, text):
    (problem,) = bad(here, f"app: a:b\nqueues: {{q: {{limits: {{as: {text}}}}}}}")
    assert "expected a size" in problem


@pytest.mark.parametrize("text", ["20000d", "9" * 30 + "h", "9" * 400, f"'{'9' * 400}'"])
@pytest.mark.parametrize("place", ["defaults: {start_timeout: %s}", "reload: {kill_after: %s}"])
def test_times_that_nobody_waits_for(here, text, place):
    (problem,) = bad(here, f"app: a:b\n{place % text}\nqueues: {{q: {{}}}}")
    assert "expected a time" in problem


def test_old_code_cannot_be_killed_before_it_is_old(here):
    (problem,) = bad(here, "app: a:b\nreload: {kill_after: -5}\nqueues: {q: {}}")
    assert "kill_after" in problem


@pytest.mark.parametrize("text", ["022", "0022", "0o22", '"022"'])
def test_a_umask_is_octal_however_it_is_written(here, text):
    """Nobody means 22 in decimal digits."""
    assert (
        good(here, f"app: a:b\nqueues: {{q: {{umask: {text}}}}}").programs[0].app_spec.umask == 0o22
        or text == "0o22"
    )


def test_environment_values_are_texts_as_written(here):
    """1, 0x1F and 1.50 stay what they are; null unsets; $$ is a dollar."""
    text = 'app: a:b\nenvironment: {A: 1, C: null, D: "$$HOME", E: "${X}y", F: "0644"}\nqueues: {q: {environment: {A: null}}}'
    settings = good(here, text, {"X": "x"})
    assert dict(settings.programs[0].app_spec.environment) == {
        "A": None, "C": None, "D": "$HOME", "E": "xy", "F": "0644",
    }  # fmt: skip


def test_merging_queue_over_defaults_over_top(here):
    """The nearest wins; environments merge key by key."""
    settings = good(
        here,
        "app: top:app\nenvironment: {A: '1', B: '1', C: '1'}\n"
        "defaults: {app: defaults:app, environment: {B: '2', C: '2'}, workers: 2}\n"
        "queues: {one: {}, two: {app: two:app, environment: {C: '3'}, workers: 3}}",
    )
    one, two = settings.programs
    assert (one.app_spec.app, two.app_spec.app) == ("defaults:app", "two:app")
    assert dict(one.app_spec.environment) == {"A": "1", "B": "2", "C": "2"}
    assert dict(two.app_spec.environment) == {"A": "1", "B": "2", "C": "3"}
    assert (one.option("workers"), two.option("workers")) == (2, 3)


def test_includes_hold_queues_and_override_nothing(here):
    """Globs are sorted; paths in an included file are relative to it; twice is an error that names both."""
    (here / "conf.d" / "app").mkdir(parents=True)
    (here / "conf.d" / "b.yaml").write_text("queues: {b: {directory: app}}")
    (here / "conf.d" / "a.yaml").write_text("queues: {a: {}}")
    settings = good(here, "app: a:b\ninclude: [conf.d/*.yaml]\nqueues: {q: {}}")
    assert [program.name for program in settings.programs] == ["q", "a", "b"]
    assert settings.programs[2].app_spec.directory == str(here / "conf.d" / "app")
    assert [os.path.basename(file) for file in settings.files] == ["squids.yaml", "a.yaml", "b.yaml"]
    (here / "conf.d" / "a.yaml").write_text("app: x:y\nqueues: {q: {}}")
    (here / "conf.d" / "b.yaml").write_text("\nqueues: {q: {}}")
    assert bad(here, "app: a:b\ninclude: [conf.d/*.yaml]\nqueues: {q: {}}") == [
        "conf.d/a.yaml:1:1: an included file may hold queues and include, and no other key",
        "conf.d/b.yaml:2:10: queues.q: is defined twice; first at squids.yaml:3:10",
    ]


def test_a_link_is_not_resolved(here):
    """A deployment moves it."""
    (here / "v1").mkdir()
    (here / "current").symlink_to("v1")
    assert good(here, "app: a:b\ndirectory: current\nqueues: {q: {}}").programs[0].app_spec.directory == str(
        here / "current"
    )


def test_a_file_that_others_can_write_is_refused(here):
    """Who writes it decides what runs. The line says how to mend it, and what else there is."""
    (here / "squids.yaml").write_text("app: a:b\nqueues: {q: {}}")
    (here / "squids.yaml").chmod(0o666)
    (problem,) = problems_of("squids.yaml")
    who = "go-w" if os.geteuid() == 0 else "o-w"
    assert f"squids.yaml:1:1: any user can write to {here}/squids.yaml (mode 0666)" in str(problem)
    assert f"chmod {who} {here}/squids.yaml; or" in str(problem)
    assert str(problem).endswith("as in a container, pass --trust-files")
    assert isinstance(config.read("squids.yaml", {}, trusting=True), Settings)


@as_root
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda here: os.chown(here / "conf.d/a.yaml", 65534, -1), "owns {here}/conf.d/a.yaml"),
        (lambda here: os.chown(here / "conf.d", 65534, -1), "owns the folder {here}/conf.d"),
        (lambda here: os.chmod(here / "conf.d", 0o775), "can write to the folder {here}/conf.d (mode 0775)"),
        (
            lambda here: os.chmod(here / "conf.d/a.yaml", 0o664),
            "can write to {here}/conf.d/a.yaml (mode 0664)",
        ),
        (lambda here: os.chown(here / "squids.yaml", 65534, -1), "owns {here}/squids.yaml"),
    ],
)
def test_root_takes_no_file_that_others_can_change(here, change, says):
    """Nor an included one, nor one in a folder of theirs; with whose it is, and the command that mends it."""
    (here / "conf.d").mkdir()
    (here / "conf.d" / "a.yaml").write_text("queues: {a: {}}")
    (here / "conf.d" / "b.yaml").write_text("queues: {b: {}}")
    text = "app: a:b\ninclude: [conf.d/*.yaml]\nqueues: {q: {}}"
    good(here, text)
    change(here)
    (problem,) = problems_of("squids.yaml")
    assert says.format(here=here) in problem.text
    mend = re.search(r"what runs: (.*?); or", problem.text)
    subprocess.run(mend[1], shell=True, check=True)
    assert isinstance(config.read("squids.yaml", {}), Settings)


@as_root
def test_code_of_others_that_root_would_run_is_a_warning(here):
    """For queues without a user. It is told once, however many queues run it."""
    (here / "shop").mkdir()
    text = "app: shop.tasks:app\nqueues: {q: {}, r: {nice: 1}, s: {nice: 2, umask: '022'}, t: {user: nobody}}"
    assert good(here, text).warnings == ()
    os.chown(here / "shop", 65534, -1)
    (warning,) = good(here, text).warnings
    assert warning.startswith("squids.yaml:2:10: nobody (uid 65534) owns the folder ")
    assert f"root would run what is there: set user, or chown root: {here}/shop" in warning
    assert good(here, "app: shop.tasks:app\nqueues: {t: {user: nobody}}").warnings == ()
    trusted = config.read("squids.yaml", {}, trusting=True)
    assert isinstance(trusted, Settings)
    assert trusted.warnings == ()


def test_only_regular_files_are_read(here):
    """Whatever else is named is told; nothing waits for the other end of a FIFO, or reads for ever."""
    (here / "conf.d").mkdir()
    os.mkfifo(here / "conf.d" / "a.yaml")
    (here / "conf.d" / "b.yaml").symlink_to("/dev/zero")
    (here / "conf.d" / "c.yaml").mkdir()
    (here / "conf.d" / "d.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    lines = bad(here, "app: a:b\ninclude: [conf.d/*.yaml]\nqueues: {q: {}}")
    assert lines[0] == "squids.yaml:2:11: conf.d/a.yaml: not a regular file (a FIFO)"
    assert lines[1] == "squids.yaml:2:11: conf.d/b.yaml: not a regular file (a device)"
    assert lines[2] == "squids.yaml:2:11: conf.d/c.yaml: not a regular file (a directory)"
    assert re.fullmatch(r"squids.yaml:2:11: conf.d/d.yaml: over \d+ bytes", lines[3])


@pytest.mark.parametrize(
    "content",
    [
        "root:hunter2:19000:0:99999:7:::\nbin:hunter2:1:\n",
        "hunter2: 1\n",
        "queues: {}\nhunter2: {hunter2: yes}\n",
        "hunter2: 1\nhunter2: 2\n",
        "0123456\n",
        "[hunter2, hunter2",
        "*hunter2",
        "a: !hunter2!b c",
        "key: 'hunter2",
        "%hunter2 1\n---\n",
        "a: b: hunter2\n",
        "- ${hunter2}\n",
        "hunter2: *hunter2",
    ],
)
def test_an_included_file_that_is_none_of_ours_is_not_quoted(here, content):
    """Who reads the error may not be one who may read the file, as /etc/shadow."""
    (here / "shadow").write_text(content)
    lines = bad(here, "app: a:b\ninclude: [shadow]\nqueues: {q: {}}")
    assert all(re.match(r"shadow:\d+:\d+: ", line) for line in lines)
    assert not any("hunter2" in line or "0123456" in line for line in lines)


def test_what_is_part_of_a_variables_value_is_not_quoted(here):
    (line,) = bad(here, "app: a:b\nqueues: {q: {environment: {PASSWORD: 'x${hunter 2'}}}")
    assert line.endswith("queues.q.environment.PASSWORD: ${...} is not a variable; write $$ for a $")


def test_a_secret_in_clear_that_others_can_read_is_a_warning(here):
    """From a variable it is none."""
    text = "app: a:b\nenvironment: {API_TOKEN: %s}\nqueues: {q: {}}"
    (warning,) = good(here, text % "s3cr3t").warnings
    assert "environment.API_TOKEN: looks like a secret" in warning
    assert not good(here, text % '"${T}"', {"T": "s3cr3t"}).warnings


def test_a_missing_file_is_a_problem(here):
    """Not a traceback. It has no first line."""
    (problem,) = problems_of("nothing.yaml")
    assert str(problem) == "cannot read nothing.yaml: No such file or directory"


keys = st.sampled_from(
    [
        "app",
        "queues",
        "defaults",
        "supervisor",
        "include",
        "workers",
        "q",
        "environment",
        "backoff",
        "limits",
        "<<",
        "x",
        "log_file",
    ]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["a:b", "5m", "${A}", "yes"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(keys, values) | values)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_shape_of_a_file_makes_a_traceback(here, data):
    """Any YAML is settings, or problems."""
    found = read(here, yaml.safe_dump(data, allow_unicode=True))
    assert isinstance(found, Settings) or all(str(problem) for problem in found)


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_make_a_traceback(here, data):
    """Whatever the file holds."""
    (here / "bytes.yaml").write_bytes(data)
    found = config.read("bytes.yaml", {})
    assert isinstance(found, list)
    assert all(str(problem).startswith("bytes.yaml:") for problem in found)


def test_a_place_is_relative_only_where_that_is_plain(tmp_path, monkeypatch):
    """Below the root directory, where services run, `etc/squids.yaml` would be no path that a person knows."""
    file = tmp_path / "squids.yaml"
    file.write_text("queues: {emails: {workres: 2}}\n")
    shown = {tmp_path: "squids.yaml:", tmp_path.parent: f"{tmp_path.name}/squids.yaml:", "/": f"{file}:"}
    for here, place in shown.items():
        monkeypatch.chdir(here)
        found = config.read(str(file), {})
        assert isinstance(found, list)
        assert all(str(problem).startswith(place) for problem in found), found
