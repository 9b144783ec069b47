"""What must hold of one entry's turns: what it said, what was made of it, and what that was worth."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from agents.core.answers import Answer, NoAnswer
from agents.core.brief import Brief
from competition.core.engine import decide_turn
from competition.core.schedule import market_time, trading_ends
from competition.core.season_record import CycleRecord, EntryRecord, Said, SeasonRecord, TurnRow
from competition.core.states import POSTED, TERMINAL_CYCLES, TERMINAL_TURNS, TURNS_OVER, CycleState
from market.core.canonical import plain
from market.core.exact import EXACT
from portfolio.core.book import AMOUNT_SCALE, Book, value_of
from portfolio.core.decisions import Verdict, VerdictKind
from portfolio.core.ledger_checks import fills_of
from portfolio.core.order_attempts import CLOCKS_APART_MS_MAX
from portfolio.core.orders import FINAL_ORDER_STATES

EntryCheck = Callable[[SeasonRecord, EntryRecord], Iterator[str]]
REASON_CHARACTERS_MAX = 300  # of a verdict's reason, as it is stored
UNHEARD = frozenset({VerdictKind.SILENT, VerdictKind.OVER_BUDGET})
CLOCKS_APART = timedelta(milliseconds=CLOCKS_APART_MS_MAX)
MATCHED_WITHIN = timedelta(minutes=10)  # of the last instant at which an order could be sent
_ATOM = Decimal(1).scaleb(-AMOUNT_SCALE)


def turns_end_with_their_cycle(season: SeasonRecord, entry: EntryRecord) -> Iterator[str]:
    """A closed cycle has a turn of everybody, and every one of them has ended."""
    turns = {turn.cycle: turn for turn in entry.turns}
    for cycle in season.cycles.values():
        turn = turns.get(cycle.number)
        if cycle.state is CycleState.CLOSED and turn is None:
            yield f"week {cycle.number} closed without a turn of it"
        if cycle.state in TERMINAL_CYCLES and turn is not None and turn.state not in TURNS_OVER:
            yield f"its turn of week {cycle.number} is {turn.state}, and the week is {cycle.state}"


def orders_end_with_their_turn(season: SeasonRecord, entry: EntryRecord) -> Iterator[str]:
    ended = {turn.cycle for turn in entry.turns if turn.state in TERMINAL_TURNS}
    for stored in entry.ledger.orders:
        name = stored.order.client_order_id
        if name in entry.ledger.waiting and stored.cycle in entry.ledger.set_aside:
            continue  # an exchange may have executed it
        if stored.cycle in ended and stored.state not in FINAL_ORDER_STATES:
            yield f"order {name} of week {stored.cycle} is {stored.state}, and its turn has ended"


def orders_follow_from_a_decision(season: SeasonRecord, entry: EntryRecord) -> Iterator[str]:
    """An order belongs to a rebalance of a week with trade prices, and to a symbol that the season froze."""
    verdicts = {turn.cycle: turn.verdict for turn in entry.turns}
    for stored in entry.ledger.orders:
        name, verdict = stored.order.client_order_id, verdicts.get(stored.cycle)
        if verdict is None or verdict.kind is not VerdictKind.REBALANCE:
            yield f"order {name} of week {stored.cycle} belongs to no decision"
        elif season.cycles[stored.cycle].traded is None:
            yield f"order {name} belongs to week {stored.cycle}, which had no trade prices"
        if stored.order.symbol not in season.symbols:
            yield f"order {name} is in {stored.order.symbol}, which the season does not trade"


def fills_are_within_the_trade_window(season: SeasonRecord, entry: EntryRecord) -> Iterator[str]:
    """In market time: not before the trade prices were taken, not after the window; a venue has a clock of its own."""
    early, late = (CLOCKS_APART, MATCHED_WITHIN) if season.rules.fills == "venue" else (timedelta(0), timedelta(0))
    for number, fill in fills_of(entry.ledger.orders):
        cycle = season.cycles[number]
        ends = market_time(season.rules, trading_ends(season.rules, cycle.deadline_at))
        if cycle.trade_as_of is None or not cycle.trade_as_of - early <= fill.at <= ends + late:
            yield f"fill {fill.trade_id} of week {number} is of {fill.at:%Y-%m-%d %H:%M:%S}, outside the trade window"


def amounts_of_turns_add_up(season: SeasonRecord, entry: EntryRecord) -> Iterator[str]:
    """What a settled turn says it traded and paid is what its fills say; a turn set aside says neither."""
    traded: dict[int, Decimal] = {}
    fees: dict[int, dict[str, Decimal]] = {}
    for number, fill in fills_of(entry.ledger.orders):
        if fill.client_order_id in entry.ledger.unposted:
            continue
        traded[number] = traded.get(number, Decimal(0)) + fill.quote_amount
        paid = fees.setdefault(number, {})
        paid[fill.fee_asset] = paid.get(fill.fee_asset, Decimal(0)) + fill.fee
    for turn in entry.turns:
        is_settled = turn.state in POSTED
        expected = traded.get(turn.cycle, Decimal(0)) if is_settled else Decimal(0)
        if turn.traded != expected:
            yield f"week {turn.cycle} says {plain(turn.traded)} was traded, and its fills say {plain(expected)}"
        of_turn = Book({asset: fee for asset, fee in fees.get(turn.cycle, {}).items() if fee}) if is_settled else Book()
        worth = _worth(of_turn, season, season.cycles[turn.cycle])
        if worth is not None and turn.fees != worth:
            yield f"week {turn.cycle} says {plain(turn.fees)} of fees, and its fills say {plain(worth)}"


def valuations_are_the_book_at_trade_prices(season: SeasonRecord, entry: EntryRecord) -> Iterator[str]:
    """Computed again from journals and the stored prices; a settled turn says the same value."""
    wanted = {0: (season.rules.market_starts_at, season.rules.capital)}
    for turn in entry.turns:
        cycle = season.cycles[turn.cycle]
        if turn.state in TURNS_OVER and cycle.traded is not None:
            worth = _worth(entry.books[turn.cycle], season, cycle)
            if worth is not None:
                wanted[turn.cycle] = (cycle.traded.as_of, worth)
            worth = _worth(entry.book_after(cycle), season, cycle)
            if turn.state in POSTED and turn.value_after != worth:
                yield f"the turn of week {turn.cycle} says {_text(turn.value_after)}, and its book is {_text(worth)}"
    for number in sorted(wanted.keys() | entry.valuations.keys()):
        if wanted.get(number) != entry.valuations.get(number):
            expected, stored = _value(wanted.get(number)), _value(entry.valuations.get(number))
            yield f"after week {number} it is valued at {stored}, and its book at the trade prices is {expected}"


def _worth(book: Book, season: SeasonRecord, cycle: CycleRecord) -> Decimal | None:
    """Value in quote at the trade prices of a cycle; None while there are none, or not of all that is held."""
    bases = {season.symbols[name].base for name in cycle.traded.prices} if cycle.traded else set()
    if cycle.traded is None or not book.balances.keys() <= bases | {season.rules.quote}:
        return None
    value = value_of(book, cycle.traded.prices, season.symbols, season.rules.quote)
    return value.quantize(_ATOM, ROUND_HALF_EVEN, context=EXACT)


def _value(valuation: tuple[object, Decimal] | None) -> str:
    return "nothing" if valuation is None else f"{plain(valuation[1])} of {valuation[0]:%Y-%m-%d %H:%M:%S}"


def _text(value: Decimal | None) -> str:
    return "nothing" if value is None else plain(value)


def verdicts_follow_from_the_replies(season: SeasonRecord, entry: EntryRecord) -> Iterator[str]:
    """The replies on record, judged again, give the verdict that stands; none counted after the one that decided."""
    for turn, said in entry.replies():
        stored, shown = turn.verdict, season.cycles[turn.cycle].shown
        if stored is None:
            continue
        if shown is None:
            yield f"week {turn.cycle} has a verdict and no snapshot"
            continue
        found, left_over = _judged_again(season, entry, turn, said)
        if found.kind is not stored.kind:
            yield f"week {turn.cycle} is {stored.kind}, and its replies judged again are {found.kind}"
        elif not _same(found, stored):
            yield f"week {turn.cycle} is {stored.kind} otherwise than its replies judged again"
        if left_over:
            yield f"in week {turn.cycle} a reply counted after the one that decided"


def _judged_again(
    season: SeasonRecord, entry: EntryRecord, turn: TurnRow, said: Sequence[Said]
) -> tuple[Verdict, bool]:
    answers = [one.answer for one in said if one.answer is not None]
    if turn.over_budget and not said:  # who was asked before the money ran out, and said nothing, was silent
        return Verdict(VerdictKind.OVER_BUDGET, reason=turn.over_budget), False
    waiting: Iterator[Answer] = iter(answers)
    silence = NoAnswer(turn.verdict.reason if turn.verdict else "")

    def decide(brief: Brief, objections: object) -> Answer | NoAnswer:
        return next(waiting, silence)

    shown = season.cycles[turn.cycle].shown
    assert shown is not None
    book = entry.book_before(season.cycles[turn.cycle])
    found = decide_turn(Brief({}, ""), book, shown.prices, season.symbols, season.rules, decide, shown.halted)
    return found, next(waiting, None) is not None


def _same(found: Verdict, stored: Verdict) -> bool:
    return (found.decision, found.violations, found.unwrapped, found.reason[:REASON_CHARACTERS_MAX]) == (
        *(stored.decision, stored.violations, stored.unwrapped),
        stored.reason[:REASON_CHARACTERS_MAX],
    )


def replies_that_counted_came_in_time(season: SeasonRecord, entry: EntryRecord) -> Iterator[str]:
    """Before the deadline, until which nobody is called silent; and nobody was asked more often than is allowed."""
    asked_max = season.rules.attempts_max + season.rules.repairs_max
    for turn, said in entry.replies():
        deadline_at = season.cycles[turn.cycle].deadline_at
        if any(one.answer is not None and one.ended_at is not None and one.ended_at >= deadline_at for one in said):
            yield f"in week {turn.cycle} a reply counted that came after the deadline"
        if turn.verdict and turn.verdict.kind in UNHEARD and turn.decided_at and turn.decided_at < deadline_at:
            yield f"in week {turn.cycle} it is {turn.verdict.kind} from before the deadline on"
        if len(said) > asked_max:
            yield f"in week {turn.cycle} it was asked {len(said)} times; {asked_max} are allowed"
