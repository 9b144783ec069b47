"""A whole season in memory: the same two halves of the engine, cycle after cycle, without a database or a clock.

Everything comes in as arguments: candles, who decides, and a callback for progress. Same arguments, same result,
to the byte.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from agents.core.answers import Answer, Decide, NoAnswer
from agents.core.brief import BoardLine, Brief, Place
from competition.core.engine import Seat, TurnRecord, brief_turn, decide_turn, trade_turn
from competition.core.ranking import Result, StandingRow, rank
from competition.core.rules import Rules
from competition.core.schedule import asking_ends, boundary, market_time
from market.core.candles import Candles
from market.core.readings import Readings
from market.core.snapshot import HISTORY, Snapshot, build_snapshot
from market.core.symbols import Symbol
from portfolio.core.book import Book, Journal, fold, funding_journal, postings_text
from portfolio.core.brokers import Costs, PaperBroker
from portfolio.core.decisions import Verdict, Violation


@dataclass(frozen=True, slots=True)
class Contestant:
    """An entry of the season: its slug, its neutral number (from 1) and who decides for it."""

    slug: str
    number: int
    decide: Decide


@dataclass(frozen=True, slots=True)
class PlayedTurn:
    """What one entry was shown, said and did in one cycle. `record` is None when there were no prices to trade at.

    `objections[n]` is what it was told to be wrong before it gave `answers[n]`.
    """

    brief: Brief
    answers: tuple[Answer | NoAnswer, ...]
    objections: tuple[tuple[Violation, ...], ...]
    verdict: Verdict
    record: TurnRecord | None


@dataclass(frozen=True, slots=True)
class PlayedCycle:
    """`turns` is empty when the cycle was held for want of a snapshot; `reason` says why, or why nothing was traded."""

    number: int
    as_of: datetime
    snapshot: Snapshot
    trade_snapshot: Snapshot
    turns: Mapping[str, PlayedTurn]
    standings: tuple[StandingRow, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlayedSeason:
    slug: str
    cycles: tuple[PlayedCycle, ...]
    journals: Mapping[str, tuple[Journal, ...]]

    @property
    def standings(self) -> tuple[StandingRow, ...]:
        return self.cycles[-1].standings

    def postings_sha256(self) -> str:
        """Hash over every journal of every entry: entries by slug, journals in order, one line each."""
        digest = hashlib.sha256()
        for slug in sorted(self.journals):
            digest.update(postings_text(portfolio_key(self.slug, slug), self.journals[slug]).encode())
        return digest.hexdigest()


@dataclass(slots=True)
class _Ledger:
    """One entry's running totals during play."""

    journals: list[Journal]
    book: Book
    values: list[Decimal]
    traded: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    due: int = 0
    valid: int = 0


@dataclass(slots=True)
class _Table:
    """The season while it is being played: what is fixed, and what moves from cycle to cycle."""

    slug: str
    rules: Rules
    symbols: Mapping[str, Symbol]
    contestants: Sequence[Contestant]
    candles: Candles
    readings: Readings | None
    ledgers: dict[str, _Ledger]
    board: tuple[StandingRow, ...] = field(default=())


def portfolio_key(season_slug: str, entry_slug: str) -> str:
    """The name by which an entry's orders and postings are known for ever."""
    return f"{season_slug}/{entry_slug}"


def neutral_id(number: int) -> str:
    """How an entry is called in briefs, so that no name can sway a rival."""
    return f"entry-{number:02d}"


def play(
    slug: str,
    rules: Rules,
    symbols: Mapping[str, Symbol],
    contestants: Sequence[Contestant],
    candles: Candles,
    on_cycle: Callable[[PlayedCycle], None] = lambda cycle: None,
    readings: Readings | None = None,
) -> PlayedSeason:
    """Play every cycle of the season and return all of it. `on_cycle` is told after each."""
    funding = funding_journal(rules.capital, rules.quote, rules.market_starts_at)
    ledgers = {c.slug: _Ledger([funding], fold([funding]), [rules.capital]) for c in contestants}
    table = _Table(slug, rules, symbols, contestants, candles, readings, ledgers)
    cycles = []
    for number in range(1, rules.cycles + 1):
        cycle = _play_cycle(table, number)
        table.board = cycle.standings
        cycles.append(cycle)
        on_cycle(cycle)
    return PlayedSeason(slug, tuple(cycles), {s: tuple(ledger.journals) for s, ledger in ledgers.items()})


def take_snapshot(
    candles: Candles,
    as_of: datetime,
    symbols: Mapping[str, Symbol],
    rules: Rules,
    newer_than: datetime | None = None,
    readings: Readings | None = None,
) -> Snapshot:
    """The market at `as_of`, from whatever source `candles` reads; with prices newer than an earlier snapshot's.

    `readings`, where the source has any, are what its other data said by then.
    """
    series = candles(tuple(symbols), as_of - HISTORY, as_of)
    known = readings(tuple(symbols), as_of) if readings else None
    return build_snapshot(as_of, series, symbols, rules.market_source, rules.price_max_age, newer_than, known)


