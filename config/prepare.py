"""What must be there before the site starts: `python -m config.prepare demo`, or `... run` for production.

One interpreter does all steps; each can be done again, so an interruption at any point costs nothing.
"""

import os
import signal
import sys
from pathlib import Path

from config.processes import EXCHANGE_SEASON


def main(mode: str) -> None:
    """Bring the database, and what else `mode` needs, up to date. Exits with one sentence when that fails."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # so that Ctrl-C leaves no traceback
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management.base import CommandError
    from django.db.utils import OperationalError

    try:
        django.setup()
        {"demo": _prepare_demo, "run": _prepare_run}[mode]()
    except OperationalError as error:
        sys.exit(f"The database cannot be reached: {str(error).strip()}\nCheck DATABASE_URL.")
    except (CommandError, ImproperlyConfigured) as error:
        sys.exit(str(error))


def _prepare_demo() -> None:
    from django.core.management import call_command

    _migrate()
    ensure_admin(Path(os.environ["DATA"]))
    _say("Loading the demo seasons")
    path = os.environ.get(EXCHANGE_SEASON)
    call_command("load_demo", *(["--exchange", path] if path else []))


def _prepare_run() -> None:
    from django.core.management import call_command

    _migrate(skip_checks=False)  # for all processes of the site, which leave them out
    _say("Collecting and compressing the static files")
    call_command("collectstatic", interactive=False, verbosity=0)


def _migrate(*, skip_checks: bool = True) -> None:
    from django.core.management import call_command

    _say("Migrating the database")
    call_command("migrate", interactive=False, verbosity=0, skip_checks=skip_checks)


def ensure_admin(data: Path) -> None:
    """An account for the password that is printed. Who loses the file gets another; one set in the admin stays."""
    from django.contrib.auth.models import User

    from config.engines import kept_secret

    is_lost = not (data / "admin_password").exists()
    password = kept_secret(data, "admin_password", random_bytes=12)
    admin = User.objects.filter(username="admin").first()
    if admin is None:
        User.objects.create_superuser("admin", password=password)
    elif is_lost:
        admin.set_password(password)
        admin.save(update_fields=["password"])


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
