"""Play a season over stored or synthetic candles through the one engine, and print the board."""

import json
import re
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from pydantic import ValidationError
from tqdm import tqdm

from competition.core.play import PlayedSeason
from competition.core.ranking import StandingRow
from competition.core.rule_problems import rule_problems
from competition.services.playing import NotPlayable, Wish, capital_of, play_rules, rules_for, summary
from market.core.symbols import DEFAULT_SYMBOLS, UnknownSymbol
from market.queries import listed_symbols

DEFAULTS = ",".join(symbol.name for symbol in DEFAULT_SYMBOLS)
OPTIONS = ("max_weight", "min_cash", "max_turnover", "drift_band", "fee_bps", "slippage_bps")
FLAGS = {
    **{option: f"--{option.replace('_', '-')}" for option in OPTIONS},
    "universe": "--symbols",
    "capital": "--capital",
    "cycles": "--to",
    "market_seed": "--seed",
}
EARLIEST, LATEST = datetime(2009, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)  # before it nothing was traded


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Plays a weekly season over stored or synthetic candles and prints the board."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", choices=["stored", "synthetic"], required=True)
        parser.add_argument("--symbols", default=DEFAULTS, help="comma-separated; default: %(default)s")
        parser.add_argument("--from", dest="first", required=True, metavar="DATE", help="first boundary, 2021-01-04")
        parser.add_argument("--to", dest="last", required=True, metavar="DATE", help="last boundary, inclusive")
        parser.add_argument("--seed", type=int, default=1, help="moves the random entries and the synthetic market")
        parser.add_argument("--capital", default="10000", help="start capital of each entry, in USDT")
        for option in OPTIONS:
            parser.add_argument(FLAGS[option], help=f"the season's {option}; default: as in the rules")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            wish = _wish(options)
            listed_symbols(wish.symbols)  # before the rules, which would only say that FOO is not bought with USDT
            rules = rules_for(wish)
            with tqdm(total=rules.cycles, unit="week", file=sys.stderr, disable=None, leave=False) as bar:
                played = play_rules(wish.slug, rules, wish.seed, lambda cycle: bar.update() and None)
        except ValidationError as error:
            problems = "; ".join(map(_with_flags, rule_problems(error)))
            raise CommandError(f"These rules cannot be played: {problems}.") from None
        except (NotPlayable, UnknownSymbol) as error:
            raise CommandError(str(error)) from None
        if options["as_json"]:
            self.stdout.write(json.dumps(summary(played, rules), indent=2))
        else:
            self._print_board(played)

    def _print_board(self, played: PlayedSeason) -> None:
        self.stdout.write(
            f"{len(played.cycles)} weeks, values in USDT after fees and slippage; house and simulated entries\n"
        )
        head = f"{'rank':>4} {'entry':<14}{'value':>16}{'return':>10}{'vs BTC':>10}{'drawdown':>10}{'coverage':>10}"
        self.stdout.write(head)
        for row in played.standings:
            self.stdout.write(_line(row))
        self.stdout.write(f"\npostings sha256 {played.postings_sha256()}")


def _line(row: StandingRow) -> str:
    excess = "–" if row.excess_return is None else f"{row.excess_return:+.1%}"
    rank = "–" if row.rank is None else str(row.rank)
    figures = f"{row.value:>16,.2f}{row.net_return:>+10.1%}{excess:>10}{row.max_drawdown:>10.1%}{row.coverage:>10.0%}"
    return f"{rank:>4} {row.entry:<14}{figures}" + (f"  {row.unranked}" if row.unranked else "")


def _wish(options: dict[str, Any]) -> Wish:
    first, last = _date(options["first"], "--from"), _date(options["last"], "--to")
    symbols = tuple(name.strip().upper() for name in options["symbols"].split(",") if name.strip())
    given = {name: options[name] for name in OPTIONS if options[name] is not None}
    slug = f"play-{options['source']}-{first:%Y%m%d}-{last:%Y%m%d}"
    return Wish(
        slug,
        options["source"],
        symbols,
        first,
        last,
        options["seed"],
        {"capital": capital_of(options["capital"]), **given},
    )


def _date(text: str, option: str) -> datetime:
    try:
        date = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise CommandError(f"{option} {text!r} is not a date; write it as 2021-01-04.") from None
    if not EARLIEST <= date <= LATEST:
        raise CommandError(
            f"{option} {text} is out of reach; choose a date from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}."
        )
    return date


def _with_flags(problem: str) -> str:
    """The sentence with the names of rules as the user typed them."""
    return re.sub(r"\b[a-z_]+\b", lambda name: FLAGS.get(name[0], name[0]), problem)
