"""Seasons on an exchange: fills of its own that come in time or late, and proofs beside a ledger on paper."""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from unittest.mock import patch

import pytest
from django.test import Client

from agents.core.roster import Profile
from competition.core.states import CycleState, TurnState
from competition.models import Revision, Standing
from competition.services.executing import desk_of, due_executions
from market.core.candles import to_ms
from portfolio import attempts
from portfolio.core.order_attempts import AttemptState
from portfolio.core.venue_answers import Outcome, RefusalClass, Refused, Unknown
from portfolio.exchange_models import Incident, OrderAttempt, VenueEpoch
from portfolio.models import Fill, Order, Valuation
from portfolio.queries import book_of
from portfolio.testnet import NoAnswer
from tests.live.audit import faults
from tests.live.planted import sql
from tests.live.stage import Stage, turn_of, weekly_rules
from tests.live.test_parity import ledger_text
from tests.schedules.hostile import HostileConnection, HostileExchange

pytestmark = pytest.mark.filterwarnings("ignore:No directory at")  # collected static files: a matter of deployment
MINUTE = timedelta(minutes=1)
EQUAL = (Profile("equal-weight", "Equal", "baseline", "baseline/equal-weight", {}),)
UNIVERSE = ("BTCUSDT", "ADAUSDT")


class Venue:
    """A good exchange whose answers about one symbol can be held back; `refuse` answers instead of it."""

    def __init__(self, stage: Stage) -> None:
        self.far_end = HostileExchange(random.Random(1), stage.clock, lambda line: None)
        self.far_end.dice.calm()
        self.dark = ""
        self.behind_s = 0.0  # how long its copies do not show what it took
        self.refuse: Outcome | None = None
        self.sent: list[str] = []
        stage.connect = lambda: Line(self)

    def is_dark(self, text: str) -> bool:
        return bool(self.dark) and self.dark in text


class Line(HostileConnection):
    def __init__(self, venue: Venue) -> None:
        super().__init__(venue.far_end, lambda where: None)
        self.venue = venue

    def send(self, payload: str, client_order_id: str) -> Outcome:
        self.venue.sent.append(payload)
        if self.venue.refuse is not None:
            return self.venue.refuse
        outcome = super().send(payload, client_order_id)
        return Unknown("no answer") if self.venue.is_dark(payload) else outcome

    def order(self, symbol: str, client_order_id: str):
        if self.venue.is_dark(symbol):
            raise NoAnswer("nothing came")
        return None if self._is_behind() else super().order(symbol, client_order_id)

    def all_orders(self, symbol: str, from_order_id: int):
        return () if self._is_behind() else super().all_orders(symbol, from_order_id)

    def trades(self, symbol: str, order_id: int):
        return () if self._is_behind() else super().trades(symbol, order_id)

    def _is_behind(self) -> bool:
        taken = [order.at_ms for order in self.venue.far_end.log]
        return bool(taken) and self.venue.far_end.now_ms() < taken[0] + self.venue.behind_s * 1000


def season(**changes: object) -> tuple[Stage, Venue]:
    rules = {"universe": UNIVERSE, "execution": "testnet", "slippage_bps": "30", "drift_band": "0.01", **changes}
    stage = Stage.set(weekly_rules(**rules), EQUAL)
    return stage, Venue(stage)


def play(stage: Stage, number: int, *minutes: float) -> None:
    stage.play_cycle(number)
    for later in minutes:
        stage.tick(stage.deadline(number) + later * MINUTE)


@contextmanager
def held_up(where: str, stage: Stage, minutes: float) -> Iterator[None]:
    """The first call of this function takes as long as that."""
    module, _, name = where.rpartition(".")
    function, calls = getattr(import_module(module), name), []

    def slow(*arguments: object) -> object:
        if not calls:
            stage.now += minutes * MINUTE
        calls.append(1)
        return function(*arguments)

    with patch(where, slow):
        yield


def text(path: str) -> str:
    return " ".join(Client().get(path).content.decode().split())


def test_fills_of_the_venue_are_in_the_ledger_as_the_exchange_made_them(own_database: str) -> None:
    stage, venue = season(fills="venue")
    play(stage, 1, 1)
    assert stage.cycle(1).state == CycleState.CLOSED
    theirs = {(f"1-{t.trade_id}", t.quantity, t.price, t.fee) for o in venue.far_end.log for t in o.trades}
    assert set(Fill.objects.values_list("trade_id", "quantity", "price", "fee")) == theirs
    assert all("type=LIMIT&timeInForce=IOC" in payload for payload in venue.sent)
    assert faults(stage.season, stage.now) == []


