"""The first page of the admin says what runs, what is next, what failed, what it cost and who is alive."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.core.roster import house
from agents.models import Budget
from competition.models import Cycle, Season
from competition.services.seasons import draft_season, open_season
from competition.services.ticking import heartbeat
from portfolio.attempts import halt
from tests.test_admin import SEED, UNIVERSE, operator, weekly_rules  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def running() -> Season:
    """A season of three weeks whose first cycle is being asked, and whose second is due in six days."""
    starts_at = timezone.now().replace(microsecond=0) - timedelta(days=1)
    rules = weekly_rules(starts_at=starts_at, market_starts_at=starts_at)
    season = draft_season("spring", "Spring", rules, house(SEED, UNIVERSE)[:2])
    open_season(season.id, starts_at)
    due = {"due_at": starts_at, "opened_at": starts_at, "as_of": starts_at, "deadline_at": starts_at}
    Cycle.objects.create(season=season, number=1, state="asking", **due)
    return season


def text_of(operator: Client) -> str:
    answer = operator.get("/admin/")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_it_shows_the_running_and_the_next_cycle(operator: Client, running: Season) -> None:
    text = text_of(operator)
    assert '<span class="state">Asking</span>' in text
    assert "2, in 6 days" in text
    assert "1 of 3" in text


def test_it_shows_the_last_cycle_and_counts_it_among_the_failures(operator: Client, running: Season) -> None:
    Cycle.objects.update(state="held", closed_at=timezone.now() - timedelta(hours=2))
    text = text_of(operator)
    assert '<span class="state ">Held for all</span> 2 hours ago' in text
    failed = text.partition("cycles held or missed")[2]
    assert failed.startswith('</a> </th> <td class="number"> <span class="state state-bad">1</span>')


def test_it_shows_what_each_agent_used_of_its_day(operator: Client) -> None:
    day = timezone.now().date().isoformat()
    caps = {"tokens_cap": 1000, "usd_cap": Decimal(10)}
    Budget.objects.create(scope=f"day {day}/oracle", tokens_spent=700, tokens_reserved=50, usd_spent=1, **caps)
    Budget.objects.create(scope="day 2020-01-01/old", usd_spent=9, **caps)
    text = text_of(operator)
    assert "1 USD since midnight UTC" in text
    assert '<th scope="row">oracle</th> <td>750 of 1,000</td> <td>1 of 10</td>' in text
    assert 'value="0.7500"' in text
    assert ">old<" not in text


def test_it_shows_who_is_alive_who_is_silent_and_that_trading_is_halted(operator: Client) -> None:
    heartbeat("second ticker", timezone.now())
    heartbeat("beat and worker", timezone.now() - timedelta(hours=3))
    halt("prices look wrong", "ada", timezone.now())
    text = text_of(operator)
    assert '<span class="state state-bad">3 hours ago, silent</span>' in text
    assert "<strong>Trading is halted</strong>" in text
    assert "by ada: prices look wrong" in text


def test_every_link_of_it_leads_somewhere(operator: Client, running: Season) -> None:
    desk = operator.get("/admin/").content.decode().partition('<main class="desk">')[2].partition("</main>")[0]
    links = {unescape(link) for link in re.findall(r'href="(/[^"]+)"', desk)}
    assert "/admin/competition/entry/?season__state=open" in links
    for link in links:
        answer = operator.get(link, follow=True)
        assert answer.status_code == 200, link
        lost = [hop for hop, _ in answer.redirect_chain if "e=1" in hop]
        assert lost == [], f"{link} asks for what the list cannot be narrowed down by"


def test_more_seasons_cost_no_more_queries(operator: Client, running: Season) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text_of(operator)
        return len(captured)

    before = queries()
    for number in range(3):
        season = draft_season(f"more-{number}", f"More {number}", weekly_rules(), house(SEED, UNIVERSE)[:1])
        open_season(season.id, timezone.now())
    assert queries() == before <= 30


def test_who_may_see_no_cycles_is_shown_their_own_lists_alone(client: Client, running: Season) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_price"))
    client.force_login(clerk)
    text = text_of(client)
    assert "Open seasons" not in text
    assert "/admin/agents/price/" in text
    assert "/admin/competition/cycle/" not in text
