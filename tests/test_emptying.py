"""A database that a test has used is like new for the next one, or is used by nobody any more."""

import psycopg
import pytest
from django.db import connection

from tests.databases import maintenance
from tests.emptying import Blank
from tests.live.stage import FEW, Stage


@pytest.fixture
def admin(own_database: str):
    with maintenance(own_database) as admin:
        yield admin


def test_after_a_played_cycle_nothing_is_left_and_numbers_begin_again(own_database: str, admin) -> None:
    before = Blank.of(admin)
    stage = Stage.set(profiles=FEW)
    stage.play_cycle(1)
    assert Blank.of(admin) != before
    connection.close()
    assert before.restore(admin)
    assert Blank.of(admin) == before


@pytest.mark.parametrize(
    "change",
    [
        "DROP TRIGGER portfolio_journal_append_only ON portfolio_journal",
        "ALTER TABLE portfolio_journal DISABLE TRIGGER portfolio_journal_append_only",
        "ALTER TABLE portfolio_fill DROP COLUMN fee",
        "CREATE TABLE more (id int)",
        "UPDATE django_content_type SET model = 'renamed' WHERE model = 'entry'",
        "DELETE FROM django_migrations",
    ],
)
def test_a_database_whose_schema_or_first_rows_changed_is_used_no_more(own_database: str, admin, change: str) -> None:
    before = Blank.of(admin)
    with connection.cursor() as cursor:
        cursor.execute(change)
    assert not before.restore(admin)


def test_whoever_is_still_connected_writes_nothing_afterwards(own_database: str, admin) -> None:
    before = Blank.of(admin)
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations")
    assert before.restore(admin)
    with pytest.raises(psycopg.OperationalError):
        other.connection.commit()
    other.connection.close()
    assert Blank.of(admin) == before
