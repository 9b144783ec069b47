"""Fetch candles from the exchange's API: only what is missing, only what is closed."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from market.binance import Binance
from market.core.answers import ExchangeError
from market.core.candles import TIMEFRAME_S
from market.core.hosts import ForbiddenHost
from market.core.outages import Gap, is_known_outage
from market.core.symbols import UnknownSymbol
from market.fetching import Fetched, Wanted, fetch_missing, missing, wanted
from market.management.symbol_names import symbol_names
from market.queries import listed_symbols
from market.services import StoredOtherwiseError

HOLES_SHOWN = 20
EARLIEST = datetime(2017, 1, 1, tzinfo=UTC)  # the exchange opened that year
GO_ON = "What was stored stays; the same command goes on from there."


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = (
        "Fetch closed candles from Binance and store those that are missing. It can be stopped at any time and "
        "started again: it goes on behind what is stored, and fills holes in it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--symbols", type=symbol_names, required=True, help="comma-separated, as BTCUSDT,ETHUSDT")
        parser.add_argument("--timeframe", choices=TIMEFRAME_S, required=True, help="length of the candles")
        parser.add_argument(
            "--from", dest="first", type=_instant, required=True, metavar="DATE", help="first open, as 2021-01-04, UTC"
        )
        parser.add_argument(
            "--to", dest="last", type=_instant, metavar="DATE", help="last close, UTC; default: the newest closed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            listed_symbols(options["symbols"])
        except UnknownSymbol as error:
            raise CommandError(f"{error} `manage.py fetch_symbols --symbols …` adds one.") from error
        if settings.EXCHANGE_DOUBLE:
            self.stderr.write(f"From the double at {settings.EXCHANGE_DOUBLE}: this is not the market.")
        try:
            with Binance(settings.EXCHANGE_DOUBLE) as exchange:
                self._fetch(exchange, **options)
        except ForbiddenHost as error:
            raise CommandError(str(error)) from error
        except ExchangeError as error:
            raise CommandError(f"{error}\n{GO_ON}") from error
        except StoredOtherwiseError as error:  # only what was missing was asked for
            raise CommandError(f"An import stored other numbers for the same candles meanwhile.\n{GO_ON}") from error

    def _fetch(self, exchange: Binance, **options: Any) -> None:
        as_of = exchange.closed_until()
        spans = [_span(symbol, options, as_of) for symbol in options["symbols"]]
        holes = [sum(hole.candles for hole in missing(span)) for span in spans]
        with _bar(sum(holes)) as bar:
            for span, absent in zip(spans, holes, strict=True):
                bar.set_description(span.symbol)
                fetched = fetch_missing(exchange, span, as_of, bar.update)
                if fetched.new == 0 and absent == span.candles:
                    raise CommandError(_nothing(span))
                with tqdm.external_write_mode():  # takes the bar away while the lines are written
                    self.stdout.write("\n".join(_report(span, fetched)))


def _bar(candles: int) -> Any:
    return tqdm(total=candles, unit="candle", unit_scale=True, file=sys.stderr, disable=None, leave=False)


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is not a date like 2021-01-04 or an instant like 2021-01-04T12:00") from None
    if at < EARLIEST:
        raise ArgumentTypeError(f"{text} is before {EARLIEST.year}, when the exchange opened")
    return at


def _span(symbol: str, options: dict[str, Any], as_of: datetime) -> Wanted:
    closed_by = min(options["last"] or as_of, as_of)
    span = wanted(symbol, options["timeframe"], options["first"], closed_by)
    if span is None:
        raise CommandError(
            f"No {options['timeframe']} candle opens at or after {options['first']:%Y-%m-%d %H:%M} and has closed by "
            f"{closed_by:%Y-%m-%d %H:%M} UTC, by the exchange's clock."
        )
    return span


def _nothing(span: Wanted) -> str:
    return (
        f"The exchange has no {span.timeframe} candle of {span.symbol} from {span.first:%Y-%m-%d %H:%M} to "
        f"{span.last + span.step:%Y-%m-%d %H:%M} UTC.\n{GO_ON}"
    )


def _report(span: Wanted, fetched: Fetched) -> list[str]:
    holes = fetched.holes
    there = span.candles - sum(hole.candles for hole in holes)
    outages = [hole for hole in holes if is_known_outage(hole)]
    others = [hole for hole in holes if not is_known_outage(hole)]
    return [
        f"{span.symbol} {span.timeframe}: {fetched.new} new, {there - fetched.new} stored before, from "
        f"{span.first:%Y-%m-%d %H:%M} to {span.last + span.step:%Y-%m-%d %H:%M} UTC",
        *_listed(outages, lambda hole: f"known outage: {hole}"),
        *_listed(others, lambda hole: f"the exchange has nothing, asked twice: {hole}"),
    ]


def _listed(holes: list[Gap], line: Callable[[Gap], str]) -> list[str]:
    lines = [f"  {line(hole)}" for hole in holes[:HOLES_SHOWN]]
    return [*lines, f"  and {len(holes) - HOLES_SHOWN} more"] if len(holes) > HOLES_SHOWN else lines
