"""The one path from brief to valuation. A failure is never a trade, and what was executed is booked as it was."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.core.answers import Answer, Decide, NoAnswer
from agents.core.baselines import BASELINES, rebalance_text
from agents.core.brief import Brief, Place
from agents.core.deciders import decider
from competition.core.engine import Overdrawn, Seat, TurnRecord, brief_turn, decide_turn, judge, trade_turn
from portfolio.core.book import Book, MissingPrice, fold, value_of
from portfolio.core.brokers import Broker, OutcomeUnknown, PaperBroker
from portfolio.core.decisions import Action, Bounds, Decision, Limits, Verdict, VerdictKind, Violation
from portfolio.core.orders import Execution, Order, OrderState
from portfolio.core.purchases import NO_CASH
from portfolio.core.rebalance import NO_PRICE
from tests.notation import (
    HOLD,
    MONDAY,
    B,
    D,
    P,
    R,
    ReplayingBroker,
    S,
    ScriptedBroker,
    W,
    fill,
    held,
    placed,
    rules,
    skips,
    snapshot,
    some,
)

SEAT = Seat("season/entry", Place(3, 4, "entry-01"))
SYMBOLS = S("BTC, ETH")
PRICES = "BTC 50000, ETH 2500"
LATER = MONDAY + timedelta(hours=1)
REFUSAL = "I'm sorry, but I can't help with that."
GREEDY = R("BTC 90%, ETH 60%")


@dataclass
class Agent:
    """Gives these answers one after the other, and remembers what it was told each time."""

    answers: Sequence[str | Answer | NoAnswer]
    told: list[list[str]] = field(default_factory=list)

    def __call__(self, brief: Brief, objections: Sequence[Violation]) -> Answer | NoAnswer:
        self.told.append([violation.rule for violation in objections])
        answer = self.answers[len(self.told) - 1]
        return Answer(answer) if isinstance(answer, str) else answer


def decide(decide: Decide, book: str = "10000 USDT", repairs_max: int = 1, **limits: str) -> Verdict:
    season, market = rules(repairs_max=repairs_max, **limits), snapshot(PRICES, "BTC, ETH")
    brief = brief_turn(SEAT, B(book), market, SYMBOLS, (), season)
    return decide_turn(brief, B(book), market.prices, SYMBOLS, season, decide)


def wanting(weights: str) -> Verdict:
    return Verdict(VerdictKind.REBALANCE, Decision(Action.REBALANCE, W(weights)))


def trade(verdict: Verdict, book: str | Book, broker: Broker | None = None, prices: str = PRICES) -> TurnRecord:
    owned = B(book) if isinstance(book, str) else book
    broker = broker or PaperBroker(P(prices), SYMBOLS, rules().costs, LATER)
    return trade_turn(SEAT, owned, LATER, P(prices), SYMBOLS, rules(), verdict, broker)


# Deciding


@pytest.mark.parametrize(("reply", "kind"), [(HOLD, VerdictKind.HOLD), (R("BTC 40%"), VerdictKind.REBALANCE)])
def test_a_valid_answer_counts_at_once(reply: str, kind: VerdictKind) -> None:
    agent = Agent([reply])
    assert decide(agent).kind is kind
    assert agent.told == [[]]


@pytest.mark.parametrize("repairs_max", [0, 1, 3])
def test_an_agent_is_asked_again_with_what_was_wrong_and_not_for_ever(repairs_max: int) -> None:
    agent = Agent([REFUSAL, GREEDY, REFUSAL, GREEDY, HOLD])
    verdict = decide(agent, repairs_max=repairs_max)
    assert verdict.kind is VerdictKind.REJECTED
    objections = [[], ["reply_is_readable"], ["total_is_one", "cash_above_floor", "turnover_below_cap"]]
    assert agent.told == [*objections, ["reply_is_readable"]][: 1 + repairs_max]


def test_a_repaired_answer_counts_and_ends_the_asking() -> None:
    agent = Agent([GREEDY, R("BTC 90%"), HOLD])
    assert decide(agent, repairs_max=3).decision == Decision(Action.REBALANCE, W("BTC 90%"))
    assert len(agent.told) == 2


@pytest.mark.parametrize("text", [HOLD, R("BTC 40%"), R("BTC 40%")[:-9], ""], ids=["hold", "rebalance", "cut", "empty"])
def test_a_reply_that_was_cut_off_is_rejected_whatever_it_says(text: str) -> None:
    verdict = judge(Answer(text, truncated=True), Bounds(Limits(), frozenset({"BTCUSDT"}), "USDT", {}))
    assert verdict.kind is VerdictKind.REJECTED
    assert verdict.decision is None
    assert [violation.rule for violation in verdict.violations] == ["reply_is_complete"]
    assert trade(verdict, "10000 USDT").executions == ()


def test_who_was_cut_off_is_asked_again_for_something_shorter() -> None:
    agent = Agent([Answer(R("BTC 90%"), truncated=True), R("BTC 40%")])
    assert decide(agent).decision == Decision(Action.REBALANCE, W("BTC 40%"))
    assert agent.told == [[], ["reply_is_complete"]]


def test_who_is_cut_off_every_time_never_trades() -> None:
    agent = Agent([Answer(R("BTC 90%"), truncated=True)] * 3)
    verdict = decide(agent, repairs_max=2)
    assert (verdict.kind, verdict.decision, verdict.reason) == (
        VerdictKind.REJECTED,
        None,
        "the reply is not complete",
    )
    assert trade(verdict, "10000 USDT").executions == ()


def test_the_last_rejection_stands_with_all_its_violations() -> None:
    verdict = decide(Agent([REFUSAL, R("BTC 90%, DOGE 60%")]))
    assert verdict.decision == Decision(Action.REBALANCE, W("BTC 90%, DOGE 60%"))
    assert [violation.rule for violation in verdict.violations] == [
        "symbols_are_listed",
        "total_is_one",
        "cash_above_floor",
        "turnover_below_cap",
    ]
    assert verdict.reason == "4 rules broken"


def test_who_says_nothing_is_silent_with_the_reason_and_is_not_asked_again() -> None:
    agent = Agent([NoAnswer("the runner is gone"), HOLD])
    assert decide(agent, repairs_max=3) == Verdict(VerdictKind.SILENT, reason="the runner is gone")
    assert len(agent.told) == 1


def test_when_the_repair_never_comes_the_rejection_stands() -> None:
    verdict = decide(Agent([GREEDY, NoAnswer("too late")]))
    assert verdict.kind is VerdictKind.REJECTED
    assert verdict.decision == Decision(Action.REBALANCE, W("BTC 90%, ETH 60%"))
    assert "too late" not in verdict.reason


def test_turnover_is_held_against_the_book_at_the_prices_shown() -> None:
    # 0.1 BTC of 10000 are 50 %; from there to 100 % ETH is a turnover of 1
    book = "5000 USDT, 0.1 BTC"
    assert decide(Agent([R("BTC 50%")]), book, repairs_max=0, max_turnover="0.1").is_valid
    verdict = decide(Agent([R("ETH 100%")]), book, repairs_max=0, max_turnover="0.9")
    assert [violation.rule for violation in verdict.violations] == ["turnover_below_cap"]


def test_a_symbol_without_a_price_in_this_cycle_cannot_be_asked_for() -> None:
    market = snapshot("BTC 50000", "BTC, ETH")
    brief = brief_turn(SEAT, B("1000 USDT"), market, SYMBOLS, (), rules())
    verdict = decide_turn(brief, B("1000 USDT"), market.prices, SYMBOLS, rules(repairs_max=0), Agent([R("ETH 10%")]))
    assert [violation.detail for violation in verdict.violations] == ["ETHUSDT cannot be traded in this cycle"]


@some
@given(st.lists(st.sampled_from([HOLD, GREEDY, REFUSAL, R("BTC 40%"), "late"]), min_size=6, max_size=6))
def test_the_first_valid_answer_counts_unless_one_fails_to_come_before_it(said: list[str]) -> None:
    agent = Agent([NoAnswer("late") if text == "late" else text for text in said])
    verdict = decide(agent, repairs_max=5)
    asked = said[: len(agent.told)]
    assert verdict.is_valid == (asked[-1] in (HOLD, R("BTC 40%")))
    assert all(text in (GREEDY, REFUSAL) for text in asked[:-1])
    assert (verdict.kind is VerdictKind.SILENT) == (asked == ["late"])


# Trading


@pytest.mark.parametrize("kind", [kind for kind in VerdictKind if kind is not VerdictKind.REBALANCE])
def test_a_failure_is_never_a_trade(kind: VerdictKind) -> None:
    broker = ScriptedBroker(P(PRICES))
    record = trade(replace(wanting("ETH 100%"), kind=kind), "100 USDT, 1 BTC", broker)
    assert broker.orders == []
    assert (record.executions, record.skipped, record.journals) == ((), (), ())
    assert record.book_after == record.book_before == B("100 USDT, 1 BTC")
    assert (record.value_before, record.value_after, record.fees, record.traded) == (50_100, 50_100, 0, 0)


def test_a_rebalance_without_a_decision_is_no_trade() -> None:
    assert trade(Verdict(VerdictKind.REBALANCE), "1 BTC").executions == ()


def test_a_rebalance_sells_first_and_is_posted_and_valued() -> None:
    record = trade(wanting("ETH 100%"), "1 BTC")
    # sold: 50000 * 0.9995 = 49975, fee 49.975: 49925.025; 19.94 ETH * 2500 * 1.0005 = 49874.925, fee 49.874925
    assert placed(record.executions) == ["sell 1 BTCUSDT: filled", "buy 19.94 ETHUSDT: filled"]
    assert held(record.book_after) == "19.94 ETH, 0.225075 USDT"
    assert record.book_after == fold(record.journals, record.book_before)
    assert record.traded == D("99849.925")
    assert record.fees == D("99.849925")
    assert record.value_before == 50_000
    assert record.value_after == D("49850.225075")  # 19.94 * 2500 + 0.225075


def test_order_ids_are_numbered_from_the_first_sell_to_the_last_buy() -> None:
    ids = [execution.order.client_order_id for execution in trade(wanting("ETH 100%"), "1 BTC").executions]
    assert [order_id[-9:] for order_id in ids] == ["-00003-01", "-00003-02"]


def test_buys_are_paid_from_what_the_sells_really_brought() -> None:
    half = ScriptedBroker(P(PRICES), {"BTCUSDT": (OrderState.PARTIAL, "0.5")})
    record = trade(wanting("ETH 100%"), "1 BTC", half)
    # 25000 came in; one ETH is planned at 2503.75125: 25000 / 2503.75125 = 9.98501.. -> 9.985
    assert placed(record.executions) == ["sell 1 BTCUSDT: partial", "buy 9.985 ETHUSDT: filled"]
    assert held(record.book_after) == "0.5 BTC, 9.985 ETH, 37.5 USDT"
    assert record.executions[0].reason == "partial by the venue"


@pytest.mark.parametrize("state", [OrderState.REJECTED, OrderState.EXPIRED])
def test_when_the_sell_does_not_happen_there_is_nothing_to_buy_with(state: OrderState) -> None:
    record = trade(wanting("ETH 100%"), "1 BTC", ScriptedBroker(P(PRICES), {"BTCUSDT": (state, "0")}))
    assert placed(record.executions) == [f"sell 1 BTCUSDT: {state}"]
    assert skips(record.skipped) == [f"buy 19.94 ETHUSDT: {NO_CASH}"]
    assert record.book_after == record.book_before
    assert record.journals == ()


def test_an_order_that_expired_in_part_is_booked_in_part() -> None:
    broker = ScriptedBroker(P(PRICES), {"ETHUSDT": (OrderState.EXPIRED, "0.25")}, fee_bps=D(10))
    record = trade(wanting("ETH 50%"), "10000 USDT", broker)
    # a quarter of 1.9985 ETH for 1249.0625, and 1.2490625 of fee
    assert placed(record.executions) == ["buy 1.9985 ETHUSDT: expired"]
    assert held(record.book_after) == "0.499625 ETH, 8749.6884375 USDT"
    assert (record.traded, record.fees) == (D("1249.0625"), D("1.2490625"))


def test_a_symbol_without_a_price_at_the_trade_is_skipped_with_the_reason() -> None:
    record = trade(wanting("BTC 40%, ETH 40%"), "10000 USDT", prices="BTC 50000")
    assert placed(record.executions) == ["buy 0.07995 BTCUSDT: filled"]
    assert skips(record.skipped) == [f"buy 0 ETHUSDT: {NO_PRICE}"]


@pytest.mark.parametrize("verdict", [wanting("ETH 100%"), Verdict(VerdictKind.HOLD)])
def test_a_held_asset_without_a_price_at_the_trade_stops_the_turn(verdict: Verdict) -> None:
    with pytest.raises(MissingPrice, match="1 BTC"):
        trade(verdict, "1 BTC", prices="ETH 2500")


def test_fills_that_took_more_than_there_was_are_not_posted() -> None:
    with pytest.raises(Overdrawn, match="season/entry: fills left less than nothing of USDT"):
        trade(wanting("ETH 100%"), "10000 USDT", ScriptedBroker(P(PRICES), fee_bps=D(100)))


class Venue:
    """Fills an order of bitcoin for ether's sake, with a fee as told."""

    venue = "odd"

    def __init__(self, fee: str) -> None:
        self.fee = fee

    def place(self, order: Order) -> Execution:
        amount = order.quantity * P(PRICES)[order.symbol]
        filled = fill(f"{order.side} {order.quantity} {order.symbol[:3]} for {amount}", self.fee)
        return Execution(order, OrderState.FILLED, (filled._replace(trade_id=order.client_order_id),))


