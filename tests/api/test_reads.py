"""What the API says of a season is what its pages say, unrounded, and says where it comes from."""

from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from competition.models import Standing
from competition.services.markets import candles_of
from portfolio.models import Fill, Posting
from portfolio.queries import books_of
from tests.api.asking import V1, data, get
from tests.pages.seasons import Played, running_season

# by path: how often the database is asked
READS = {
    "leaderboard": 4,
    "seasons": 1,
    "seasons/played": 2,
    "seasons/played/export": 3,
    "entries/swinger": 4,
    "entries/swinger/equity": 3,
    "cycles/3": 7,
    "cycles/3?entry=swinger": 8,
    "status": 11,
    "reliability": 9,
    "market/candles?symbol=BTCUSDT": 2,
    "market/price": 2,
    "market/indicators": 2,
    "portfolio/summary?entry=swinger": 6,
    "portfolio/positions?entry=swinger": 4,
    "portfolio/trades?entry=swinger": 4,
    "analysis/logs": 4,
    "analysis/logs?entry=swinger": 4,
    "backtest/runs": 1,
}


@pytest.mark.parametrize(("path", "queries"), READS.items())
def test_a_read_keeps_to_its_number_of_queries(
    played: Played, django_assert_num_queries: DjangoAssertNumQueries, path: str, queries: int
) -> None:
    with django_assert_num_queries(queries):
        data(path)
    assert queries <= 12


@pytest.mark.parametrize("path", READS)
def test_figures_come_with_the_season_its_mode_and_the_hash_of_its_rules(played: Played, path: str) -> None:
    found = data(path)
    if path in ("status", "reliability", "seasons", "backtest/runs"):
        return
    said = found["provenance"]
    assert (said["season"], said["mode"]) == ("played", "demo")
    assert said["rules_sha256"] == played.season.rules_sha256
    assert said["as_of"].endswith("Z")


def test_the_leaderboard_is_the_stored_one_in_its_order(played: Played) -> None:
    rows = data("leaderboard")["rows"]
    stored = Standing.objects.filter(cycle__season=played.season, cycle__number=6).order_by("position")
    assert [row["entry"]["slug"] for row in rows] == [row.entry.slug for row in stored.select_related("entry")]
    assert [Decimal(row["figures"]["value"]) for row in rows] == [row.value for row in stored]


def test_the_ledger_the_positions_and_the_last_point_of_the_curve_agree(played: Played) -> None:
    summary, positions = data("portfolio/summary?entry=swinger"), data("portfolio/positions?entry=swinger")
    curve = data("entries/swinger/equity")["items"]
    entry = played.season.entries.get(slug="swinger")
    held = {row["asset"]: Decimal(row["quantity"]) for row in positions["items"]}
    assert held == dict(books_of([entry.portfolio_id])[entry.portfolio_id].balances)
    assert Decimal(summary["value"]) == sum(Decimal(row["value"]) for row in positions["items"])
    assert Decimal(curve[-1]["value"]) == Decimal(summary["value"]).quantize(Decimal("1e-8"))
    assert Posting.objects.filter(portfolio=entry.portfolio).exists()


def test_pages_of_trades_follow_each_other_without_a_gap(played: Played) -> None:
    ids, path = [], "portfolio/trades?entry=swinger&limit=3"
    page = data(path)
    while page["next"]:
        ids += [row["id"] for row in page["items"]]
        page = data(f"{path}&before={page['next']}")
    ids += [row["id"] for row in page["items"]]
    stored = Fill.objects.filter(order__portfolio__entry__slug="swinger").order_by("-id").values_list("id", flat=True)
    assert ids == list(stored)


def test_pages_of_the_curve_follow_each_other_from_the_start(played: Played) -> None:
    first = data("entries/swinger/equity?limit=1")
    assert (first["items"][0]["cycle"], first["next"]) == (0, 0)
    assert [point["cycle"] for point in data("entries/swinger/equity?after=0")["items"]] == [1, 2, 3, 4, 5, 6]


def test_pages_of_turns_follow_each_other(played: Played) -> None:
    page = data("cycles/3?limit=5")
    rest = data(f"cycles/3?limit=40&after={page['next']}")
    slugs = [turn["entry"]["slug"] for turn in (*page["turns"], *rest["turns"])]
    assert slugs == list(played.season.entries.order_by("number").values_list("slug", flat=True))


def test_candles_end_at_the_present_of_the_season_and_go_back_without_a_gap(played: Played) -> None:
    page = data("market/candles?symbol=BTCUSDT&limit=5")
    assert page["items"][-1]["close_at"] == page["provenance"]["as_of"] == "2024-02-05T01:00:00Z"
    before = data(f"market/candles?symbol=BTCUSDT&limit=5&before={page['next']}")
    assert before["items"][-1]["close_at"] == page["items"][0]["open_at"] == page["next"]
    tomorrow = data("market/candles?symbol=BTCUSDT&limit=5&before=2030-01-01T00:00:00Z")
    assert tomorrow["items"] == page["items"], "what a made-up market will do was told"
    rules = played.season.rule_book
    assert candles_of(rules)(["BTCUSDT"], rules.starts_at, rules.starts_at)["BTCUSDT"].closes


def test_candles_end_where_entries_could_look_back_to(played: Played) -> None:
    last = data("market/candles?symbol=BTCUSDT&before=2023-12-02T03:00:00Z")
    assert (len(last["items"]), last["next"]) == (3, None)
    assert data("market/candles?symbol=BTCUSDT&before=0001-01-01T00:00:00%2B14:00")["items"] == []


def test_a_season_before_its_first_week_has_everybody_at_the_start(db: None) -> None:
    running_season("young")
    board = data("leaderboard?season=young")
    assert board["cycle"] == 0
    assert {row["figures"]["value"] for row in board["rows"]} == {"10000"}
    assert data("market/price?season=young")["items"] == []
    assert data("entries/steady?season=young")["figures"] is None
    assert data("portfolio/positions?season=young&entry=steady")["items"][0]["weight"] == "1"


def test_the_same_data_is_a_304_and_any_site_may_read_it(played: Played) -> None:
    first = get("leaderboard")
    again = get("leaderboard", if_none_match=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert first["Cache-Control"].startswith("public")
    assert first["Access-Control-Allow-Origin"] == "*"
    assert get("leaderboard", if_none_match='"another"').status_code == 200


def test_head_is_get_without_the_content(played: Played) -> None:
    head, whole = Client().head(V1 + "leaderboard"), get("leaderboard")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head["Content-Length"]) > 1000
    assert head["ETag"] == whole["ETag"]
