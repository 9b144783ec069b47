"""A site and its weeks in every state they can be in, long before a season is finished."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client

from competition.core.states import CycleState
from competition.models import Cycle, Turn
from competition.services.asking import end_asking
from competition.services.closing import close_cycle
from competition.services.cycles import brief_cycle, open_due
from competition.services.leasing import lease_turns, round_of
from competition.services.markets import candles_of
from competition.services.settling import quarantine
from competition.services.ticking import paper_broker
from competition.services.trading import freeze_trade_prices, planned_trade_time, trade_cycle
from market.core.candles import Series, empty_series
from tests.pages.reading import Page
from tests.pages.seasons import START, asking, running_season

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def nothing(symbols: Sequence[str], first_close: datetime, last_close: datetime) -> dict[str, Series]:
    """A market that knows no candle."""
    return {symbol: empty_series(symbol, "1h") for symbol in symbols}


def page_of(cycle: Cycle, slug: str = "", **headers: str) -> Page:
    """The page of a cycle, or of one entry's turn in it."""
    address = f"/s/running/c/{cycle.number}/"
    response = Client().get(f"{address}e/{slug}/" if slug else address, headers=headers)
    assert response.status_code == 200
    return Page.of(response)


def everything_of(page: Page) -> str:
    return " ".join(" ".join(tag.text.split()) for tag in page.tags)


def at_the_deadline(cycle: Cycle) -> Cycle:
    assert end_asking(cycle.id, cycle.deadline_at, planned_trade_time)
    cycle.refresh_from_db()
    return cycle


def traded(cycle: Cycle) -> Cycle:
    """Past the deadline, everybody silent, and every turn carried out."""
    at_the_deadline(cycle)
    assert freeze_trade_prices(cycle.id, cycle.deadline_at, candles_of(cycle.season.rule_book))
    assert trade_cycle(cycle.id, lambda: cycle.deadline_at, paper_broker)
    cycle.refresh_from_db()
    return cycle


def test_before_the_first_season_the_home_page_says_what_to_do(client: Client) -> None:
    assert "load_demo" in client.get("/").content.decode()
    for path in ("/seasons/", "/status/", "/about/"):
        assert client.get(path).status_code == 200


def test_a_cycle_that_waits_for_its_snapshot_says_so_and_asks_again_by_itself() -> None:
    page = page_of(open_due(running_season().id, START)[0])
    assert "The market snapshot is being taken" in everything_of(page)
    assert page.all("div", id="progress")[0].attributes["hx-trigger"] == "every 5s"


def test_a_cycle_that_asks_counts_who_has_decided() -> None:
    cycle = asking(running_season())
    page = page_of(cycle)
    assert "0 of 13 have decided" in everything_of(page)
    assert "Being asked" in everything_of(page)
    assert "It has not been asked." in everything_of(page_of(cycle, "steady"))


def test_while_it_runs_htmx_gets_only_the_head_of_a_cycle() -> None:
    page = page_of(asking(running_season()), **HTMX)
    assert page.tags[0].attributes["id"] == "progress"
    assert not page.is_whole


def test_a_cycle_past_its_deadline_waits_for_the_one_price_snapshot() -> None:
    page = page_of(at_the_deadline(asking(running_season())))
    assert "Trading waits for the one price snapshot" in everything_of(page)
    assert "never asked while replies could be asked for" in everything_of(page)


def test_an_attempt_whose_asker_was_killed_is_given_up_and_not_waited_for() -> None:
    cycle = asking(running_season())
    asked = round_of(cycle.id, cycle.opened_at)
    assert asked is not None
    turn = cycle.turns.get(entry__slug="steady")
    assert lease_turns(asked, [turn.id], cycle.opened_at, uuid.uuid4)
    waiting = everything_of(page_of(cycle, "steady"))
    assert "Waiting" in waiting
    over = everything_of(page_of(at_the_deadline(cycle), "steady"))
    assert "whoever waited for the reply was gone" in over
    assert "Waiting" not in over


def test_a_cycle_that_trades_counts_what_is_settled() -> None:
    cycle = at_the_deadline(asking(running_season()))
    freeze_trade_prices(cycle.id, cycle.deadline_at, candles_of(cycle.season.rule_book))
    assert "0 of 13 are settled" in everything_of(page_of(cycle))


def test_a_cycle_whose_turns_are_settled_waits_for_its_board() -> None:
    cycle = traded(asking(running_season()))
    assert cycle.state == CycleState.CLOSING
    assert "The board is being written" in everything_of(page_of(cycle))


def test_a_closed_cycle_asks_no_more_and_sums_up_its_verdicts() -> None:
    cycle = traded(asking(running_season()))
    assert close_cycle(cycle.id, cycle.deadline_at)
    page = page_of(cycle)
    assert "13 were asked: 13 silent." in everything_of(page)
    assert "hx-trigger" not in page.all("div", id="progress")[0].attributes


def test_a_held_cycle_gives_the_reason_and_no_turns() -> None:
    season = running_season()
    cycle = open_due(season.id, START)[0]
    brief_cycle(cycle.id, START, nothing)
    assert "no usable snapshot" in everything_of(page_of(cycle))
    brief_cycle(cycle.id, cycle.deadline_at, nothing)
    page = page_of(cycle)
    assert "Held for all" in everything_of(page)
    assert "no usable snapshot" in everything_of(page)
    assert not page.all("details", class_="turn")


def test_a_missed_cycle_gives_the_reason_and_is_on_the_board_until_the_next() -> None:
    season = running_season()
    missed = open_due(season.id, START + timedelta(days=9, hours=1))[0]
    assert missed.state == CycleState.MISSED
    assert "the week passed while the system was down" in everything_of(page_of(missed))
    assert "opened late" not in everything_of(page_of(missed))


def test_a_cycle_that_opened_late_says_so() -> None:
    cycle = open_due(running_season().id, START + timedelta(hours=5))[0]
    assert "opened late" in everything_of(page_of(cycle))


def test_a_turn_set_aside_is_public_on_the_cycle_on_its_entry_and_on_the_status_page(client: Client) -> None:
    cycle = at_the_deadline(asking(running_season()))
    turn, token = cycle.turns.get(entry__slug="swinger"), uuid4()
    Turn.objects.filter(id=turn.id).update(token=token)
    quarantine(turn.id, token, "holds 12 USDT, expected 13 USDT", cycle.deadline_at)
    for address in ("/s/running/c/1/", "/s/running/e/swinger/", "/status/"):
        assert "holds 12 USDT, expected 13 USDT" in client.get(address).content.decode()


def test_the_board_names_a_week_that_is_under_way_beside_its_clock(client: Client) -> None:
    asking(running_season())
    page = Page.of(client.get("/s/running/"))
    assert "Week 1" in page.texts("dt")
    assert page.all("a", href="/s/running/c/1/")


def test_a_quiet_entry_has_a_page_with_its_start_capital(client: Client) -> None:
    running_season()
    page = Page.of(client.get("/s/running/e/swinger/"))
    assert "10,000.00 USDT" in everything_of(page)
    assert "It has not been asked yet" in everything_of(page)
    assert "It has never traded." in everything_of(page)
