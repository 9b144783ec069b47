"""Load the demo's seasons: the finished one once, and a running one whenever none is running."""

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from tqdm import tqdm

from competition.services.demo import FINISHED_WEEKS, ensure_running, load_finished


class Command(BaseCommand):
    help = "Loads the demo's finished season and starts its running one; does nothing that is done already."

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
        season, is_new = ensure_running(now)
        self.stdout.write(f"{'Opened' if is_new else 'Going on with'} {season.name}.")
