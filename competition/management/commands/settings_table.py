"""Prints the configuration table, or writes it into a file that keeps a place for it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.settings_table import NoPlaceForTable, SettingsUndocumented, table, variables, with_table

SOURCES = ("config/settings.py", "config/settings_runner.py")


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Prints the variables of the environment as a markdown table."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file, as README.md")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            written = table(variables((settings.BASE_DIR / name).read_text() for name in SOURCES))
            if options["write"] is None:
                self.stdout.write(written)
            else:
                self._write(options["write"], written)
        except (SettingsUndocumented, NoPlaceForTable) as error:
            raise CommandError(str(error)) from None

    def _write(self, path: Path, written: str) -> None:
        try:
            before = path.read_text()
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
        after = with_table(before, written)
        if after == before:
            self.stdout.write(f"{path} is up to date.")
            return
        path.write_text(after)
        self.stdout.write(f"{path} has the new table.")
