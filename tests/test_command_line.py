"""manage.py and make as a user meets them: a bad setting is one sentence, and a reader may leave early."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.checked_env import CheckedEnv
from tests.databases import database

ROOT = settings.BASE_DIR


def run(*command: str, **environ: str) -> subprocess.CompletedProcess:
    wanted = {name: value for name, value in {**os.environ, **environ}.items() if value}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=wanted, capture_output=True, text=True, timeout=60, check=False
    )


# -- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TICK_EVERY_S", "abc", "TICK_EVERY_S must be a number, not 'abc'."),
        ("TICK_EVERY_S", "6x0", "TICK_EVERY_S must be a number, not '6x0'."),
        ("TICK_EVERY_S", "0", "TICK_EVERY_S must be a number of seconds above zero, not '0'."),
        ("TICK_EVERY_S", "nan", "TICK_EVERY_S must be a number of seconds above zero, not 'nan'."),
        ("LOG_LEVEL", "foo", "LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not 'foo'."),
        ("DEBUG", "maybe", "DEBUG must be true or false, not 'maybe'."),
        ("ADMIN_PATH", "/x", "ADMIN_PATH must be a path like admin/, with no slash before it and one behind it"),
        ("ADMIN_PATH", "x", "ADMIN_PATH must be a path like admin/, with no slash before it and one behind it"),
        ("PLACES", "two", "PLACES must be a whole number, not 'two'."),
        ("CAP", "-1", "CAP must be an amount in USD as in 2.50, below a billion, not '-1'."),
        ("CAP", "1e3", "CAP must be an amount in USD as in 2.50, below a billion, not '1e3'."),
        ("TOKENS", "-1", "TOKENS must be a number of tokens, 0 for none at all, not '-1'."),
        ("OTHERS", "foo", "OTHERS must be agent=http://host:port, and more of them behind commas, not 'foo'."),
    ],
)
def test_what_a_setting_cannot_mean_is_refused_by_its_name(name: str, value: str, sentence: str) -> None:
    env = CheckedEnv()
    env.ENVIRON = {name: value}
    read = {
        "TICK_EVERY_S": lambda: env.seconds("TICK_EVERY_S", default=60.0),
        "LOG_LEVEL": lambda: env.log_level("LOG_LEVEL", default="INFO"),
        "DEBUG": lambda: env.bool("DEBUG", default=False),
        "ADMIN_PATH": lambda: env.url_path("ADMIN_PATH", default="admin/"),
        "PLACES": lambda: env.int("PLACES", default=2),
        "CAP": lambda: env.usd("CAP", default="2"),
        "TOKENS": lambda: env.tokens("TOKENS", default=2),
        "OTHERS": lambda: env.addresses("OTHERS", default=""),
    }
    with pytest.raises(ImproperlyConfigured) as refusal:
        read[name]()
    assert str(refusal.value).startswith(sentence)


def test_what_a_setting_can_mean_is_read() -> None:
    env = CheckedEnv()
    env.ENVIRON = {"EVERY": "0.5", "ON": "Yes", "OFF": "0", "PATH": "back/office/", "LEVEL": "WARNING"}
    assert env.seconds("EVERY", default=60.0) == 0.5
    assert (env.bool("ON", default=False), env.bool("OFF", default=True)) == (True, False)
    assert env.url_path("PATH", default="admin/") == "back/office/"
    assert env.log_level("LEVEL", default="INFO") == "WARNING"
    assert env.addresses("OTHERS", default="a=http://h:1, b=https://i") == {"a": "http://h:1", "b": "https://i"}
    assert (env.usd("CAP", default="2.50"), env.tokens("TOKENS", default=0)) == ("2.50", 0)
    assert (env.seconds("UNSET", default=60.0), env.bool("UNSET", default=True)) == (60.0, True)


@pytest.mark.parametrize(
    "command", [("manage.py", "migrate"), ("manage.py", "ticker"), ("-m", "config.prepare", "demo")]
)
def test_a_bad_setting_is_one_sentence_and_no_traceback(command: tuple[str, ...], tmp_path: Path) -> None:
    refused = run(*command, TICK_EVERY_S="abc", DATA=str(tmp_path))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "TICK_EVERY_S must be a number, not 'abc'.\n"


@pytest.mark.parametrize(
    "command", [("manage.py", "check"), ("-m", "config.demo", "demo"), ("-m", "config.demo", "run")]
)
def test_data_that_is_a_file_is_refused_as_such(command: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("")
    database = os.environ["DATABASE_URL"] if command[-1] == "run" else ""
    refused = run(*command, DATA=str(path), DATABASE_URL=database, PORT="1")
    assert refused.returncode == 1
    assert refused.stderr == f"{path} is a file, not a folder. Choose another with DATA=...\n"


# -- Databases ------------------------------------------------------------------------------------


def test_a_database_without_our_tables_is_told_to_be_migrated() -> None:
    name = f"bare_{os.getpid()}"
    with database(name):
        address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
        refused = run("manage.py", "audit", DATABASE_URL=address)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("The database is not as this version needs it: relation ")
    assert refused.stderr.endswith(" does not exist\nRun manage.py migrate.\n")


# -- Pipes ----------------------------------------------------------------------------------------


def test_a_reader_that_leaves_early_is_no_error() -> None:
    line = f"{sys.executable} manage.py settings_table; echo $? >&2"
    reader, writer = os.pipe()
    os.close(reader)
    left = subprocess.run(
        ["/bin/sh", "-c", line], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(writer)
    assert left.stderr == "141\n"