def test_a_fee_in_the_base_asset_is_valued_at_its_price() -> None:
    record = trade(wanting("BTC 50%"), "10000 USDT", Venue("0.0001 BTC"))
    # 0.09992 BTC less 0.0001; the fee is worth 5
    assert held(record.book_after) == "0.09982 BTC, 5004 USDT"
    assert record.fees == 5


def test_a_fee_in_an_asset_that_nobody_has_is_overdrawn() -> None:
    with pytest.raises(Overdrawn, match="ETH"):
        trade(wanting("BTC 50%"), "10000 USDT", Venue("0.0001 ETH"))


def test_a_fee_of_nothing_in_an_asset_of_no_price_stops_nothing() -> None:
    assert trade(wanting("BTC 50%"), "10000 USDT", Venue("0 BNB")).fees == 0


class Unsure:
    venue = "unsure"

    def place(self, order: Order) -> Execution:
        raise OutcomeUnknown(order.client_order_id)


def test_an_unknown_outcome_is_not_guessed_at() -> None:
    with pytest.raises(OutcomeUnknown):
        trade(wanting("ETH 100%"), "1 BTC", Unsure())


@dataclass
class Breaking:
    """A venue behind which the process dies at the order of this number."""

    behind: Broker
    at: int
    venue: str = "breaking"

    def place(self, order: Order) -> Execution:
        self.at -= 1
        if self.at == 0:
            raise OutcomeUnknown("the process died")
        return self.behind.place(order)


