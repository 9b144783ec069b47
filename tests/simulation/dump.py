"""A backup as operators make one: by the programs that come with PostgreSQL, as the runbook says."""

import os
import subprocess
from urllib.parse import quote

from django.db import connection

from config.embedded_postgres import programs


def dump() -> bytes:
    """The connected database as `pg_dump` keeps it, while others may be at it."""
    # The schema is named for what tests keep in schemas of their own.
    return _run("pg_dump", "--format=custom", "--schema=public", "--dbname", _address())


def restore(kept: bytes) -> None:
    """Put the connected database back to what was kept. Nobody else may be at it."""
    _run("pg_restore", *["--clean", "--if-exists", "--single-transaction", "--dbname"], _address(), given=kept)


def _address() -> str:
    params = connection.get_connection_params()
    parts = {name: str(params[name]) for name in ("host", "port", "user", "password") if params.get(name)}
    told = "&".join(f"{name}={quote(value)}" for name, value in parts.items())
    return f"postgresql:///{params['dbname']}?{told}"


def _run(program: str, *arguments: str, given: bytes = b"") -> bytes:
    command = [str(programs() / program), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})
    if done.returncode:
        raise AssertionError(f"{program}: {done.stderr.decode()}")
    return done.stdout
