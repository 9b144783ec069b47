"""The one path from brief to valuation, in two halves. Live, paper, demo and backtest differ only in arguments.

    decide_turn   who decides?  the brief goes out, the answer comes back, the rules are applied  -> Verdict
    trade_turn    who fills?    orders are planned, placed, posted, and the book is valued        -> TurnRecord

Both are deterministic in their arguments, so a half that was interrupted is finished by running it again with what
is on record: answers already received, orders already executed.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from agents.core.answers import Answer, Decided, NoAnswer
from agents.core.brief import BoardLine, Brief, Place, build_brief
from agents.core.objections import kept
from agents.core.reply import parse_reply
from competition.core.rules import Rules
from market.core.snapshot import Snapshot
from market.core.symbols import Symbol
from portfolio.core.book import Book, Journal, fill_journal, fold, overdrawn, value_of, weights_of
from portfolio.core.brokers import Broker, PaperBroker
from portfolio.core.decisions import Action, Bounds, Decision, Verdict, VerdictKind, Violation, violations_of
from portfolio.core.orders import Execution, Order, OrderState, Skipped, client_order_id
from portfolio.core.rebalance import Course, Leg, Target, plan_buys, plan_sells, set_course
from portfolio.core.waiting import NOTHING_WAITS, Waiting

_NOTHING = Decimal(0)
CUT_OFF = Violation("reply_is_complete", "the model was cut off at its output limit; answer more briefly")


class Overdrawn(ValueError):
    """Fills took more of an asset than the book held; nothing of the turn may be posted."""


class Seat(NamedTuple):
    """Who is asked, for what part of the season: the entry's portfolio key and its place in brief and board."""

    portfolio_key: str
    place: Place


class TurnRecord:
    """Everything a traded turn did. Values and fees in quote at the trade prices.

    `orders` is how many there were; `skipped` says what was wanted and not ordered, and why. What follows from the two
    books and the prices is reckoned when it is read: of a backtest's thousands of turns, few are.
    """

    def __init__(
        self,
        book_before: Book,
        book_after: Book,
        orders: int,
        course: Callable[[], tuple[Sequence[Execution], Sequence[Skipped]]],
        prices: Mapping[str, Decimal],
        symbols: Mapping[str, Symbol],
        quote: str,
    ) -> None:
        self.book_before, self.book_after, self.orders = book_before, book_after, orders
        self._course, self._prices, self._symbols, self._quote = course, prices, symbols, quote

    @cached_property
    def _done(self) -> tuple[Sequence[Execution], Sequence[Skipped]]:
        return self._course()

    @property
    def executions(self) -> tuple[Execution, ...]:
        return tuple(self._done[0])

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        return tuple(self._done[1])

    @cached_property
    def journals(self) -> tuple[Journal, ...]:
        """One per fill, in the order of execution."""
        return journals_of(self.executions, self._symbols)

    @cached_property
    def value_before(self) -> Decimal:
        return value_of(self.book_before, self._prices, self._symbols, self._quote)

    @cached_property
    def value_after(self) -> Decimal:
        return value_of(self.book_after, self._prices, self._symbols, self._quote)

    @cached_property
    def fees(self) -> Decimal:
        return value_of(_fees_of(self.executions), self._prices, self._symbols, self._quote)

    @property
    def unresolved(self) -> tuple[Order, ...]:
        """Orders whose outcome nobody knows yet: nothing of them is in the journals."""
        return tuple(e.order for e in self.executions if e.state is OrderState.NEW)

    @property
    def traded(self) -> Decimal:
        """Amount in quote that changed hands, buys and sells together."""
        return sum((fill.quote_amount for e in self.executions for fill in e.fills), _NOTHING)

    def __eq__(self, other: object) -> bool:
        return self._told() == other._told() if isinstance(other, TurnRecord) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of the books it names

    def __repr__(self) -> str:
        return f"TurnRecord{self._told()!r}"

    def _told(self) -> tuple[object, ...]:
        return self.book_before, self.executions, self.skipped, self.book_after, self.value_before, self.value_after


