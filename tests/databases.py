"""Databases for tests that commit: on an append-only record no test can clean up after itself, so each gets a copy.

Copying costs more than emptying, so a copy is emptied from outside, triggers and all, and handed to the next test.
"""

import itertools
import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections

from tests.emptying import Blank

TEMPLATE = "TEMPLATE_DATABASE"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def migrated_template(django_db_blocker) -> str:
    """A migrated database that is only copied from; made once per session, by whichever worker needs it first."""
    name = os.environ[TEMPLATE]
    with django_db_blocker.unblock(), maintenance() as admin:
        admin.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            _create(draft := f"{name}_draft", "template1")
            with connected_to(draft):
                call_command("migrate", verbosity=0)
            admin.execute(f'ALTER DATABASE "{draft}" RENAME TO "{name}"')
    return name


@pytest.fixture(scope="session")
def django_db_setup(migrated_template: str, django_test_environment: None, django_db_blocker) -> Iterator[None]:
    """The database of tests that roll back is a copy too, instead of one that pytest-django migrates again."""
    with django_db_blocker.unblock(), fresh_copy(migrated_template):
        yield


def name_template(environ: MutableMapping[str, str]) -> None:
    """Name the session's template once; its workers find it named."""
    environ.setdefault(TEMPLATE, f"live_template_{os.getpid()}")


def drop_template(environ: MutableMapping[str, str]) -> None:
    """Nothing of this session is left on a server that outlives it."""
    with maintenance() as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{environ[TEMPLATE]}" WITH (FORCE)')


def checked[Made](made: Made) -> Made:
    """What was made for several tests, its foreign keys checked now: else they are at the end of each of the tests."""
    connection.check_constraints()
    return made


@pytest.fixture(scope="session")
def shelf(migrated_template: str) -> Iterator[list[tuple[str, Blank]]]:
    """Databases like the template that no test uses now; made when there is none."""
    waiting: list[tuple[str, Blank]] = []
    yield waiting
    for name, _ in waiting:
        _drop(name)


@pytest.fixture
def own_database(migrated_template: str, shelf: list[tuple[str, Blank]], django_db_blocker) -> Iterator[str]:
    """A database like the migrated template, connected; its name. What is left in it nobody sees afterwards."""
    name, blank = shelf.pop() if shelf else _another(migrated_template)
    with django_db_blocker.unblock():
        try:
            with connected_to(name):
                yield name
        finally:
            with maintenance(name) as admin:
                is_blank = blank.restore(admin)
            if is_blank:
                shelf.append((name, blank))
            else:
                _drop(name)


@contextmanager
def fresh_copy(template: str) -> Iterator[str]:
    """A copy of a database that nobody is connected to, connected; its name. Dropped afterwards."""
    name = _copy(template)
    try:
        with connected_to(name):
            yield name
    finally:
        _drop(name)


def _another(template: str) -> tuple[str, Blank]:
    name = _copy(template)
    with maintenance(name) as admin:
        return name, Blank.of(admin)


def _copy(template: str) -> str:
    name = f"live_{os.getpid()}_{next(_numbers)}"
    _create(name, template)
    return name


@contextmanager
def connected_to(name: str) -> Iterator[None]:
    """Django's default connection, in every thread, on another database."""
    before = connection.settings_dict["NAME"]
    connections.close_all()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = before


@contextmanager
def database(name: str, template: str = "template1") -> Iterator[None]:
    _create(name, template)
    try:
        yield
    finally:
        _drop(name)


def _create(name: str, template: str) -> None:
    with maintenance() as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def _drop(name: str) -> None:
    with maintenance() as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def maintenance(database: str = "postgres") -> psycopg.Connection:
    params = connection.get_connection_params()
    keep = {key: params[key] for key in ("host", "port", "user", "password") if params.get(key)}
    return psycopg.connect(dbname=database, autocommit=True, **keep)
