"""List symbols with the filters that the exchange has for them today."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from market.binance import Binance
from market.core.answers import ExchangeError
from market.core.hosts import ForbiddenHost
from market.core.symbols import DEFAULT_SYMBOLS
from market.listing import NewerFilters, filters_now, list_symbols
from market.management.symbol_names import symbol_names

DEFAULTS = ",".join(symbol.name for symbol in DEFAULT_SYMBOLS)


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = (
        "Read the filters of symbols from the exchange and write them into the listed symbols with today's date. A "
        "symbol that is not listed is added. Open seasons keep the filters they opened with."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--symbols", type=symbol_names, default=DEFAULTS, help="comma-separated; default: %(default)s"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.EXCHANGE_DOUBLE:
            self.stderr.write(f"From the double at {settings.EXCHANGE_DOUBLE}: this is not the market.")
        try:
            with Binance(settings.EXCHANGE_DOUBLE) as exchange:
                as_of = exchange.server_time().date()
                listed = list_symbols(filters_now(exchange, options["symbols"]), as_of)
        except (ExchangeError, ForbiddenHost, NewerFilters) as error:
            raise CommandError(f"{error}\nNothing was listed.") from error
        for listing in listed:
            self.stdout.write(f"{listing}, as of {as_of}")
