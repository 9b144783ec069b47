"""Read Binance's bulk kline files into stored candles: all of them, or none."""

from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from market.core.candles import TIMEFRAME_S, from_ms
from market.core.outages import Gap
from market.services import (
    CandleFilesError,
    CheckedCandles,
    StoreCounts,
    StoredOtherwiseError,
    read_candle_files,
    store_candles,
)

GAPS_SHOWN = 20


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = (
        "Store the candles of Binance bulk kline files (.csv, .csv.gz, .zip). Symbol and timeframe are taken "
        "from names like BTCUSDT-1h-2021-01.zip. Every file is checked first: if one is bad, none is stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument(
            "--symbol", type=str.upper, help="symbol of the files, when their names do not tell, as BTCUSDT"
        )
        parser.add_argument("--timeframe", choices=TIMEFRAME_S, help="length of their candles, likewise")
        parser.add_argument(
            "--accept-gaps",
            action="store_true",
            help="store series with holes no known outage explains; only if the exchange was really down",
        )

        parser.add_argument(
            "--replace", action="store_true", help="rewrite candles that are stored with other numbers, and list them"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        files = _progress(options["files"], "Checking files")
        try:
            checked = read_candle_files(
                files,
                timezone.now(),
                symbol=options["symbol"],
                timeframe=options["timeframe"],
                accept_gaps=options["accept_gaps"],
            )
        except CandleFilesError as error:
            raise CommandError(f"{error}\nNothing was stored.") from error
        series = [candles.series for candles in checked]
        try:
            counts = store_candles(
                series, replace=options["replace"], progress=partial(_progress, what="Storing candles")
            )
        except StoredOtherwiseError as error:
            raise CommandError(f"{error}\nNothing was stored.") from error
        for candles, count in zip(checked, counts, strict=True):
            self.stdout.write("\n".join(_report(candles, count)))


def _progress(things: list[Any], what: str) -> Any:
    return tqdm(things, desc=what, disable=None, delay=0.5, leave=False)


def _report(candles: CheckedCandles, count: StoreCounts) -> list[str]:
    series = candles.series
    first, last = from_ms(series.open_ms[0]), from_ms(series.close_ms(-1))
    return [
        f"{series.symbol} {series.timeframe}: {count.new} new, {count.changed} changed, "
        f"{count.unchanged} unchanged, from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC",
        *(f"  replaced: {change}" for change in count.changes),
        *([f"  and {count.changed - len(count.changes)} more"] if count.changed > len(count.changes) else []),
        *_listed("known outage", candles.known_outages),
        *_listed("gap accepted", candles.accepted_gaps),
    ]


def _listed(what: str, gaps: tuple[Gap, ...]) -> list[str]:
    lines = [f"  {what}: {gap}" for gap in gaps[:GAPS_SHOWN]]
    return [*lines, f"  and {len(gaps) - GAPS_SHOWN} more"] if len(gaps) > GAPS_SHOWN else lines