@pytest.mark.parametrize("dies_at", [1, 2])
def test_a_turn_interrupted_at_any_order_is_finished_by_running_it_again(dies_at: int) -> None:
    whole = trade(wanting("ETH 100%"), "1 BTC", ScriptedBroker(P(PRICES), {"BTCUSDT": (OrderState.PARTIAL, "0.5")}))
    venue = ScriptedBroker(P(PRICES), {"BTCUSDT": (OrderState.PARTIAL, "0.5")})
    record: dict[str, Execution] = {}
    with pytest.raises(OutcomeUnknown):
        trade(wanting("ETH 100%"), "1 BTC", ReplayingBroker(record, Breaking(venue, dies_at)))
    assert trade(wanting("ETH 100%"), "1 BTC", ReplayingBroker(record, venue)) == whole
    assert len(venue.orders) == 2  # nothing was sent twice


weights = st.lists(st.integers(0, 100), min_size=3, max_size=3).filter(any)
holdings = st.builds(
    "{} USDT, {} BTC, {} ETH".format,
    st.decimals(0, 10_000, places=8),
    st.decimals("0.00000001", 2, places=8),
    st.decimals("0.00000001", 9, places=8),
)


@some
@given(holdings, weights)
def test_running_a_turn_again_from_the_record_gives_the_same_record(book: str, parts: list[int]) -> None:
    verdict = wanting(", ".join(f"{a} {D(p) * 100 / sum(parts)}%" for a, p in zip(("BTC", "ETH"), parts, strict=False)))
    record: dict[str, Execution] = {}
    paper = PaperBroker(P(PRICES), SYMBOLS, rules().costs, LATER)
    first = trade(verdict, book, ReplayingBroker(record, paper))
    again = ReplayingBroker(record, Unsure())
    assert trade(verdict, book, again) == first == trade(verdict, book)
    assert again.asked == 0