def brief_turn(
    seat: Seat,
    book: Book,
    market: Snapshot,
    symbols: Mapping[str, Symbol],
    board: Sequence[BoardLine],
    rules: Rules,
) -> Brief:
    """What this entry is shown: the first step of `decide_turn`, on its own for whoever has to send it away."""
    return build_brief(seat.place, market, book, symbols, board, rules.brief_summary)


def decide_turn[Shown](
    shown: Shown,
    book: Book,
    prices: Mapping[str, Decimal],
    symbols: Mapping[str, Symbol],
    rules: Rules,
    decide: Callable[[Shown, Sequence[Violation]], Answer | Decided | NoAnswer],
    halted: Collection[str] = (),
) -> Verdict:
    """Ask until a valid decision or the last repair, and say what counts. A failure is never a trade.

    `shown` is what is decided upon: a brief, or a candle's number for who reads candles as arrays. `prices` are those
    of that instant; what is `halted` has one and cannot be traded. `decide` is asked at most `1 + rules.repairs_max`
    times; from the second time on it is told what was wrong.
    """
    bounds = Bounds(
        limits=rules.limits,
        tradable=prices.keys() - set(halted) if halted else prices.keys(),
        quote=rules.quote,
        held=_Held(book, prices, symbols, rules.quote),
    )
    verdict = Verdict(VerdictKind.SILENT)
    objections: tuple[Violation, ...] = ()
    for _ in range(1 + rules.repairs_max):
        answer = decide(shown, objections)
        if isinstance(answer, NoAnswer):
            return verdict if objections else Verdict(VerdictKind.SILENT, reason=answer.reason)
        verdict = judge(answer, bounds)
        if verdict.is_valid:
            return verdict
        objections = kept(verdict.violations)
        verdict = replace(verdict, violations=objections)
    return verdict


class _Held(Mapping[str, Decimal]):
    """The weights of a book, reckoned when a rule looks at them: for most decisions none does."""

    def __init__(self, book: Book, prices: Mapping[str, Decimal], symbols: Mapping[str, Symbol], quote: str) -> None:
        self._of = book, prices, symbols, quote

    @cached_property
    def _weights(self) -> Mapping[str, Decimal]:
        return weights_of(*self._of)

    def __getitem__(self, name: str) -> Decimal:
        return self._weights[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)


def judge(answer: Answer | Decided, bounds: Bounds) -> Verdict:
    """The verdict on one reply: parsed, then held against every rule of the season.

    One that was cut off is rejected whatever it says: what the rest would have said, nobody knows.
    """
    if isinstance(answer, Decided):
        return _ruled(answer.decision, (), bounds)
    if answer.truncated:
        return Verdict(VerdictKind.REJECTED, None, (CUT_OFF,), "the reply is not complete")
    parsed = parse_reply(answer.text)
    if parsed.decision is None:
        return Verdict(VerdictKind.REJECTED, None, parsed.violations, "the reply could not be read", parsed.unwrapped)
    return _ruled(parsed.decision, parsed.unwrapped, bounds)


def _ruled(decision: Decision, unwrapped: tuple[str, ...], bounds: Bounds) -> Verdict:
    """The verdict on a decision that could be read."""
    violations = violations_of(decision, bounds)
    if violations:
        reason = f"{len(violations)} rule{'s' if len(violations) > 1 else ''} broken"
        return Verdict(VerdictKind.REJECTED, decision, violations, reason, unwrapped)
    kind = VerdictKind.HOLD if decision.action is Action.HOLD else VerdictKind.REBALANCE
    return Verdict(kind, decision, unwrapped=unwrapped)


