"""Reading the record for an audit: a season's frame at once, its entries one at a time, their texts in chunks."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import partial
from itertools import chain, groupby
from operator import itemgetter

from agents.core.answers import Answer
from agents.models import Attempt, AttemptOutcome
from competition.core.season_record import (
    CycleRecord,
    EntryRecord,
    Said,
    SeasonRecord,
    TurnRow,
    books_of_cycles,
)
from competition.core.states import POSTED, CycleState, SeasonState, TurnState
from competition.models import Cycle, Entry, Season, Turn
from market.core.snapshot import Snapshot
from market.core.symbols import symbols_of
from market.models import StoredSnapshot
from portfolio.core.ledger_checks import Ledger, StoredJournal, StoredOrder
from portfolio.core.orders import OrderState
from portfolio.models import Journal, Order, Portfolio, Valuation
from portfolio.prepared import Given, Prepared, PreparedObjects
from portfolio.queries import book_of, journals_of

CHUNK = 100  # rows with texts that are held at once
_CYCLES = PreparedObjects(
    lambda: Cycle.objects.filter(season=Given("season")).select_related("snapshot", "trade_snapshot").order_by("number")
)
_TURNS = PreparedObjects(
    lambda: Turn.objects.filter(entry=Given("entry")).select_related("cycle").order_by("cycle__number")
)
_VALUES = Prepared(
    lambda: Valuation.objects.current().filter(portfolio=Given("portfolio")).values_list("cycle_number", "at", "value")
)
_CHAIN = Prepared(
    lambda: Journal.objects.filter(portfolio=Given("portfolio")).order_by("sequence").values_list("sequence", "hash")
)
_ASKED_FOR = Prepared(
    lambda: (
        Order.objects.filter(portfolio=Given("portfolio"), state=OrderState.NEW.value, attempts__isnull=False)
        .values_list("client_order_id")
        .distinct()
    )
)
_SAID = Prepared(
    lambda: (
        Attempt.objects.filter(brief__turn__entry=Given("entry"))
        .order_by("brief__turn__cycle__number", "number")
        .values_list("brief__turn__cycle__number", "outcome", "reply", "truncated", "ended_at", "reason")
    )
)


def season_record(season: Season, now: datetime) -> SeasonRecord:
    """The frame of an open or closed season: rules, symbols, cycles with their prices."""
    return SeasonRecord(
        slug=season.slug,
        state=SeasonState(season.state),
        rules=season.rule_book,
        rules_sha256=season.rules_sha256,
        symbols=symbols_of(season.symbols or ()),
        entries=tuple(season.entries.order_by("number").values_list("slug", flat=True)),
        cycles={
            row.number: CycleRecord(
                number=row.number,
                state=CycleState(row.state),
                due_at=row.due_at,
                opened_at=row.opened_at,
                as_of=row.as_of,
                deadline_at=row.deadline_at,
                trade_as_of=row.trade_as_of,
                shown=_prices_of(row.snapshot),
                traded=_prices_of(row.trade_snapshot),
                closed_at=row.closed_at,
            )
            for row in _CYCLES.each(CHUNK, season=season.id)
        },
        audited_at=now,
    )


def _prices_of(stored: StoredSnapshot | None) -> Snapshot | None:
    """A snapshot without the content that briefs show; its hash has a check of its own."""
    if stored is None:
        return None
    prices = {name: Decimal(row["price"]) for name, row in stored.content["symbols"].items()}
    return Snapshot(stored.as_of, prices, stored.content["missing"], {}, stored.sha256)


def entry_record(season: SeasonRecord, entry: Entry) -> EntryRecord:
    """Everything of one entry but its texts. Reads the portfolio's journals, orders and valuations whole."""
    turns = tuple(_turn_row(turn) for turn in _TURNS.each(CHUNK, entry=entry.id))
    ledger = _ledger(season, entry.portfolio, turns)
    return EntryRecord(
        slug=entry.slug,
        ledger=ledger,
        turns=turns,
        valuations={number: (at, value) for number, at, value in _VALUES.rows(portfolio=entry.portfolio_id)},
        replies=partial(_replies, entry.id, turns),
        books=books_of_cycles(ledger, season),
    )


def _turn_row(turn: Turn) -> TurnRow:
    return TurnRow(
        cycle=turn.cycle.number,
        state=TurnState(turn.state),
        verdict=turn.verdict_value() if turn.verdict else None,
        over_budget=turn.over_budget,
        traded=turn.traded,
        fees=turn.fees,
        value_after=turn.value_after,
        unresolved=frozenset(turn.unresolved),
        settled_at=turn.settled_at,
        decided_at=turn.decided_at,
    )


def _ledger(season: SeasonRecord, portfolio: Portfolio, turns: tuple[TurnRow, ...]) -> Ledger:
    rows = _CHAIN.rows(portfolio=portfolio.id)
    orders = Order.objects.filter(portfolio=portfolio).order_by("id").prefetch_related("fills")
    return Ledger(
        key=portfolio.key,
        quote=portfolio.quote,
        capital=season.rules.capital,
        symbols=season.symbols,
        journals=[
            StoredJournal(sequence, journal, stored_hash)
            for (sequence, stored_hash), journal in zip(rows, journals_of(portfolio.id), strict=True)
        ],
        orders=[
            StoredOrder(
                row.cycle_number, row.value(), OrderState(row.state), tuple(fill.value() for fill in row.fills.all())
            )
            for row in orders.iterator(chunk_size=CHUNK)
        ],
        held=book_of(portfolio.id),
        settled=frozenset(turn.cycle for turn in turns if turn.state in POSTED),
        set_aside=frozenset(turn.cycle for turn in turns if turn.state is TurnState.QUARANTINED),
        unposted=frozenset(chain.from_iterable(t.unresolved for t in turns if t.state is TurnState.PROVISIONAL)),
        waiting=frozenset(_waiting(portfolio)),
    )


def _waiting(portfolio: Portfolio) -> Iterable[str]:
    """Orders that are new because an exchange has them or may have them, or had to be asked for them until just now."""
    return (order_id for (order_id,) in _ASKED_FOR.rows(portfolio=portfolio.id))


def _replies(entry_id: int, turns: tuple[TurnRow, ...]) -> Iterator[tuple[TurnRow, list[Said]]]:
    """Every turn with what was said in it, in order; an attempt that is still open says nothing yet."""
    groups = groupby(_SAID.each(CHUNK, entry=entry_id), key=itemgetter(0))
    ahead = next(groups, None)
    for turn in turns:
        said: list[Said] = []
        if ahead is not None and ahead[0] == turn.cycle:
            said = [_said(*row[1:]) for row in ahead[1]]
            ahead = next(groups, None)
        yield turn, said


def _said(outcome: str, reply: str, truncated: bool, ended_at: datetime | None, reason: str) -> Said:
    answer = Answer(reply, truncated) if outcome == AttemptOutcome.ANSWERED else None
    return Said(answer, ended_at, reason)
