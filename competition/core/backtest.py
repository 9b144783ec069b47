"""A backtest of one agent: the same two halves of the engine, decision after decision, over candles that are over.

An agent that is shown a brief is asked when its moment comes. One that reads candles has said by then what it wants
(agents/core/signals.py), and the engine is told. Either way a decision at one candle is traded at a price of the next,
by the ledger's exact decimals. What lies between two trades is left to `backtest_curve`, which needs no loop for it.
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

import numpy as np

from agents.core.answers import Decided, DecideFreely, NoAnswer
from agents.core.brief import Brief, Place
from agents.core.signals import ArrayAgent, CalledAgent, showing
from competition.core.backtest_quiet import next_that_may_trade
from competition.core.backtest_stage import Played, Stage, Turn, Wishes
from competition.core.engine import Seat, TurnRecord, brief_turn, decide_turn, trade_turn
from competition.core.play import needed_but_missing, neutral_id, portfolio_key
from market.core.candles import from_ms
from portfolio.core.book import fold, funding_journal
from portfolio.core.brokers import PaperBroker
from portfolio.core.decisions import Action, Decision, Verdict, VerdictKind, Violation

SLUG = "backtest"  # what a season's slug is in the names of portfolios
ALONE = neutral_id(1)
LOOKS_AT_ONCE = 8_192


def wishes_of(agent: ArrayAgent | CalledAgent, stage: Stage, on_looked: Callable[[int], None]) -> Wishes:
    """Everything an agent wants, before anything is traded: it sees candles, never its portfolio.

    `on_looked` is told how many more moments have been looked at.
    """
    market, rows = stage.past.market, stage.moments.rows
    if not isinstance(agent, ArrayAgent):
        return _called(agent, stage, on_looked)
    asked = np.zeros(len(stage.past), dtype=bool)
    asked[rows] = True
    weights = agent.weights(market, asked)[rows]
    on_looked(len(rows))
    decided = np.flatnonzero(~np.isnan(weights).all(axis=1))
    return Wishes(decided, weights[decided])


def _called(agent: CalledAgent, stage: Stage, on_looked: Callable[[int], None]) -> Wishes:
    market, names = stage.past.market, tuple(stage.past.market)
    view, move_to = showing(market, agent.figures(market))
    moments: list[int] = []
    wanted: list[list[float]] = []
    rows = stage.moments.rows.tolist()
    decide = agent.decide
    for first in range(0, len(rows), LOOKS_AT_ONCE):
        looked_at = rows[first : first + LOOKS_AT_ONCE]
        for moment, row in enumerate(looked_at, start=first):
            move_to(row)
            weights = decide(row, view)
            if weights is not None:
                moments.append(moment)
                wanted.append(_in_order(weights, names))
        on_looked(len(looked_at))
    return Wishes(np.array(moments, dtype=np.int64), np.array(wanted, dtype=np.float64).reshape(-1, len(names)))


def _in_order(weights: Mapping[str, float], names: Sequence[str]) -> list[float]:
    if strange := weights.keys() - set(names):
        raise ValueError(f"the agent wants {', '.join(sorted(strange))}, which it was not shown")
    return [weights.get(name, 0.0) for name in names]


def play_wishes(
    agent: str, stage: Stage, wishes: Wishes, on_turn: Callable[[int], None] = lambda done: None, *, look: bool = True
) -> Played:
    """Carry out what an agent wanted. Stretches in which nothing can be ordered are passed over at once.

    Without `look` every wish goes through the engine, with the same postings. `on_turn` is told which wish is next.
    """
    with _uncollected():
        return _carry_out(_funded(agent, stage), stage, wishes, on_turn, look=look)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No looking for cycles: of what trades leave nothing points in a circle, and all of it stays.

    Enabled again, the collector would begin with all that was made meanwhile. It goes to the old instead, which are
    looked at when they have grown by a quarter.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not _something_is_frozen():  # it is to stay so
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def _something_is_frozen() -> bool:
    """Once it is known it is not asked again: to count a million takes as long as a backtest of a few weeks."""
    global _frozen  # as the collector itself, one for the process
    _frozen = _frozen or gc.get_freeze_count() > 0
    return _frozen


_frozen = False


def _carry_out(played: Played, stage: Stage, wishes: Wishes, on_turn: Callable[[int], None], *, look: bool) -> Played:
    names, rows = tuple(stage.past.market), stage.moments.rows
    wish, calm = 0, False
    while wish < len(wishes.moments):
        on_turn(wish)
        if calm and look:
            following = next_that_may_trade(stage, wishes, wish, played.book)
            played.quiet += following - wish
            wish = following
            if wish == len(wishes.moments):
                break
        moment = int(wishes.moments[wish])
        row, as_of = int(rows[moment]), from_ms(int(stage.moments.at_ms[moment]))
        decision = decision_from(tuple(wishes.weights[wish].tolist()), names, stage.rules.quote)

        def decide(shown: int, objections: Sequence[Violation], decision: Decision = decision) -> Decided | NoAnswer:
            return NoAnswer("it has nothing else to say") if objections else Decided(decision)

        verdict = decide_turn(row, played.book, stage.close_at(row), stage.symbols, stage.rules, decide)
        record = _traded(played, stage, moment, row, as_of, verdict, None)
        calm = not record.orders
        wish += 1
    played.held += len(rows) - len(wishes.moments)
    return played


def play_briefs(
    agent: str, stage: Stage, decide: DecideFreely, on_turn: Callable[[int], None] = lambda done: None
) -> Played:
    """Ask an agent that is shown briefs, moment after moment. Without the prices it needs, a moment is held."""
    played = _funded(agent, stage)
    for moment, (row, at_ms) in enumerate(zip(stage.moments.rows.tolist(), stage.moments.at_ms.tolist(), strict=True)):
        on_turn(moment)
        as_of = from_ms(at_ms)
        snapshot = stage.snapshot_at(as_of)
        if needed_but_missing(snapshot, [played.book], stage.symbols):
            played.held += 1
            continue
        seat = _seat(agent, stage, moment)
        brief = brief_turn(seat, played.book, snapshot, stage.symbols, (), stage.rules)
        verdict = decide_turn(brief, played.book, snapshot.prices, stage.symbols, stage.rules, decide)
        _traded(played, stage, moment, row, as_of, verdict, brief)
        if verdict.kind is not VerdictKind.REBALANCE:
            played.held += verdict.kind is VerdictKind.HOLD
    return played


@lru_cache(maxsize=1024)
def decision_from(weights: tuple[float, ...], names: tuple[str, ...], quote: str) -> Decision:
    """Weights of an array as a decision, to six places; all in `quote` when nothing else is wanted."""
    wanted = {name: _exact_weight(weight) for name, weight in zip(names, weights, strict=True) if weight}
    return Decision(Action.REBALANCE, wanted or {quote: Decimal(1)})


@lru_cache(maxsize=4096)
def _exact_weight(weight: float) -> Decimal:
    return Decimal(repr(round(weight, 6)))


def _funded(agent: str, stage: Stage) -> Played:
    funding = funding_journal(stage.rules.capital, stage.rules.quote, stage.rules.market_starts_at)
    return Played(SLUG, agent, funding, fold([funding]))


def _seat(agent: str, stage: Stage, moment: int) -> Seat:
    return Seat(portfolio_key(SLUG, agent), Place(moment + 1, stage.cycles, ALONE))


def _traded(
    played: Played, stage: Stage, moment: int, row: int, as_of: datetime, verdict: Verdict, brief: Brief | None
) -> TurnRecord:
    prices, filled_at = stage.fill_at(row + 1), stage.filled_at(row)
    broker = PaperBroker(prices, stage.symbols, stage.rules.costs, filled_at)
    seat = _seat(played.agent, stage, moment)
    record = trade_turn(seat, played.book, filled_at, prices, stage.symbols, stage.rules, verdict, broker)
    played.book = record.book_after
    played.turns.append(Turn(row, as_of, verdict, record, brief))
    return record
