"""The headline of the status page: it is well only when the weeks are."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from competition.core.states import CycleState
from competition.models import Cycle, Season
from competition.pages.status import StatusPage, status_page
from competition.services.asking import end_asking
from competition.services.closing import close_cycle
from competition.services.cycles import brief_cycle, open_due
from competition.services.markets import candles_of
from competition.services.ticking import heartbeat, paper_broker
from competition.services.trading import freeze_trade_prices, planned_trade_time, trade_cycle
from market.core.candles import Series, empty_series
from tests.pages.seasons import START, asking, running_season

pytestmark = pytest.mark.django_db
ATTENTION = "Something needs attention."
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)


def nothing(symbols: Sequence[str], first_close: datetime, last_close: datetime) -> dict[str, Series]:
    """A market that knows no candle."""
    return {symbol: empty_series(symbol, "1h") for symbol in symbols}


def status_at(now: datetime) -> StatusPage:
    heartbeat("second ticker", now)
    return status_page(now)


def closed(season: Season, due: datetime) -> Cycle:
    """The week that is due then, played through in silence."""
    (*_, cycle) = open_due(season.id, due)
    assert brief_cycle(cycle.id, due, candles_of(season.rule_book))
    assert end_asking(cycle.id, cycle.deadline_at, planned_trade_time)
    assert freeze_trade_prices(cycle.id, cycle.deadline_at, candles_of(season.rule_book))
    assert trade_cycle(cycle.id, lambda: cycle.deadline_at, paper_broker)
    assert close_cycle(cycle.id, cycle.deadline_at)
    return cycle


def held(season: Season, due: datetime) -> Cycle:
    cycle = open_due(season.id, due)[-1]
    brief_cycle(cycle.id, due, nothing)
    assert brief_cycle(cycle.id, cycle.deadline_at, nothing)
    return cycle


def test_a_week_under_way_in_time_is_well() -> None:
    cycle = asking(running_season())
    assert status_at(cycle.deadline_at).headline == "All is well."


def test_a_week_that_waits_for_long_for_its_snapshot_is_named_with_the_reason() -> None:
    cycle = open_due(running_season().id, START)[0]
    assert status_at(START + timedelta(seconds=60)).headline == "All is well."
    brief_cycle(cycle.id, START, nothing)
    page = status_at(START + HOUR / 2)
    assert page.headline == ATTENTION
    assert page.verdict.startswith("Week 1 of The running season still waits for its market snapshot, 28 minutes after")
    assert "no usable snapshot" in page.verdict


def test_a_week_that_asks_beyond_its_deadline_is_named() -> None:
    cycle = asking(running_season())
    page = status_at(cycle.deadline_at + HOUR)
    assert page.headline == ATTENTION
    assert page.verdict == "Week 1 of The running season is still asking, 1 hour after its deadline."


def test_a_week_that_trades_beyond_its_window_is_named() -> None:
    cycle = asking(running_season())
    assert end_asking(cycle.id, cycle.deadline_at, planned_trade_time)
    assert status_at(cycle.deadline_at + HOUR).headline == "All is well."
    page = status_at(cycle.deadline_at + 3 * HOUR)
    assert page.headline == ATTENTION
    assert "is still trading, 2 hours after the end of its trading window" in page.verdict


def test_a_week_without_its_board_is_named() -> None:
    cycle = asking(running_season())
    Cycle.objects.filter(id=cycle.id).update(state=CycleState.CLOSING)
    assert "Week 1 of The running season still has no board, 2 hours" in status_at(cycle.deadline_at + 3 * HOUR).verdict


def test_a_week_held_for_everybody_is_named_with_the_reason() -> None:
    cycle = held(running_season(), START)
    page = status_at(cycle.deadline_at + HOUR)
    assert page.headline == ATTENTION
    assert page.verdict.startswith("In The running season week 1 was held for everybody: no usable snapshot")


def test_weeks_that_were_missed_are_counted() -> None:
    season = running_season()
    held(season, START)
    open_due(season.id, START + 2 * WEEK + HOUR)
    page = status_at(START + 2 * WEEK + HOUR)
    assert page.headline == ATTENTION
    assert "In The running season the last 2 weeks passed without a decision; week 2 was missed: nobody" in page.verdict


def test_after_a_good_week_the_bad_ones_before_it_are_still_told() -> None:
    season = running_season()
    held(season, START)
    cycle = closed(season, START + WEEK)
    page = status_at(cycle.deadline_at + HOUR)
    assert page.headline == "All runs again."
    assert page.verdict == "Everything is running. Lately without a decision: week 1 of The running season."


def test_what_a_season_that_is_over_had_to_suffer_needs_nobody() -> None:
    season = running_season()
    held(season, START)
    season.state, season.closed_at = "closed", START + WEEK
    season.save()
    assert status_at(START + WEEK).headline == "All is well."
