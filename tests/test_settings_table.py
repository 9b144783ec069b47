"""The README's configuration table is what the settings say, and every variable says what it is for."""

import io
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from competition.management.commands.settings_table import SOURCES
from config.settings_table import (
    END,
    START,
    NoPlaceForTable,
    SettingsUndocumented,
    Variable,
    table,
    variables,
    with_table,
)

SITE = """
# -- A heading that is not about any variable

# Secret: signs
# sessions.
KEY = env.str("KEY", default="")
# Names the site answers to.
HOSTS = env.list("HOSTS", default=["a", "b"])
# Where everything is kept.
DATA = env.path("DATA", default=str(BASE_DIR / ".data"))
# Has to be chosen.
MODE = env.str("MODE")
"""


def by_name(*sources: str) -> dict[str, Variable]:
    return {variable.name: variable for variable in variables(sources)}


def readme_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "README.md"
    path.write_text(text)
    return path


def test_the_comment_directly_above_a_variable_is_its_meaning() -> None:
    found = by_name(SITE)
    assert list(found) == ["KEY", "HOSTS", "DATA", "MODE"]
    assert found["HOSTS"].meaning == "Names the site answers to."


def test_a_comment_over_several_lines_becomes_one_and_marks_a_secret() -> None:
    key = by_name(SITE)["KEY"]
    assert (key.meaning, key.is_secret) == ("Signs sessions.", True)
    assert not by_name(SITE)["HOSTS"].is_secret


def test_defaults_are_shown_as_an_operator_would_write_them() -> None:
    found = by_name(SITE)
    assert (found["KEY"].default, found["HOSTS"].default, found["DATA"].default) == ("", "a,b", ".data")
    assert found["MODE"].default is None


def test_the_table_says_what_is_unset_and_what_must_be_set() -> None:
    lines = table(variables([SITE])).splitlines()
    assert "| `KEY` | unset | Signs sessions. | yes |" in lines
    assert "| `MODE` | must be set | Has to be chosen. |  |" in lines


def test_a_variable_read_in_two_files_is_explained_once_and_listed_once() -> None:
    found = variables(
        ['A = env.str("LEVEL", default="INFO")', '# How much is written.\nB = env.str("LEVEL", default="")']
    )
    assert found == [Variable("LEVEL", "", "How much is written.", False)]


def test_a_variable_without_a_comment_is_named() -> None:
    with pytest.raises(SettingsUndocumented, match="QUIET: say in a comment"):
        variables(['# About something else.\n\nQUIET = env.int("QUIET", default=1)'])


def test_a_default_that_would_be_taken_for_a_cast_is_refused() -> None:
    with pytest.raises(SettingsUndocumented, match="line 2"):
        variables(['# Looks right.\nTRAP = env("TRAP", "text")'])


def test_only_what_is_between_the_marks_is_replaced() -> None:
    text = f"before\n{START}\nold\n{END}\nafter\n"
    assert with_table(text, "new") == f"before\n{START}\nnew\n{END}\nafter\n"


def test_a_text_without_marks_has_no_place_for_the_table() -> None:
    with pytest.raises(NoPlaceForTable, match=START):
        with_table(f"{END} {START}", "new")


def test_every_variable_of_the_real_settings_says_what_it_is_for() -> None:
    found = by_name(*((settings.BASE_DIR / name).read_text() for name in SOURCES))
    assert {name for name, variable in found.items() if variable.is_secret} >= {
        "SECRET_KEY",
        "DATABASE_URL",
        "REDIS_URL",
    }
    assert "RUNNER_ALLOWED_HOSTS" in found


def test_the_readme_has_the_table_of_the_settings_as_they_are() -> None:
    readme = settings.BASE_DIR / "README.md"
    if not readme.exists():
        pytest.skip("there is no README yet")
    text = readme.read_text()
    current = table(variables((settings.BASE_DIR / name).read_text() for name in SOURCES))
    assert with_table(text, current) == text, "run manage.py settings_table --write README.md"


def test_the_command_writes_the_table_once(tmp_path: Path) -> None:
    path = readme_of(tmp_path, f"# Title\n{START}\n{END}\n")
    out = io.StringIO()
    call_command("settings_table", write=path, stdout=out)
    call_command("settings_table", write=path, stdout=out)
    assert "| `SECRET_KEY` |" in path.read_text()
    assert out.getvalue().splitlines() == [f"{path} has the new table.", f"{path} is up to date."]


def test_the_command_prints_the_table_when_no_file_is_named() -> None:
    out = io.StringIO()
    call_command("settings_table", stdout=out)
    assert out.getvalue().startswith("| Variable | Default | Meaning | Secret |")


def test_the_command_says_why_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        call_command("settings_table", write=tmp_path / "nowhere.md")
    path = readme_of(tmp_path, "# No marks\n")
    with pytest.raises(CommandError, match="where the table belongs"):
        call_command("settings_table", write=path)
    assert path.read_text() == "# No marks\n"
