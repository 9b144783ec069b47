"""The flags with which a command is told what to backtest, and complaints in the words of these flags."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from competition.services.backtest_requests import CANDLES_MAX, BacktestWish
from market.core.candles import TIMEFRAME_S
from market.core.symbols import DEFAULT_SYMBOLS

DEFAULTS = ",".join(symbol.name for symbol in DEFAULT_SYMBOLS)
FLAGS = {
    "agents": "--agent",
    "symbols": "--symbols",
    "first": "--from",
    "last": "--to",
    "timeframe": "--timeframe",
    "every": "--every",
    "fill": "--fill",
    "source": "--source",
    "seed": "--seed",
    "capital": "--capital",
    "fee_bps": "--fee-bps",
    "slippage_bps": "--slippage-bps",
    "drift_band": "--drift-band",
    "max_candles": "--max-candles",
    "max_usd": "--max-usd",
    "mask": "--mask",
}


def add_wish_flags(parser: ArgumentParser) -> None:
    """Agents, window and seed as one backtest has them, and all the rest."""
    parser.add_argument("--agent", action="append", required=True, dest="agents", help="slug; give it again for more")
    parser.add_argument("--from", dest="first", required=True, metavar="DATE", help="2021-01-04 or 2021-01-04T12:00")
    parser.add_argument("--to", dest="last", required=True, metavar="DATE", help="the last candle closes by then")
    parser.add_argument("--seed", type=int, default=1, help="of the random baseline and of the synthetic market")
    add_common_flags(parser)


def add_common_flags(parser: ArgumentParser) -> None:
    """What the backtests of a sweep have in common."""
    parser.add_argument("--symbols", default=DEFAULTS, help="comma-separated; default: %(default)s")
    lengths = ", ".join(sorted(TIMEFRAME_S, key=lambda name: TIMEFRAME_S[name]))
    parser.add_argument("--timeframe", default="1h", help=f"one of {lengths}; default: %(default)s")
    parser.add_argument("--every", default="1w", choices=["candle", "1d", "1w"], help="how often agents decide")
    parser.add_argument(
        "--fill",
        default="next_close",
        choices=["next_close", "next_open"],
        help="price of the next candle that is traded at; next_close, as in a season, is the default",
    )
    parser.add_argument("--source", default="stored", choices=["stored", "synthetic"])
    parser.add_argument("--capital", default="10000", help="start capital of each agent, in USDT")
    parser.add_argument(
        "--fee-bps", default="10", help="hundredths of a percent of what is traded; default: %(default)s"
    )
    parser.add_argument("--slippage-bps", default="5", help="likewise, against the trader; default: %(default)s")
    parser.add_argument("--drift-band", help="fraction of the value below which a difference is left alone")
    parser.add_argument("--max-candles", type=int, default=CANDLES_MAX, help="refuse more; default: %(default)s")
    parser.add_argument("--max-usd", help="what models may cost at most, in USD")
    parser.add_argument("--mask", action="store_true", help="show briefs without dates, names and levels of prices")


def wish_from(options: Mapping[str, Any]) -> BacktestWish:
    """What was typed, as a wish."""
    return BacktestWish(**common_of(options), **{name: options[name] for name in ("first", "last", "seed")})


def common_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a wish that every backtest of a sweep has alike; agents among them."""
    symbols = tuple(name.strip().upper() for name in options["symbols"].split(",") if name.strip())
    names = FLAGS.keys() - {"agents", "symbols", "first", "last", "seed"}
    return {"agents": tuple(options["agents"]), "symbols": symbols, **{name: options[name] for name in names}}


def told_with_flags(problems: Mapping[str, str]) -> str:
    """All complaints, each behind the flag it is about."""
    return "\n".join(f"{FLAGS[name]}: {problem}" for name, problem in problems.items())
