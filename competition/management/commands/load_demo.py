"""Load the demo's seasons: the finished one once, and a running one whenever none is running.

With `--exchange` there is also one whose orders go to the exchange double. Its rules are written to that file,
from which the double learns the season's market.
"""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from tqdm import tqdm

from competition.models import Season
from competition.services.demo import FINISHED_WEEKS, end_exchange, ensure_exchange, ensure_running, load_finished
from market.core.canonical import canonical_json


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Loads the demo's finished season and starts its running one; does nothing that is done already."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exchange", type=Path, metavar="FILE", help="with a season at the exchange double")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        with tqdm(
            total=FINISHED_WEEKS,
            unit="week",
            desc="Playing the finished season",
            file=sys.stderr,
            disable=None,
        ) as bar:
            finished = load_finished(now, lambda cycle: bar.update() and None)
        if finished:
            self.stdout.write(f"Loaded {finished.name}: {FINISHED_WEEKS} weeks.")
        self._say(*ensure_running(now))
        self._load_exchange(options["exchange"], now)

    def _load_exchange(self, path: Path | None, now: datetime) -> None:
        if path is None:
            end_exchange(now)
            return
        season, is_new = ensure_exchange(now)
        draft = path.with_suffix(".new")
        draft.write_text(canonical_json(season.rules))
        draft.replace(path)
        self._say(season, is_new)

    def _say(self, season: Season, is_new: bool) -> None:
        self.stdout.write(f"{'Opened' if is_new else 'Going on with'} {season.name}.")
