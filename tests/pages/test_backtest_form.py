"""Asking for a backtest through a page: what is told before, beside which field, and what visitors may not."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agents.models import Agent
from competition.models import Backtest, BacktestAsk
from competition.services import backtest_visitors
from competition.services.backtest_requests import BacktestRefused, BacktestWish
from competition.services.backtest_visitors import ASKS_MAX, ASKS_WITHIN, QUEUE_MAX, Visitor, ask_as
from competition.services.backtests import cancel
from tests.pages.reading import Page

pytestmark = pytest.mark.django_db

STRANGER, STAFF = Visitor("a"), Visitor("b", None, is_staff=True)
TYPED: dict[str, Any] = {
    "agents": ["equal-weight", "ema-cross"],
    "symbols": ["BTCUSDT", "ETHUSDT"],
    "source": "synthetic",
    "seed": "1",
    "first": "2024-01-01",
    "last": "2024-03-01",
    "timeframe": "1h",
    "every": "1w",
    "fill": "next_close",
    "capital": "10000",
    "fee_bps": "10",
    "slippage_bps": "5",
}


def wish(**changes: Any) -> BacktestWish:
    asked = BacktestWish(
        agents=("equal-weight",), symbols=("BTCUSDT",), first="2024-01-01", last="2024-02-01", source="synthetic"
    )
    return BacktestWish(**{**{name: getattr(asked, name) for name in asked.__slots__}, **changes})


def errors(page: Page) -> dict[str, str]:
    found = {
        str(tag.attributes["id"]).removeprefix("error-"): tag.text.strip() for tag in page.all("p", class_="error")
    }
    return {name: text for name, text in found.items() if text}


def a_model() -> Agent:
    return Agent.objects.create(slug="dear", name="Dear model", kind="single", model="openai/gpt-5", parameters={})


def test_the_form_says_what_it_will_take_before_anything_is_sent(client: Client) -> None:
    page = Page.of(client.get("/backtests/new/"))
    assert page.is_whole
    assert "It asks no model, so it costs nothing." in page.texts("strong")
    assert errors(page) == {}
    assert not page.all("input", id="ask-max_usd")


def test_sent_it_queues_one_and_leads_to_its_page(client: Client) -> None:
    response = client.post("/backtests/new/", TYPED)
    backtest = Backtest.objects.get()
    assert (response.status_code, response.headers["Location"]) == (302, f"/backtests/{backtest.key}/")
    assert (backtest.state, backtest.requested_via) == ("queued", "page")
    assert "127.0.0.1" not in backtest.client
    assert Page.of(client.get(f"/backtests/{backtest.key}/")).all("form", id="cancel")
    assert client.post(f"/backtests/{backtest.key}/cancel/").status_code == 302
    assert Backtest.objects.get().state == "cancelled"


def test_what_it_will_take_can_be_asked_without_scripts_and_starts_nothing(client: Client) -> None:
    response = client.post("/backtests/new/", {**TYPED, "check": "1"})
    assert (response.status_code, Page.of(response).is_whole) == (200, True)
    assert Backtest.objects.count() == 0


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"agents": []}, "agents", "at least one agent"),
        ({"agents": ["nobody"]}, "agents", "nobody cannot be chosen"),
        ({"symbols": []}, "symbols", "at least one symbol"),
        ({"first": "soon"}, "first", "is no date"),
        ({"last": "2023-01-01"}, "last", "must come after"),
        ({"capital": "-5"}, "capital", "above zero"),
        ({"capital": "4.99"}, "capital", "4.99 buys nothing: the smallest order"),
        ({"fee_bps": "much"}, "fee_bps", "is not a number"),
        ({"fee_bps": "-1"}, "fee_bps", "Fee must be at least 0."),
        ({"drift_band": "7"}, "drift_band", "Drift band must be at most 1."),
        ({"seed": "x"}, "seed", "whole number"),
        ({"source": "stored"}, "first", "Candles are missing: BTCUSDT, ETHUSDT have no 1h candle from"),
        ({"timeframe": "1d"}, "timeframe", "1h only"),
        ({"every": "candle", "last": "2026-01-01"}, "every", "visitors may ask for"),
        ({"last": "2099-01-01"}, "last", "more than the 300,000"),
    ],
)
def test_a_complaint_stands_beside_its_field_and_nothing_is_written(
    client: Client, change: dict[str, Any], field: str, said: str
) -> None:
    response = client.post("/backtests/new/", {**TYPED, **change})
    assert response.status_code == 422
    assert said in errors(Page.of(response))[field]
    part = Page.of(client.post("/backtests/new/check/", {**TYPED, **change}))
    (error,) = (tag for tag in part.all("p", id=f"error-{field}"))
    assert said in error.text
    assert error.attributes["hx-swap-oob"] == "true"
    assert not part.is_whole
    assert Backtest.objects.count() == 0


def test_costs_beyond_any_are_not_complained_of_as_a_band_nobody_typed(client: Client) -> None:
    response = client.post("/backtests/new/", {**TYPED, "fee_bps": "20000"})
    assert errors(Page.of(response)) == {"fee_bps": "Fee must be at most 1000."}


def test_only_staff_may_ask_whoever_costs_money(client: Client, admin_client: Client) -> None:
    a_model()
    assert "Dear model" in client.get("/backtests/new/").content.decode()
    assert (
        "cannot be chosen" in errors(Page.of(client.post("/backtests/new/", {**TYPED, "agents": ["dear"]})))["agents"]
    )
    with pytest.raises(BacktestRefused, match="only staff may ask"):
        ask_as(STRANGER, wish(agents=("dear",)), timezone.now())
    page = Page.of(admin_client.get("/backtests/new/?agent=dear"))
    assert page.all("input", id="ask-max_usd")
    assert "set_price" in errors(page)["agents"]  # nobody knows what it costs
    assert Backtest.objects.count() == 0


def test_a_clone_is_filled_with_what_was_asked(client: Client) -> None:
    client.post("/backtests/new/", {**TYPED, "capital": "777", "drift_band": "0.02"})
    key = Backtest.objects.get().key
    page = Page.of(client.get(f"/backtests/new/?from={key}"))
    (capital,), (band,) = page.all("input", id="ask-capital"), page.all("input", id="ask-drift_band")
    assert (capital.attributes["value"], band.attributes["value"]) == ("777", "0.02")
    ticked = {tag.attributes["value"] for tag in page.all("input", type="checkbox") if "checked" in tag.attributes}
    assert ticked == {"equal-weight", "ema-cross", "BTCUSDT", "ETHUSDT"}
    assert client.get("/backtests/new/?from=none").status_code == 404


def test_a_visitor_has_one_under_way_at_a_time_and_asking_for_the_same_again_is_none() -> None:
    now = timezone.now()
    first, _ = ask_as(STRANGER, wish(), now)
    assert ask_as(STRANGER, wish(), now + timedelta(seconds=1))[0] == first
    with pytest.raises(BacktestRefused, match=f"one under way already \\({first.key}\\)"):
        ask_as(STRANGER, wish(seed=2), now + timedelta(seconds=2))
    assert Backtest.objects.count() == 1
    assert ask_as(STAFF, wish(seed=2), now)[0].requested_via == "page"
    assert ask_as(Visitor("c"), wish(seed=3), now)[1]


def test_who_has_to_wait_is_told_beside_the_button_and_led_to_what_is_in_the_way(client: Client) -> None:
    client.post("/backtests/new/", TYPED)
    first = Backtest.objects.get()
    response = client.post("/backtests/new/", {**TYPED, "seed": "2"})
    page = Page.of(response)
    assert response.status_code == 409
    (told,) = page.all("p", id="wait")
    assert "You have one under way already" in told.text
    assert f"/backtests/{first.key}/" in [tag.attributes["href"] for tag in page.all("a")]
    assert set(errors(page)) == {"wait"}
    assert Backtest.objects.count() == 1


def test_the_pace_is_that_of_backtests_that_waited_for_no_model(client: Client) -> None:
    for seed, label, seconds in ((1, "no_model", 1.0), (2, "unknown", 10_000.0)):
        key = ask_as(STAFF, wish(seed=seed), timezone.now())[0].key
        Backtest.objects.filter(key=key).update(
            label=label, state="done", seconds=seconds, progress_total=100, finished_at=timezone.now()
        )
    assert "About 2 seconds, at the pace of the last one." in Page.of(client.get("/backtests/new/")).texts("strong")


def test_a_visitor_may_not_ask_all_day() -> None:
    now = timezone.now()
    for seed in range(ASKS_MAX):
        cancel(ask_as(STRANGER, wish(seed=seed), now + timedelta(seconds=seed))[0].key, now)
    with pytest.raises(BacktestRefused, match=r"Come back in \d+ minutes"):
        ask_as(STRANGER, wish(seed=99), now + timedelta(minutes=1))
    with pytest.raises(BacktestRefused, match="Come back"):  # one that was cancelled is work again
        ask_as(STRANGER, wish(seed=0), now + timedelta(minutes=1))
    assert BacktestAsk.objects.count() == ASKS_MAX
    assert ask_as(STRANGER, wish(seed=99), now + ASKS_WITHIN + timedelta(seconds=1))[1]


def test_a_long_queue_takes_nobody_more() -> None:
    now = timezone.now()
    for seed in range(QUEUE_MAX):
        ask_as(STAFF, wish(seed=seed), now)
    with pytest.raises(BacktestRefused, match="as many as fit"):
        ask_as(STRANGER, wish(seed=99), now)
    assert Backtest.objects.count() == QUEUE_MAX


def test_too_many_agents_are_told_how_many_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest_visitors, "AGENTS_MAX", 1)
    with pytest.raises(BacktestRefused, match="Leave some out"):
        ask_as(STRANGER, wish(agents=("equal-weight", "ema-cross")), timezone.now())