def test_an_order_that_nobody_answers_for_makes_a_board_provisional_and_a_revision_follows(own_database: str) -> None:
    stage, venue = season(fills="venue")
    venue.dark = "ADAUSDT"
    play(stage, 1, 1, 12, 61)
    turn = turn_of(stage, 1, "equal-weight")
    assert (stage.cycle(1).state, turn.state) == (CycleState.CLOSED, TurnState.PROVISIONAL)
    first = Standing.objects.current().get(cycle__number=1)
    assert "Provisional: equal-weight waits for the outcome of an order" in text("/s/stage/c/1/")
    assert "Provisional: equal-weight" in text("/s/stage/")
    assert faults(stage.season, stage.now) == []

    play(stage, 2, 1, 61)
    assert any("frozen" in skip["reason"] for skip in turn_of(stage, 2, "equal-weight").skipped)
    assert not Order.objects.filter(cycle_number=2, symbol="ADAUSDT").exists()
    assert len([payload for payload in venue.sent if "ADAUSDT" in payload]) == 1
    assert faults(stage.season, stage.now) == []

    venue.dark = ""
    stage.tick(stage.now + timedelta(hours=8))
    turn.refresh_from_db()
    assert turn.state == TurnState.SETTLED
    assert sorted(Revision.objects.values_list("cycle__number", "number")) == [(1, 2), (2, 2)]
    assert Standing.objects.current().get(cycle__number=1).revision == 2
    assert Standing.objects.filter(id=first.id, revision=1).exists()
    held = book_of(turn.entry.portfolio_id)
    assert held.of("ADA") == sum((f.quantity - f.fee for f in Fill.objects.filter(symbol="ADAUSDT")), Decimal(0))
    assert Valuation.objects.current().filter(cycle_number__gt=0).count() == 2
    assert "Revision 2 of" in text("/s/stage/c/1/")
    assert "Provisional" not in text("/s/stage/c/1/")
    assert faults(stage.season, stage.now) == []


@pytest.mark.parametrize("where", ["portfolio.attempts.paused_until", "portfolio.attempts.next_id"])
def test_an_order_is_claimed_at_the_instant_that_its_request_bears(own_database: str, where: str) -> None:
    """However long a process was held up before: the quiet time begins when the exchange could first take it."""
    stage, _ = season(fills="venue")
    with held_up(where, stage, minutes=11):
        play(stage, 1)
    sent = OrderAttempt.objects.exclude(payload="")
    assert sent.exists()
    for row in sent:
        assert abs(to_ms(row.claimed_at) - row.timestamp_ms) < 1000
        assert row.due_at is None or row.due_at >= row.claimed_at
    assert faults(stage.season, stage.now) == []


def test_whoever_is_held_up_until_the_trade_window_has_ended_sends_nothing(own_database: str) -> None:
    """Seed 400 of a long simulation: the deadline had been looked at, and the request bore an instant behind it."""
    stage, venue = season(fills="venue")
    with held_up("portfolio.attempts.next_id", stage, minutes=stage.season.rule_book.trade_window_s / 60 + 15):
        play(stage, 1, 80)
    assert venue.sent == []
    assert not Fill.objects.exists()
    assert faults(stage.season, stage.now) == []


def test_whoever_read_the_clock_before_an_attempt_was_refused_does_not_follow_it(own_database: str) -> None:
    stage, venue = season(fills="venue")
    venue.refuse = Refused(-1021, "Timestamp outside of the recvWindow.", RefusalClass.LATE)
    play(stage, 1)
    first = OrderAttempt.objects.order_by("id").first()
    request = attempts.Request("symbol=ADAUSDT", first.timestamp_ms, 5000, Decimal(1))
    before = first.changed_at - timedelta(seconds=1)
    with pytest.raises(attempts.Superseded, match="later than"):
        attempts.claim(first.order, first.number + 1, 1, request, stage.season.symbol_book, before, 600)


def test_whoever_dies_at_an_order_of_long_unknown_outcome_has_told_of_it_before(own_database: str) -> None:
    """Seed 352 of a long simulation: nobody looked for a week, and who then did was killed before it could tell."""
    stage, venue = season(fills="venue")
    venue.dark = "ADAUSDT"
    play(stage, 1, 1, 61)
    venue.dark = ""
    dies = patch("portfolio.testnet_broker.TestnetBroker._book", side_effect=RuntimeError("killed"))
    with dies, suppress(RuntimeError):
        stage.tick(stage.deadline(1) + timedelta(days=2))
    assert OrderAttempt.objects.get(state="ended").order.symbol == "ADAUSDT"
    assert Incident.objects.filter(kind="unresolved").exists()
    assert faults(stage.season, stage.now) == []


