"""Databases for tests that commit: on an append-only record no test can clean up after itself, so each gets a copy."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def migrated_template(django_db_blocker) -> Iterator[str]:
    """A migrated database that is only copied from; made once per test process."""
    name = f"live_template_{os.getpid()}"
    with django_db_blocker.unblock(), database(name):
        with connected_to(name):
            call_command("migrate", verbosity=0)
        yield name


@pytest.fixture
def own_database(migrated_template: str, django_db_blocker) -> Iterator[str]:
    """A fresh copy of the migrated template, connected; its name. Dropped afterwards, whatever is in it."""
    with django_db_blocker.unblock(), fresh_copy(migrated_template) as name:
        yield name


@contextmanager
def fresh_copy(template: str) -> Iterator[str]:
    name = f"live_{os.getpid()}_{next(_numbers)}"
    with database(name, template=template), connected_to(name):
        yield name


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
    with _maintenance() as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield
    finally:
        with _maintenance() as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _maintenance() -> psycopg.Connection:
    params = connection.get_connection_params()
    keep = {key: params[key] for key in ("host", "port", "user", "password") if params.get(key)}
    return psycopg.connect(dbname="postgres", autocommit=True, **keep)
