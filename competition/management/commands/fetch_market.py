"""One run of the feed by hand: what the beat does every minute where MARKET_DATA=binance."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from competition.services.feeding import fetch_market
from competition.services.markets import BINANCE
from market.core.hosts import ForbiddenHost


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = (
        "Bring candles, order books, statistics, filters and positioning of the followed symbols up to date, once. "
        "It needs MARKET_DATA=binance, and leaves it to another process that is at it already."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.MARKET_DATA != BINANCE:
            raise CommandError(f"MARKET_DATA is {settings.MARKET_DATA}. Set MARKET_DATA=binance to fetch the market.")
        if settings.EXCHANGE_DOUBLE:
            self.stderr.write(f"From the double at {settings.EXCHANGE_DOUBLE}: this is not the market.")
        try:
            run = fetch_market(timezone.now())
        except ForbiddenHost as error:
            raise CommandError(str(error)) from error
        if run is None:
            self.stdout.write("Another process is fetching the market now.")
            return
        for name, requests in run.requests.items():
            self.stdout.write(f"{name}: {requests} requests of weight {run.weight[name]}")
        self.stdout.write(f"{run.candles} candles and {run.readings} readings are new.")
        if run.troubles:
            raise CommandError("\n".join(run.troubles))
