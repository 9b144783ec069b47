"""What is on record of orders sent to an exchange holds against any client: these tests go past Django's checks."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, InternalError, transaction
from django.db.models import Model

from portfolio.models import (
    AttemptChange,
    ExchangeTrade,
    Incident,
    Order,
    OrderAttempt,
    Portfolio,
    TradingHalt,
    VenueEpoch,
)
from tests.notation import D

NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def order(own_database: str) -> Order:
    portfolio = Portfolio.objects.create(key="season/entry", quote="USDT")
    return Order.objects.create(
        portfolio=portfolio,
        cycle_number=1,
        client_order_id="oo-1",
        symbol="BTCUSDT",
        side="buy",
        quantity=D(1),
        reference_price=D(100),
    )


def attempt(order: Order, number: int = 1, state: str = "sending", **changes: Any) -> OrderAttempt:
    given: dict[str, Any] = {
        "epoch": 1,
        "client_order_id": f"oo-1-001-{number:02d}",
        "claimed_at": NOW,
        "changed_at": NOW,
        "payload": "symbol=BTCUSDT",
        "timestamp_ms": 1_704_067_200_000,
        "recv_window_ms": 5000,
    }
    return OrderAttempt.objects.create(order=order, number=number, state=state, **{**given, **changes})


def refused(work: Callable[[], object]) -> str:
    with pytest.raises((IntegrityError, InternalError)) as error, transaction.atomic():
        work()
    return str(error.value)


def change(row: OrderAttempt, **values: Any) -> None:
    with transaction.atomic():
        OrderAttempt.objects.filter(id=row.id).update(**values)


def test_every_state_is_kept_with_its_instant_and_reason(order: Order) -> None:
    row = attempt(order)
    change(row, state="unknown", reason="no answer", changed_at=NOW)
    change(row, due_at=NOW)
    change(row, state="not_placed", reason="looked for twice", changed_at=NOW)
    kept = AttemptChange.objects.order_by("id").values_list("before", "after", "reason")
    assert list(kept) == [
        ("", "sending", ""),
        ("sending", "unknown", "no answer"),
        ("unknown", "not_placed", "looked for twice"),
    ]


def test_an_order_has_one_live_attempt_and_the_next_follows_only_a_dead_one(order: Order) -> None:
    first = attempt(order)
    assert "only what is provably dead" in refused(lambda: attempt(order, 2))
    change(first, state="unknown")
    assert "only what is provably dead" in refused(lambda: attempt(order, 2, "abandoned"))
    change(first, state="refused", refusal="declined")
    assert "only what is provably dead" in refused(lambda: attempt(order, 2))


@pytest.mark.parametrize("refusal", ["late", "wait", "keys"])
def test_an_order_that_was_refused_in_passing_may_be_tried_again(order: Order, refusal: str) -> None:
    change(attempt(order), state="refused", refusal=refusal)
    assert "number 3" in refused(lambda: attempt(order, 3))
    assert attempt(order, 2).state == "sending"


def test_an_attempt_neither_begins_nor_ends_by_itself(order: Order) -> None:
    assert "cannot begin as filled" in refused(lambda: attempt(order, state="filled"))
    row = attempt(order)
    change(row, state="acknowledged", exchange_order_id=7)
    assert "acknowledged and may not become not_placed" in refused(lambda: change(row, state="not_placed"))
    assert "may not become unknown" in refused(lambda: change(row, state="unknown"))
    assert "stays it" in refused(lambda: change(row, exchange_order_id=8))
    change(row, state="expired")
    assert "is expired and may not change" in refused(lambda: change(row, reason="better"))


@pytest.mark.parametrize(
    "values", [{"payload": "symbol=ETHUSDT"}, {"timestamp_ms": 1}, {"client_order_id": "x"}, {"number": 2}]
)
def test_the_request_of_an_attempt_never_changes(order: Order, values: dict[str, Any]) -> None:
    row = attempt(order)
    assert "the request of an attempt never changes" in refused(lambda: change(row, **values))


def test_what_is_sent_is_written_before(order: Order) -> None:
    assert "written_before_it_is_sent" in refused(lambda: attempt(order, payload=""))
    assert "written_before_it_is_sent" in refused(lambda: attempt(order, timestamp_ms=None))
    assert attempt(order, state="abandoned", payload="", timestamp_ms=None, recv_window_ms=None).number == 1


def trade(row: OrderAttempt, quantity: str, trade_id: str = "1-1") -> ExchangeTrade:
    amounts = {"quantity": D(quantity), "price": D(100), "quote_amount": D(quantity) * 100, "fee": D(0)}
    return ExchangeTrade.objects.create(
        attempt=row, symbol="BTCUSDT", trade_id=trade_id, fee_asset="BTC", at=NOW, **amounts
    )


def test_what_was_executed_is_the_sum_of_the_trades(order: Order) -> None:
    row = attempt(order)
    filled = {"state": "filled", "exchange_order_id": 7, "executed": D(1), "quote_amount": D(100)}
    assert "its trades come to 0" in refused(lambda: change(row, **filled))
    trade(row, "0.4")
    assert "its trades come to 0.4" in refused(lambda: change(row, **filled))
    trade(row, "0.6", "1-2")
    change(row, **filled)
    assert "exchange_trade_unique" in refused(lambda: trade(row, "0.6", "1-2"))


def test_nothing_of_it_can_be_taken_back(order: Order) -> None:
    row = attempt(order)
    rows: list[Model] = [
        row,
        trade(row, "1"),
        row.changes.get(),
        VenueEpoch.objects.create(number=1, began_at=NOW, reason="the beginning"),
        TradingHalt.objects.create(at=NOW, halted=True, reason="a look", who="operator"),
        Incident.objects.create(at=NOW, kind="order", subject="oo-1", sentence="it is gone"),
    ]
    for fact in rows:
        assert "append-only" in refused(
            lambda fact=fact: type(fact)._base_manager.filter(pk=fact.pk)._raw_delete("default")
        )


def test_a_switch_is_thrown_by_somebody_for_a_reason(own_database: str) -> None:
    for missing in ({"reason": ""}, {"who": ""}):
        given = {"at": NOW, "halted": True, "reason": "a look", "who": "operator", **missing}
        assert "by_somebody_for_a_reason" in refused(lambda given=given: TradingHalt.objects.create(**given))
