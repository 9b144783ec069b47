#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it starts the embedded PostgreSQL under DATA first."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured

NOT_MIGRATED = ("42P01", "42703")  # PostgreSQL knows no such table, no such column
READER_GONE = 141  # what a shell reports of a program that SIGPIPE has ended


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ["PGAPPNAME"] = " ".join(["manage.py", *sys.argv[1:2]])  # how the database knows this process
    try:
        try:
            _execute()
        finally:
            sys.stdout.flush()  # here, where a reader that has left (`| head`) can be met, and not at exit
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    except BrokenPipeError:
        # Python flushes once more at exit: that goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(READER_GONE)


def _execute() -> None:
    if not os.environ.get("DATABASE_URL"):
        from config.engines import use_embedded_postgres

        use_embedded_postgres(os.environ)
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ProgrammingError as error:
        if getattr(error.__cause__, "sqlstate", "") not in NOT_MIGRATED:
            raise
        reason = str(error).strip().splitlines()[0]
        sys.exit(f"The database is not as this version needs it: {reason}\nRun manage.py migrate.")
    except OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        sys.exit(f"The database cannot be reached: {reason}\nCheck DATABASE_URL, and that PostgreSQL is running.")


if __name__ == "__main__":
    main()
