"""A backup is put back while the exchange knows what came after it: nothing is executed twice, nothing is lost."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from agents.core.answers import Answer, Question
from agents.core.roster import Profile
from competition.core.states import CycleState, TurnState
from competition.models import Cycle, Turn
from competition.services import executing, recovering
from market.core.exact import exact_sum
from portfolio.models import FoundOrder, Incident, Journal, OrderAttempt
from portfolio.queries import book_of
from portfolio.testnet import NoAnswer
from tests.live.audit import faults
from tests.live.stage import Stage, turn_of, weekly_rules
from tests.live.test_venue_fills import MINUTE, UNIVERSE, Line, Venue, play
from tests.simulation.dump import dump, restore
from tests.simulation.scratch import Scratch

ENTRY = "model"
BOOKED = "What belongs to no turn any more is booked."
MODEL = (Profile(ENTRY, "Model", "single", "offline/steady", {}),)


@pytest.fixture
def backup(own_database: str) -> Iterator[Callable[[], Callable[[], None]]]:
    """Keeps the record as it is; what is returned puts it back."""
    scratch = Scratch()

    def keep() -> Callable[[], None]:
        kept = scratch.keep("backup")
        return lambda: scratch.put_back(kept)

    yield keep
    scratch.forget_all()


def season(**changes: object) -> tuple[Stage, Venue]:
    rules = {"universe": UNIVERSE, "execution": "testnet", "slippage_bps": "30", "drift_band": "0.01", **changes}
    stage = Stage.set(weekly_rules(**rules), MODEL)
    wants(stage, BTCUSDT="0.4", ADAUSDT="0.4")
    return stage, Venue(stage)


def wants(stage: Stage, **weights: str) -> None:
    """From now on every model asks for these weights."""
    given = ", ".join(f'"{symbol}": {weight}' for symbol, weight in weights.items())

    async def ask(question: Question) -> Answer:
        return Answer(f'{{"action": "rebalance", "allocations": {{{given}}}}}')

    stage.ask = ask


async def says_nothing(question: Question) -> Answer:
    return Answer("")


def held_by_the_exchange(venue: Venue) -> dict[str, Decimal]:
    """What the account has gained of each base, whoever remembers it."""
    gained: dict[str, list[Decimal]] = {}
    for order in venue.far_end.log:
        base = order.symbol.removesuffix("USDT")
        for trade in order.trades:
            signed = trade.quantity if order.side == "buy" else -trade.quantity
            gained.setdefault(base, []).append(signed - (trade.fee if trade.fee_asset == base else 0))
    return {base: exact_sum(amounts) for base, amounts in gained.items()}


def ledger_is_the_exchange(stage: Stage, venue: Venue) -> bool:
    book = book_of(stage.season.entries.get().portfolio_id)
    return {asset: amount for asset, amount in book.balances.items() if asset != "USDT"} == {
        base: amount for base, amount in held_by_the_exchange(venue).items() if amount
    }


def test_a_week_whose_decision_was_lost_is_booked_and_sends_no_order_more(own_database: str) -> None:
    stage, venue = season(fills="venue")
    last_night = dump()
    play(stage, 1, 1)
    sent = len(venue.sent)
    assert sent > 0

    restore(last_night)
    wants(stage, BTCUSDT="0.1")  # something else than before
    stage.now += 15 * MINUTE
    stage.tick()  # still within the late window: the week is asked again
    cycle = stage.cycle(1)
    for at in (stage.now + MINUTE, cycle.deadline_at, cycle.deadline_at + MINUTE):
        stage.tick(at)
    assert stage.cycle(1).state == CycleState.CLOSED
    assert len(venue.sent) == sent
    assert FoundOrder.objects.booked().count() == sent
    assert Journal.objects.filter(kind="correction").count() == sent
    assert "carried out before the record was put back" in turn_of(stage, 1, ENTRY).trade_reason
    assert Incident.objects.filter(kind="found").count() == sent
    assert ledger_is_the_exchange(stage, venue)
    assert faults(stage.season, stage.now) == []


def test_a_dump_brings_the_guards_of_the_record_back_with_it(own_database: str) -> None:
    stage, _ = season()
    play(stage, 1, 1)
    restore(dump())
    assert faults(stage.season, stage.now) == []
    for edit in ("UPDATE portfolio_posting SET amount = amount", "DELETE FROM portfolio_posting"):
        with connection.cursor() as cursor, pytest.raises(DatabaseError, match="append-only"):
            cursor.execute(edit)


def test_a_turn_that_had_decided_goes_on_with_the_orders_it_had_sent(backup) -> None:
    stage, venue = season(fills="venue")
    traded = executing.begins_to_trade
    kept: list[Callable[[], None]] = []

    def just_before_trading(cycle: Cycle) -> bool:
        if not kept:
            kept.append(backup())
        return traded(cycle)

    executing.begins_to_trade = just_before_trading
    try:
        play(stage, 1, 1)
    finally:
        executing.begins_to_trade = traded
    sent, before = len(venue.sent), book_of(stage.season.entries.get().portfolio_id)

    kept[0]()
    assert Turn.objects.get().state == TurnState.DECIDED
    for minutes in (11, 12, 13, 14):
        stage.tick(stage.deadline(1) + minutes * MINUTE)
    assert len(venue.sent) == sent
    assert FoundOrder.objects.filter(goes_on=True).taken_up().count() == sent
    assert set(OrderAttempt.objects.values_list("state", flat=True)) == {"filled"}
    assert book_of(stage.season.entries.get().portfolio_id) == before
    assert not Journal.objects.filter(kind="correction").exists()
    assert faults(stage.season, stage.now) == []


def test_lost_weeks_are_missed_and_the_next_one_begins_from_what_they_bought(backup) -> None:
    stage, venue = season(fills="venue")
    play(stage, 1, 1)
    put_back = backup()
    wants(stage, BTCUSDT="0.1", ADAUSDT="0.6")
    play(stage, 2, 1)
    wants(stage, BTCUSDT="0.7")
    play(stage, 3, 1)
    sent = len(venue.sent)
    lost = OrderAttempt.objects.filter(order__cycle_number__gt=1, executed__gt=0).count()
    assert lost > 0

    put_back()
    assert not ledger_is_the_exchange(stage, venue)
    wants(stage, BTCUSDT="0.2")
    play(stage, 4, 1)
    assert [stage.cycle(number).state for number in (1, 2, 3, 4)] == ["closed", "missed", "missed", "closed"]
    assert FoundOrder.objects.booked().count() == lost
    assert len(venue.sent) > sent
    assert all("-00004-" in payload for payload in venue.sent[sent:])
    assert ledger_is_the_exchange(stage, venue)
    assert faults(stage.season, stage.now) == []


def test_what_a_lost_week_bought_is_found_in_a_week_in_which_nobody_trades(backup) -> None:
    stage, venue = season(fills="venue")
    play(stage, 1, 1)
    put_back = backup()
    wants(stage, BTCUSDT="0.1", ADAUSDT="0.6")
    play(stage, 2, 1)

    put_back()
    stage.ask = says_nothing
    play(stage, 3, 1)
    assert turn_of(stage, 3, ENTRY).verdict == "rejected"
    assert FoundOrder.objects.booked().exists()
    assert ledger_is_the_exchange(stage, venue)
    assert faults(stage.season, stage.now) == []


def test_proofs_beside_a_ledger_on_paper_are_not_sent_again(backup) -> None:
    stage, venue = season()
    put_back = backup()
    play(stage, 1, 1)
    sent = len(venue.sent)
    assert sent > 0
    put_back()
    stage.now += 15 * MINUTE
    stage.tick()
    cycle = stage.cycle(1)
    for at in (stage.now + MINUTE, cycle.deadline_at, cycle.deadline_at + MINUTE, cycle.deadline_at + 2 * MINUTE):
        stage.tick(at)
    assert len(venue.sent) == sent
    assert FoundOrder.objects.waiting().filter(goes_on=False).count() == sent
    assert not Journal.objects.filter(kind="correction").exists()
    assert faults(stage.season, stage.now) == []


def test_nothing_is_sent_while_a_lost_order_may_still_be_executed(backup) -> None:
    stage, venue = season(fills="venue")
    put_back = backup()
    play(stage, 1, 1)
    sent = len(venue.sent)
    put_back()
    lost = venue.far_end.log[0]
    lost.ends_ms = venue.far_end.now_ms() + 3 * 3_600_000
    stage.now += 15 * MINUTE
    stage.tick()
    cycle = stage.cycle(1)
    for at in (stage.now + MINUTE, cycle.deadline_at, cycle.deadline_at + MINUTE):
        stage.tick(at)
    assert len(venue.sent) == sent
    assert not FoundOrder.objects.exists()
    stage.tick(cycle.deadline_at + timedelta(hours=4))
    assert len(venue.sent) == sent
    assert faults(stage.season, stage.now) == []


def test_orders_of_somebody_else_in_the_account_are_left_alone(backup) -> None:
    stage, venue = season(fills="venue")
    play(stage, 1, 1)
    for order in venue.far_end.log:
        assert order.client_order_id.startswith("oo-")
    stranger = venue.far_end.log[0]
    stranger.client_order_id = "oo-0123456789ab-00001-01-001-01"
    play(stage, 2, 1)
    assert not FoundOrder.objects.exists()


def test_the_command_takes_over_at_once_what_is_missing(backup, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, venue = season(fills="venue")
    put_back = backup()
    play(stage, 1, 1)
    put_back()
    monkeypatch.setattr(recovering, "open_account", lambda: closing(Line(venue)))
    monkeypatch.setattr("competition.management.commands.recover.timezone.now", lambda: stage.now)
    told = [f"{one.client_order_id}: buy {one.executed.normalize():f} {one.symbol}" for one in venue.far_end.log]
    assert said() == [
        *told,
        f"{len(venue.sent)} orders were missing from the record. {BOOKED}",
    ]
    assert said() == ["Nothing is missing."]
    assert ledger_is_the_exchange(stage, venue)


def test_the_night_takes_over_what_is_missing_or_leaves_it_to_the_next(backup) -> None:
    stage, venue = season(fills="venue")
    put_back = backup()
    play(stage, 1, 1)
    put_back()
    with patch.object(Line, "all_orders", side_effect=NoAnswer("nothing came")):
        recovering.recover_by_night(stage.clock, lambda: closing(Line(venue)))
    assert not FoundOrder.objects.exists()
    recovering.recover_by_night(stage.clock, lambda: closing(Line(venue)))
    assert FoundOrder.objects.count() == len(venue.sent)
    assert ledger_is_the_exchange(stage, venue)


def said() -> list[str]:
    out = StringIO()
    call_command("recover", stdout=out)
    return out.getvalue().splitlines()


@pytest.mark.django_db
def test_without_keys_the_command_says_which_to_set() -> None:
    with pytest.raises(CommandError, match="Set BINANCE_API_KEY"):
        call_command("recover")
