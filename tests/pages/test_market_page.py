"""A symbol's page: candles, everybody's trades, what models were told, who held it; and nothing ahead of its time."""

import json

import pytest
from django.test import Client

from agents.models import Brief
from competition.pages.history import PAGE_LENGTH
from competition.pages.market import MarketWish, market_page
from competition.pages.progress import progress_of
from market.core.candles import to_ms
from portfolio.models import Fill
from tests.pages.reading import Page
from tests.pages.seasons import Played, running_season


def test_candles_end_where_the_season_has_come_to(played: Played) -> None:
    end_s = to_ms(played.season.cycles.get(number=6).trade_as_of) // 1000
    for interval in ("1h", "4h", "1d"):
        data = json.loads(Page(played.get(f"m/BTCUSDT/?every={interval}")).all("script", id="candle-data")[0].text)
        assert len(data["seconds"]) == len(data["bars"]) > 10
        assert data["seconds"][-1] < end_s
        for opened, high, low, closed in (map(float, bar) for bar in data["bars"]):
            assert low <= min(opened, closed) <= max(opened, closed) <= high


def test_everybodys_trades_are_marked_and_listed_and_one_entrys_when_asked_for(played: Played) -> None:
    everyone = Page(played.get("m/ETHUSDT/"))
    fills = Fill.objects.filter(order__portfolio__entry__season=played.season, symbol="ETHUSDT")
    listed = len(everyone.all("td", class_="side-buy")) + len(everyone.all("td", class_="side-sell"))
    assert listed == min(PAGE_LENGTH, fills.count())
    marks = json.loads(everyone.all("script", id="candle-data")[0].text)["marks"]
    assert sum(int(mark["text"].split()[0]) for mark in marks) == fills.count()
    one = Page(played.get("m/ETHUSDT/?entry=swinger"))
    listed = len(one.all("td", class_="side-buy")) + len(one.all("td", class_="side-sell"))
    assert listed == fills.filter(order__portfolio__entry__slug="swinger").count()


def test_what_models_were_told_is_the_frozen_snapshot(played: Played) -> None:
    row = played.season.cycles.get(number=6).snapshot.content["symbols"]["BTCUSDT"]
    shown = [tag.text for tag in Page(played.get("m/BTCUSDT/")).all("td")]
    assert f"{float(row['price']):,.2f}" in shown


def test_who_held_it_is_what_the_briefs_said_that_each_did(played: Played) -> None:
    briefs = Brief.objects.filter(turn__cycle__season=played.season, turn__entry__slug="swinger")
    told = [brief.content["portfolio"]["holdings"].get("ETHUSDT") for brief in briefs.order_by("turn__cycle__number")]
    expected = [f"{float(held['weight']):.0%}" if held else "–" for held in told]
    assert any(held for held in told)
    page = market_page(played.season, "ETHUSDT", progress_of(played.season), MarketWish("1d", "", 1))
    (line,) = [line for line in page.held if line.entry.slug == "swinger"]
    assert page.weeks == tuple(range(1, played.weeks + 1))
    assert list(line.shares) == expected


def test_a_market_without_a_week_says_so(db: None, client: Client) -> None:
    running_season()
    markup = client.get("/s/running/m/BTCUSDT/").content.decode()
    assert "nobody has been told anything" in markup
    assert "Nobody has traded BTC." in markup


@pytest.mark.parametrize("path", ["m/NOPE/", "m/BTCUSDT/?every=2h", "m/BTCUSDT/?entry=nobody", "m/BTCUSDT/?trades=99"])
def test_what_there_is_not_leads_to_what_there_is(played: Played, client: Client, path: str) -> None:
    assert client.get(f"/s/played/{path}").status_code == 404