def test_an_order_that_was_taken_is_not_forgotten_as_long_as_copies_may_lag(own_database: str) -> None:
    stage, venue = season(fills="venue")
    venue.behind_s = 300
    play(stage, 1, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14)
    assert VenueEpoch.objects.count() == 1, "nothing was wiped"
    assert set(OrderAttempt.objects.values_list("state", flat=True)) == {AttemptState.FILLED}
    assert len(venue.sent) == len(venue.far_end.log) == len(UNIVERSE)
    assert faults(stage.season, stage.now) == []


def test_an_order_of_a_turn_set_aside_may_wait_between_two_looks_at_it(own_database: str) -> None:
    """Seed 300 of a long simulation: its only attempt was found dead, and the process died before it gave it up."""
    stage, venue = season(fills="venue")
    venue.dark = "ADAUSDT"
    play(stage, 1, 1, 61)
    sql("UPDATE competition_turn SET state = 'quarantined', unresolved = '[]' WHERE state = 'provisional'")
    sql("UPDATE portfolio_orderattempt SET state = 'not_placed' WHERE state = 'unknown'")
    assert not [fault for fault in faults(stage.season, stage.now) if "its turn has ended" in str(fault)]


def test_proofs_beside_the_ledger_change_nothing_in_it_and_are_shown_with_their_deviation(own_database: str) -> None:
    stage, venue = season()
    paper = Stage.set(weekly_rules(universe=UNIVERSE, slippage_bps="30", drift_band="0.01"), EQUAL, slug="paper")
    play(paper, 1)
    venue.dark = "ADAUSDT"
    play(stage, 1)
    assert stage.cycle(1).state == CycleState.CLOSED  # whatever the exchange does not say
    venue.dark = ""
    play(stage, 1, 12)
    ours, theirs = ledger_text("stage")["stage/equal-weight"], ledger_text("paper")["paper/equal-weight"]
    parts = [{piece for piece in line.split('"') if "oo-" not in piece} for line in (ours, theirs)]
    assert parts[0] ^ parts[1] == {"stage/equal-weight", "paper/equal-weight"}
    assert set(OrderAttempt.objects.values_list("state", flat=True)) == {"filled"}
    assert OrderAttempt.objects.filter(deviation_bps__isnull=False).count() == len(UNIVERSE)
    assert "buy ADAUSDT on the testnet:" in text("/s/stage/c/1/e/equal-weight/")
    assert faults(stage.season, stage.now) == []


def test_rules_that_were_frozen_before_there_was_a_choice_of_fills_are_looked_at_as_they_are_read(
    own_database: str,
) -> None:
    stage, venue = season()
    venue.dark = "ADAUSDT"
    play(stage, 1)
    due = due_executions()
    sql("UPDATE competition_season SET rules = rules - 'fills'")
    assert due_executions() == due == [stage.cycle(1).id]


def test_a_thrown_switch_keeps_every_new_order_back_and_says_why(own_database: str) -> None:
    stage, venue = season(fills="venue")
    attempts.halt("a look at the market", "ada", stage.now)
    play(stage, 1, 1, 61)
    assert stage.cycle(1).state == CycleState.CLOSED
    assert venue.sent == []
    assert "trading was halted: a look at the market" in turn_of(stage, 1, "equal-weight").trade_reason
    assert faults(stage.season, stage.now) == []


def test_a_refused_key_stops_everything_after_one_request(own_database: str) -> None:
    stage, venue = season(fills="venue")
    venue.refuse = Refused(-2015, "Invalid API-key, IP, or permissions for action.", RefusalClass.KEYS)
    play(stage, 1, 1, 2, 3, 61)
    assert len(venue.sent) == 1
    assert Incident.objects.filter(kind="stopped").count() == 1
    assert "refuses the key" in text("/status/")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "0.5 BTC wanted, and its ledger has 0"),
        ({"side": "buy", "quantity": Decimal("0.000001")}, "is not a quantity of BTCUSDT"),
        ({"side": "buy", "quantity": Decimal("0.0001")}, "below the exchange's minimum notional"),
        ({"side": "buy"}, "USDT wanted, and its ledger has 10000"),
    ],
)
def test_what_may_not_be_sent_is_never_sent_and_says_why(
    own_database: str, change: dict[str, object], reason: str
) -> None:
    stage, venue = season(fills="venue")
    stage.tick(stage.now)
    given = {"client_order_id": "oo-planted-00001-01", "symbol": "BTCUSDT", "side": "sell", "quantity": Decimal("0.5")}
    price = Decimal(100) if "quantity" in change else Decimal(40_000)
    row = Order.objects.create(
        portfolio=stage.season.entries.get().portfolio, cycle_number=1, reference_price=price, **{**given, **change}
    )
    with desk_of(stage.cycle(1), stage.clock, stage.connect) as desk:
        execution = desk.pursue(row)
    assert reason in execution.reason
    assert venue.sent == []
    assert row.attempts.get().state == AttemptState.ABANDONED