@some
@given(holdings, weights)
@example(book="0E-8 USDT, 1E-8 BTC, 1E-8 ETH", parts=[0, 0, 1])  # nothing to trade, and a zero in the book
def test_what_a_turn_costs_is_what_trading_costs(book: str, parts: list[int]) -> None:
    verdict = wanting(", ".join(f"{a} {D(p) * 100 / sum(parts)}%" for a, p in zip(("BTC", "ETH"), parts, strict=False)))
    record = trade(verdict, book)
    slipped = sum(
        (abs(f.price - e.order.reference_price) * f.quantity for e in record.executions for f in e.fills), Decimal(0)
    )
    assert record.value_before - record.value_after == pytest.approx(record.fees + slipped, abs=D("0.0000001"))
    assert record.book_after == fold(record.journals, B(book))
    assert record.value_after == value_of(record.book_after, P(PRICES), SYMBOLS, "USDT")
    assert all(amount > 0 for amount in record.book_after.balances.values())


@pytest.mark.parametrize("model", sorted(BASELINES))
def test_a_yardstick_pays_what_a_model_pays_for_the_same_decision(model: str) -> None:
    yardstick = decide(decider(model, {"weights": {"BTCUSDT": "0.6", "ETHUSDT": "0.4"}}))
    assert yardstick.is_valid
    weights = yardstick.decision.weights
    same = decide(Agent([rebalance_text(weights, "as the yardstick does") if weights else HOLD]))
    assert trade(same, "10000 USDT") == trade(yardstick, "10000 USDT")