def trade_turn(
    seat: Seat,
    book: Book,
    as_of: datetime,
    prices: Mapping[str, Decimal],
    symbols: Mapping[str, Symbol],
    rules: Rules,
    verdict: Verdict,
    broker: Broker,
    waiting: Waiting = NOTHING_WAITS,
) -> TurnRecord:
    """Carry out a verdict at later prices: sells, then buys from the real proceeds, then postings and valuation.

    Anything but a `rebalance` verdict places no order, and none is placed in a symbol that waits. Raises
    `MissingPrice` when a held asset has no price, `OutcomeUnknown` when the broker cannot say what happened,
    `Overdrawn` when fills exceed what was held.
    """
    if verdict.kind is not VerdictKind.REBALANCE or verdict.decision is None:
        value_of(book, prices, symbols, rules.quote)  # what cannot be valued is not settled, either
        return TurnRecord(book, book, 0, lambda: ((), ()), prices, symbols, rules.quote)
    target = Target(verdict.decision.weights, rules.quote, rules.drift_band)
    course = set_course(book, prices, symbols, target, rules.costs)
    if not waiting and isinstance(broker, PaperBroker) and broker.fills_as_planned(prices, rules.costs):
        # What placing the orders would bring is known to the last digit: they are placed when somebody reads of them.
        return TurnRecord(
            book,
            course.after,
            course.orders,
            lambda: (_both_sides(seat, course, broker), (*course.sells.skipped, *course.buys.skipped)),
            prices,
            symbols,
            rules.quote,
        )
    executions, skipped, after = _rebalance(seat, course, symbols, rules, broker, waiting)
    if short := overdrawn(after):
        raise Overdrawn(f"{seat.portfolio_key}: fills left less than nothing of {', '.join(short)}")
    return TurnRecord(book, after, len(executions), lambda: (executions, skipped), prices, symbols, rules.quote)


def _fees_of(executions: Sequence[Execution]) -> Book:
    """What was paid in fees, by asset."""
    fees: dict[str, Decimal] = {}
    for execution in executions:
        for fill in execution.fills:
            fees[fill.fee_asset] = fees.get(fill.fee_asset, _NOTHING) + fill.fee
    return Book({asset: fee for asset, fee in fees.items() if fee})


def journals_of(executions: Sequence[Execution], symbols: Mapping[str, Symbol]) -> tuple[Journal, ...]:
    """One journal per fill, in the order of execution."""
    return tuple(fill_journal(fill, symbols[fill.symbol]) for e in executions for fill in e.fills)


def _both_sides(seat: Seat, course: Course, broker: Broker) -> list[Execution]:
    """The orders of a course that is known to come out as planned, placed in their order."""
    sells = course.sells.legs
    return _place(seat, sells, 0, broker) + _place(seat, course.buys.legs, len(sells), broker)


def _rebalance(
    seat: Seat, course: Course, symbols: Mapping[str, Symbol], rules: Rules, broker: Broker, waiting: Waiting
) -> tuple[list[Execution], tuple[Skipped, ...], Book]:
    """Sells, then buys. What the planner expected of the sells is what most brokers do: then its buys are planned."""
    book, prices, target, sells, aim = course.book, course.prices, course.target, course.sells, course.aim
    if waiting.symbols:
        aim = waiting.left_as_it_is(aim)
        sells = plan_sells(book, prices, symbols, target, aim)
    sold = _place(seat, sells.legs, 0, broker)
    after_sells = fold(journals_of(sold, symbols), book)
    funded = waiting.without_reserve(after_sells)
    as_expected = not waiting.symbols and funded == course.funded
    buys = course.buys if as_expected else plan_buys(funded, prices, symbols, target, aim, rules.costs)
    bought = _place(seat, buys.legs, len(sells.legs), broker)
    return (
        sold + bought,
        (*waiting.skipped(target), *sells.skipped, *buys.skipped),
        fold(journals_of(bought, symbols), after_sells),
    )


def _place(seat: Seat, legs: Sequence[Leg], first: int, broker: Broker) -> list[Execution]:
    key, cycle = seat.portfolio_key, seat.place.cycle
    return [
        broker.place(Order(client_order_id(key, cycle, number), symbol, side, quantity, price))
        for number, (symbol, side, quantity, price) in enumerate(legs, start=first + 1)
    ]