def paper_broker(snapshot: Snapshot, symbols: Mapping[str, Symbol], costs: Costs) -> PaperBroker:
    """The broker that fills at a snapshot, on paper."""
    return PaperBroker(snapshot.prices, symbols, costs, snapshot.as_of, snapshot.depth, snapshot.halted)


def unpriced(snapshot: Snapshot, books: Sequence[Book], symbols: Mapping[str, Symbol]) -> dict[str, str]:
    """Symbols that somebody holds and that have no price, with the reason; while there are any, nothing is valued."""
    held = {asset for book in books for asset in book.balances}
    return {name: reason for name, reason in snapshot.missing.items() if symbols[name].base in held}


def needed_but_missing(snapshot: Snapshot, books: Sequence[Book], symbols: Mapping[str, Symbol]) -> dict[str, str]:
    """What keeps this snapshot from being used: a held symbol without a price, or no price at all."""
    return unpriced(snapshot, books, symbols) or ({} if snapshot.prices else dict(snapshot.missing))


def board_lines(board: Sequence[StandingRow], numbers: Mapping[str, int]) -> tuple[BoardLine, ...]:
    """The last closed board as briefs show it: neutral ids, ranks and returns."""
    return tuple(BoardLine(neutral_id(numbers[row.entry]), row.rank, row.net_return) for row in board)


def _play_cycle(table: _Table, number: int) -> PlayedCycle:
    rules = table.rules
    opened_at = boundary(rules, number)
    as_of = market_time(rules, opened_at)
    trade_as_of = market_time(rules, asking_ends(rules, opened_at))
    snapshot = take_snapshot(table.candles, as_of, table.symbols, rules, readings=table.readings)
    trade_snapshot = take_snapshot(table.candles, trade_as_of, table.symbols, rules, as_of, table.readings)
    books = [ledger.book for ledger in table.ledgers.values()]
    if missing := needed_but_missing(snapshot, books, table.symbols):
        return PlayedCycle(number, as_of, snapshot, trade_snapshot, {}, table.board, no_snapshot(missing))
    missing = needed_but_missing(trade_snapshot, books, table.symbols)
    turns = dict(_play_turns(table, number, snapshot, None if missing else trade_snapshot))
    standings = rank([_result(slug, ledger) for slug, ledger in table.ledgers.items()], rules)
    reason = no_trades(no_snapshot(missing)) if missing else ""
    return PlayedCycle(number, as_of, snapshot, trade_snapshot, turns, standings, reason)


def no_snapshot(missing: Mapping[str, str]) -> str:
    """Why a cycle was held for everybody, in public words."""
    return "no usable snapshot: " + "; ".join(f"{name}: {reason}" for name, reason in missing.items())


def no_trades(reason: str) -> str:
    """Why a cycle closed without trades, in public words."""
    return f"no trades: {reason}"


def _play_turns(
    table: _Table, number: int, snapshot: Snapshot, trade_snapshot: Snapshot | None
) -> Iterator[tuple[str, PlayedTurn]]:
    numbers = {contestant.slug: contestant.number for contestant in table.contestants}
    board = board_lines(table.board, numbers)
    for contestant in table.contestants:
        ledger = table.ledgers[contestant.slug]
        place = Place(number, table.rules.cycles, neutral_id(contestant.number))
        seat = Seat(portfolio_key(table.slug, contestant.slug), place)
        turn = _play_turn(table, seat, contestant, ledger.book, snapshot, trade_snapshot, board)
        _enter(ledger, turn)
        yield contestant.slug, turn


def _play_turn(
    table: _Table,
    seat: Seat,
    contestant: Contestant,
    book: Book,
    snapshot: Snapshot,
    trade_snapshot: Snapshot | None,
    board: Sequence[BoardLine],
) -> PlayedTurn:
    rules, symbols = table.rules, table.symbols
    brief = brief_turn(seat, book, snapshot, symbols, board, rules)
    answers: list[Answer | NoAnswer] = []
    told: list[tuple[Violation, ...]] = []

    def decide(brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        told.append(tuple(objections))
        answers.append(contestant.decide(brief, objections))
        return answers[-1]

    verdict = decide_turn(brief, book, snapshot.prices, symbols, rules, decide, snapshot.halted)
    if trade_snapshot is None:
        return PlayedTurn(brief, tuple(answers), tuple(told), verdict, None)
    prices, as_of = trade_snapshot.prices, trade_snapshot.as_of
    broker = paper_broker(trade_snapshot, symbols, rules.costs)
    record = trade_turn(seat, book, as_of, prices, symbols, rules, verdict, broker)
    return PlayedTurn(brief, tuple(answers), tuple(told), verdict, record)


def _enter(ledger: _Ledger, turn: PlayedTurn) -> None:
    ledger.due += 1
    ledger.valid += turn.verdict.is_valid
    if turn.record is None:
        return
    ledger.journals.extend(turn.record.journals)
    ledger.book = turn.record.book_after
    ledger.values.append(turn.record.value_after)
    ledger.traded += turn.record.traded
    ledger.fees += turn.record.fees


def _result(slug: str, ledger: _Ledger) -> Result:
    return Result(slug, tuple(ledger.values), ledger.traded, ledger.fees, Decimal(0), ledger.due, ledger.valid)
