"""A backtest in words: the command that asks for it again, and how long what is left of it may take."""

import shlex
from datetime import datetime, timedelta

from competition.core.backtest_parameters import BacktestParameters, usual_band
from market.core.canonical import plain, utc_text


def instant_text(at: datetime) -> str:
    """A day without its midnight, any other instant with its time, as the command line takes both."""
    text = utc_text(at)
    return text.removesuffix("T00:00:00Z")


def command_line(parameters: BacktestParameters) -> str:
    """The command that asks for this backtest. Agents are named by slug, so it means their newest versions."""
    words = ["manage.py", "backtest"]
    for agent in parameters.agents:
        words += ["--agent", agent.slug]
    words += ["--symbols", ",".join(parameters.symbols)]
    words += ["--from", instant_text(parameters.first), "--to", instant_text(parameters.last)]
    words += ["--timeframe", parameters.timeframe, "--every", parameters.every, "--fill", parameters.fill]
    words += ["--capital", plain(parameters.capital)]
    words += ["--fee-bps", plain(parameters.fee_bps), "--slippage-bps", plain(parameters.slippage_bps)]
    if parameters.drift_band != usual_band(parameters.fee_bps, parameters.slippage_bps):
        words += ["--drift-band", plain(parameters.drift_band)]
    words += ["--source", parameters.source, "--seed", str(parameters.seed)]
    if parameters.max_usd is not None:
        words += ["--max-usd", plain(parameters.max_usd)]
    return shlex.join([*words, *(["--mask"] if parameters.mask else [])])


def time_left(started_at: datetime | None, done: int, total: int, now: datetime) -> timedelta | None:
    """How long the rest takes at the pace so far; None while nothing is known of it."""
    if started_at is None or not 0 < done <= total:
        return None
    return (now - started_at) * (total - done) / done
