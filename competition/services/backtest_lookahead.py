"""The look-ahead check of one agent: play it over the true candles, then over replaced futures, and compare."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from agents.core.deciders import decider
from agents.core.signals import ArrayAgent, CalledAgent
from competition.core.backtest import play_briefs, play_wishes, wishes_of
from competition.core.backtest_lookahead import (
    FUTURES,
    Difference,
    first_turn_apart,
    first_wish_apart,
    until,
    with_absurd_future,
)
from competition.core.backtest_parameters import AgentSpec, BacktestParameters
from competition.core.backtest_stage import Played, Stage, Wishes
from competition.services.backtest_costs import is_asked
from competition.services.backtest_market import Setting, setting_for
from competition.services.backtest_requests import BacktestRefused
from competition.services.backtest_runs import Player, player_of
from market.core.candles import Series, from_ms
from market.core.snapshot import HISTORY, Snapshot, build_snapshot

STAND_IN = "offline/swinger"  # decides by its brief alone, and trades often


@dataclass(frozen=True, slots=True)
class Lookahead:
    """The verdict on one agent: what came out otherwise, when, and the instant after which the future was replaced.

    `is_asked` is an agent that sees briefs and nothing else: they were checked, and a script decided in its place.
    """

    decisions: int
    futures: int
    at: datetime | None = None
    replaced_after: datetime | None = None
    what: str = ""
    is_asked: bool = False

    @property
    def is_clean(self) -> bool:
        return self.at is None

    @property
    def verdict(self) -> str:
        if self.at is None or self.replaced_after is None:
            if self.is_asked:
                return (
                    f"is shown nothing of the future. {self.decisions} briefs, and in {self.futures} replaced futures "
                    "every one before them was the same. It was not asked itself: a script decided in its place. "
                    "What a model remembers from its training is no matter of briefs; --mask is for that."
                )
            return (
                f"does not look ahead. {self.decisions} decisions, and in {self.futures} replaced futures every brief, "
                "decision, order and posting before them was the same."
            )
        return (
            f"LOOKS AHEAD. Its {self.what} at {self.at:%Y-%m-%d %H:%M} UTC came out otherwise when only candles after "
            f"{self.replaced_after:%Y-%m-%d %H:%M} UTC were replaced."
        )


def player_to_check(spec: AgentSpec) -> Player:
    """Who plays for a check: the agent itself, or in place of one that is asked a script that is shown its briefs."""
    return decider(STAND_IN, {"seed": 1}) if is_asked(spec.model) else player_of(spec)


def check_agent(
    parameters: BacktestParameters,
    slug: str,
    player: Callable[[], Player],
    dice: random.Random,
    times: int,
    on_future: Callable[[], None] = lambda: None,
) -> Lookahead:
    """Play an agent over the candles asked for and over two replaced futures after each of `times` instants.

    Raises `BacktestRefused`.

    `player` makes the agent anew for each, so that it remembers nothing. Half of the instants are right after one of
    its decisions, where looking one candle ahead would pay; the others are anywhere.
    """
    setting = setting_for(parameters)
    stage = setting.stage
    rows = stage.moments.rows
    true = _play(player(), slug, setting, int(rows[-1]))
    decided = [turn.row for turn in true.played.turns]
    if not decided:
        raise BacktestRefused({"agents": f"{slug} decided nothing in this window: nothing can be told of it."})
    for number in range(times):
        row = dice.choice(decided) if number % 2 == 0 else dice.randrange(int(rows[0]), int(rows[-1]) + 1)
        for factors in FUTURES:
            replaced = _play(player(), slug, _replaced(setting, parameters, row, factors), row)
            if found := _first_difference(true, replaced, stage, row):
                return _caught(stage, found, row, len(decided), times)
        on_future()
    return Lookahead(len(decided), times * len(FUTURES))


@dataclass(frozen=True, slots=True)
class _Take:
    """One play of the agent; `wishes` is None for one that is shown briefs."""

    wishes: Wishes | None
    played: Played


def _play(player: Player, slug: str, setting: Setting, row: int) -> _Take:
    """Play as far as the decisions at `row`. Who reads candles has all of them to read, whatever it is asked."""
    stage = setting.stage
    if not isinstance(player, ArrayAgent | CalledAgent):
        setting.expect(stage.moments.rows)
        return _Take(None, play_briefs(slug, until(stage, row), player))
    wishes = wishes_of(player, stage, lambda looked_at: None)
    known = stage.moments.rows[wishes.moments] <= row
    setting.expect(stage.moments.rows[wishes.moments[known]])
    return _Take(wishes, play_wishes(slug, stage, Wishes(wishes.moments[known], wishes.weights[known])))


def _first_difference(true: _Take, replaced: _Take, stage: Stage, row: int) -> Difference | None:
    if true.wishes is None or replaced.wishes is None:
        return first_turn_apart(true.played, replaced.played, row)
    # What is wanted at `row` is traded later, at a price that may rightly make the engine pass over it.
    apart = first_wish_apart(true.wishes, replaced.wishes, stage, row)
    return apart or first_turn_apart(true.played, replaced.played, row - 1)


def _caught(stage: Stage, found: Difference, row: int, decisions: int, times: int) -> Lookahead:
    close_ms = stage.past.close_ms
    at, after = from_ms(int(close_ms[found.row])), from_ms(int(close_ms[row]))
    return Lookahead(decisions, times, at, after, found.what)


def _replaced(setting: Setting, parameters: BacktestParameters, row: int, factors: Sequence[float]) -> Setting:
    """The same setting with another future: in the arrays, in the exact prices, and in what briefs are made of."""
    stage = setting.stage
    past = with_absurd_future(stage.past, row, factors)
    known_ms = int(stage.past.close_ms[row])

    def absurd(prices_at: Callable[[int], Mapping[str, Decimal]]) -> Callable[[int], Mapping[str, Decimal]]:
        def at(asked: int) -> Mapping[str, Decimal]:
            prices = prices_at(asked)
            return prices if asked <= row else {name: price * 7 + 1 for name, price in prices.items()}

        return at

    def snapshot_at(as_of: datetime) -> Snapshot:
        series = setting.candles(tuple(stage.symbols), as_of - HISTORY, as_of)
        changed = {name: _absurd_series(one, known_ms) for name, one in series.items()}
        return build_snapshot(as_of, changed, stage.symbols, parameters.source, stage.rules.price_max_age)

    close_at, fill_at = absurd(stage.close_at), absurd(stage.fill_at)
    return replace(
        setting, stage=replace(stage, past=past, close_at=close_at, fill_at=fill_at, snapshot_at=snapshot_at)
    )


def _absurd_series(series: Series, known_ms: int) -> Series:
    first = series.last_closed(known_ms) + 1
    columns = (series.opens, series.highs, series.lows, series.closes, series.volumes)
    changed = ((*column[:first], *(value * 7 + 1 for value in column[first:])) for column in columns)
    return Series(series.symbol, series.timeframe, series.open_ms, *changed)
