"""Operators make agents, seasons and entries, and open seasons. What happened they can read, and nothing else."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from agents.budget import caps_of
from agents.core.planned_calls import planned_calls
from agents.core.roster import Profile, house
from agents.models import Agent, AgentKind, Attempt, Brief
from competition.core.play import play
from competition.core.reliability import RunKind, RunResult
from competition.core.rules import Rules
from competition.core.states import SeasonState
from competition.models import Cycle, Entry, Heartbeat, ReliabilityRun, Season, Standing, Turn
from competition.services.loading import save_played_season
from competition.services.markets import candles_of
from competition.services.playing import contestants_for
from competition.services.projections import season_cost
from competition.services.reliability import keep_run
from competition.services.seasons import agent_for, draft_season, enter
from competition.services.ticking import heartbeat
from market.queries import listed_symbols
from portfolio.exchange_models import Reconciliation
from portfolio.models import Fill, Journal, Order, Portfolio, Posting, Valuation
from tests.databases import checked
from tests.pages.conftest import kept, without_contexts  # noqa: F401

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # collected static files are a matter of deployment
]

SEED = 3
UNIVERSE = ("BTCUSDT", "ETHUSDT")
FEW = tuple(one for one in house(SEED, UNIVERSE) if one.slug in ("all-cash", "btc-hold", "steady", "garbled"))
START = datetime(2024, 1, 1, tzinfo=UTC)
FACTS: list[type[Model]] = [
    *(Brief, Attempt, Portfolio, Journal, Posting, Order, Fill, Valuation),
    *(Cycle, Turn, Standing, Heartbeat, Reconciliation, ReliabilityRun),
]
every_fact = pytest.mark.parametrize("model", FACTS, ids=lambda model: model.__name__)
every_model = pytest.mark.parametrize("model", [*FACTS, Agent, Season, Entry], ids=lambda model: model.__name__)


def weekly_rules(**changes: Any) -> Rules:
    given = {
        "universe": UNIVERSE,
        "market_source": "synthetic",
        "market_starts_at": START,
        "starts_at": START,
        "cycles": 3,
    }
    return Rules.model_validate({**given, **changes})


def page(model: type[Model], kind: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}", args=args)


def draft_form(season: Season, **changes: Any) -> dict[str, Any]:
    """What a browser sends from the page of a draft whose rules are changed so; its entries are shown beside them."""
    entries = season.entries.count()
    shown = {"entries-TOTAL_FORMS": entries, "entries-INITIAL_FORMS": entries}
    return {"name": season.name, "rules": json.dumps({**season.rules, **changes}), **shown}


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def unrecorded() -> Iterator[None]:
    """For tests that ask for no context of a template."""
    with without_contexts():
        yield


@pytest.fixture(scope="module")
def played_once(kept: None) -> Season:
    rules = weekly_rules()
    season = draft_season("winter", "Winter", rules, FEW)
    heartbeat("second ticker", START)
    for epoch in (1, 2):
        Reconciliation.objects.create(at=START, epoch=epoch, seconds=1)
        keep_run(RunResult(RunKind.CHAOS, epoch, START, START, {"cycles ended": 9}, {"processes killed": 4}))
    course = play("winter", rules, listed_symbols(UNIVERSE), contestants_for(FEW), candles_of(rules))
    return checked(save_played_season(season, course, "the calendar has ended"))


@pytest.fixture
def played(played_once: Season, db: None) -> Season:
    """A closed season of three weeks: lists of a few rows are made as those of many are, and sooner."""
    return played_once


@pytest.fixture
def draft() -> Season:
    """A season that two agents have entered and nobody has opened."""
    return draft_season("spring", "Spring", weekly_rules(), house(SEED, UNIVERSE)[:2])


# Looking


@pytest.mark.usefixtures("unrecorded")
@every_model
def test_everything_can_be_listed_found_and_read(operator: Client, played: Season, model: type[Model]) -> None:
    row = model._default_manager.first()
    assert row
    for url in (page(model, "changelist"), page(model, "changelist") + "?q=1", page(model, "change", row.pk)):
        answer = operator.get(url)
        assert answer.status_code == 200


@pytest.mark.usefixtures("unrecorded")
@every_model
def test_a_longer_list_costs_no_more_queries(
    operator: Client, played: Season, draft: Season, model: type[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat("beat and worker", START)
    assert model._default_manager.count() > 1

    def queries(rows: int) -> int:
        monkeypatch.setattr(admin.site.get_model_admin(model), "list_per_page", rows)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            operator.get(page(model, "changelist"))
        return len(captured)

    assert queries(100) == queries(1) <= 12


@pytest.mark.parametrize("model", [Cycle, Turn, Standing, Valuation, Order, Fill], ids=lambda model: model.__name__)
def test_what_happened_in_a_cycle_links_to_its_public_page(
    operator: Client, played: Season, model: type[Model]
) -> None:
    assert '<a href="/s/winter/c/3/">' in operator.get(page(model, "changelist")).content.decode()


def test_briefs_and_attempts_link_to_the_cycle_they_were_for(operator: Client, played: Season) -> None:
    for row in (Brief.objects.order_by("id").first(), Attempt.objects.order_by("id").first()):
        assert row
        answer = operator.get(page(type(row), "change", row.pk))
        assert "/s/winter/c/1/" in answer.content.decode()


def test_facts_can_be_narrowed_down_by_date(operator: Client, played: Season) -> None:
    url = page(Cycle, "changelist") + "?due_at__year=2024&due_at__month=1&due_at__day=8"
    assert [cycle.number for cycle in operator.get(url).context["cl"].result_list] == [2]


def test_a_journal_shows_its_postings_and_an_order_its_fills(operator: Client, played: Season) -> None:
    funding = Journal.objects.filter(kind="funding").first()
    filled = Order.objects.filter(state="filled").first()
    assert funding
    assert filled
    text = operator.get(page(Journal, "change", funding.pk)).content.decode()
    assert text.count(">10000<") == text.count(">-10000<") == 1
    fill = filled.fills.get()
    assert fill.trade_id in operator.get(page(Order, "change", filled.pk)).content.decode()


def test_a_portfolio_shows_its_book_without_padding(operator: Client, played: Season) -> None:
    portfolio = Portfolio.objects.get(key="winter/all-cash")
    assert ">10000 USDT<" in operator.get(page(Portfolio, "change", portfolio.pk)).content.decode()


def test_strangers_are_sent_to_the_login(client: Client, played: Season) -> None:
    assert client.get(page(Turn, "changelist")).status_code == 302


# Facts


@pytest.mark.usefixtures("unrecorded")
@every_fact
def test_a_fact_is_neither_added_nor_changed_nor_deleted(operator: Client, played: Season, model: type[Model]) -> None:
    before = list(model._default_manager.order_by("pk").values())
    pk = before[0]["id"]
    assert operator.get(page(model, "add")).status_code == 403
    for url in (page(model, "add"), page(model, "change", pk), page(model, "delete", pk)):
        assert operator.post(url, {**dict.fromkeys(before[0], "1"), "post": "yes"}).status_code == 403
    operator.post(page(model, "changelist"), {"action": "delete_selected", "_selected_action": pk, "post": "yes"})
    assert list(model._default_manager.order_by("pk").values()) == before


# Agents


def test_an_agent_that_was_asked_stays_what_it_is(operator: Client, played: Season) -> None:
    agent = Agent.objects.get(slug="steady")
    text = operator.get(page(Agent, "change", agent.pk)).content.decode()
    assert 'name="_save"' not in text
    assert "&quot;seed&quot;: 3" in text
    assert (
        operator.post(
            page(Agent, "change", agent.pk), {"name": "Other", "kind": "single", "model": "offline/greedy"}
        ).status_code
        == 403
    )
    assert operator.post(page(Agent, "delete", agent.pk), {"post": "yes"}).status_code == 403


# Seasons


def test_an_operator_drafts_a_season_from_the_example(operator: Client) -> None:
    example = operator.get(page(Season, "add")).context["adminform"].form.initial["rules"]
    operator.post(page(Season, "add"), {"name": "Mine", "slug": "mine", "rules": example})
    season = Season.objects.get(slug="mine")
    assert season.state == SeasonState.DRAFT
    assert season.rules == Rules.model_validate_json(example).document()


def test_changed_rules_are_stored_in_their_normal_form(operator: Client, draft: Season) -> None:
    operator.post(page(Season, "change", draft.pk), draft_form(draft, capital="5000.00", max_weight=0.4))
    draft.refresh_from_db()
    assert (draft.rules["capital"], draft.rules["max_weight"]) == ("5000", "0.4")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"cycles": 0}, "cycles must be above 0"),
        ({"max_weight": "0.9", "min_cash": "0.2"}, "max_weight 0.9 and min_cash 0.2 contradict each other"),
        ({"universe": ["BTCUSDT", "XYZUSDT"]}, "universe: Unknown symbol 'XYZUSDT'. Listed: ADAUSDT"),
        ({"quote": "BTC"}, "universe: BTCUSDT, ETHUSDT cannot be bought with BTC"),
        ({"starts_at": "2024-01-01T00:00:00"}, "starts_at must be an instant, written like 2026-01-05T00:00:00Z"),
        ({"captial": "100"}, "captial is not a rule"),
        ({"capital": "NaN"}, "capital must be a number"),
    ],
)
def test_bad_rules_are_refused_beside_their_field(
    operator: Client, draft: Season, changes: dict[str, Any], problem: str
) -> None:
    answer = operator.post(page(Season, "change", draft.pk), {**draft_form(draft, **changes), "name": "Renamed"})
    assert any(problem in said for said in answer.context["adminform"].form.errors["rules"])
    text = answer.content.decode()
    typed, _, beside = text.partition('name="rules"')[2].partition("</textarea>")
    assert next(iter(changes)) in typed, "what was typed is still there"
    assert escape(problem) in beside
    draft.refresh_from_db()
    assert draft.name == "Spring"


def test_rules_that_are_no_json_are_refused_beside_their_field(operator: Client, draft: Season) -> None:
    answer = operator.post(page(Season, "change", draft.pk), {**draft_form(draft), "rules": "{universe: all}"})
    assert "This is not JSON: key must be" in str(answer.context["adminform"].form.errors["rules"])


def test_the_slug_stays_once_portfolios_are_named_after_it(operator: Client, draft: Season) -> None:
    renamed = {"name": "Summer", "slug": "summer"}
    operator.post(page(Season, "change", draft.pk), {**draft_form(draft), **renamed})
    draft.refresh_from_db()
    assert (draft.name, draft.slug) == ("Summer", "spring")


def test_an_agent_enters_a_draft_with_a_portfolio_of_its_own(operator: Client, draft: Season) -> None:
    agent = agent_for(house(SEED, UNIVERSE)[2])
    operator.post(page(Entry, "add"), {"season": draft.pk, "agent": agent.pk})
    entry = draft.entries.get(agent=agent)
    assert (entry.number, entry.slug, entry.portfolio.key) == (3, agent.slug, f"spring/{agent.slug}")
    assert operator.post(page(Entry, "change", entry.pk), {"agent": 1}).status_code == 403
    assert operator.post(page(Entry, "delete", entry.pk), {"post": "yes"}).status_code == 403


def test_nobody_enters_twice(operator: Client, draft: Season) -> None:
    agent = Agent.objects.get(slug="all-cash")
    answer = operator.post(page(Entry, "add"), {"season": draft.pk, "agent": agent.pk})
    assert "each agent enters once" in str(answer.context["adminform"].form.errors["agent"])
    assert draft.entries.count() == 2


def test_a_rule_that_a_brief_shows_too_little_is_not_entered(operator: Client, draft: Season) -> None:
    slow = Agent.objects.create(slug="slow", name="Slow", kind=AgentKind.BASELINE, model="rule/ema-cross")
    answer = operator.post(page(Entry, "add"), {"season": draft.pk, "agent": slow.pk})
    assert "needs 86 daily closes" in str(answer.context["adminform"].form.errors["agent"])
    short = {"fast": 3, "slow": 8}
    quick = Agent.objects.create(
        slug="quick", name="Quick", kind=AgentKind.BASELINE, model="rule/ema-cross", parameters=short
    )
    operator.post(page(Entry, "add"), {"season": draft.pk, "agent": quick.pk})
    assert [entry.slug for entry in draft.entries.order_by("number")][2:] == ["quick"]


def test_nobody_enters_a_season_that_is_under_way(operator: Client, played: Season) -> None:
    agent = Agent.objects.create(slug="late", name="Late", kind=AgentKind.SINGLE, model="offline/steady")
    answer = operator.post(page(Entry, "add"), {"season": played.pk, "agent": agent.pk})
    assert "season" in answer.context["adminform"].form.errors
    assert not Portfolio.objects.filter(key="winter/late").exists()


# Opening


def open_chosen(operator: Client, *seasons: Season, **more: str) -> Any:
    chosen = {"action": "open_chosen", "_selected_action": [season.pk for season in seasons], **more}
    return operator.post(page(Season, "changelist"), chosen, follow=True)


def test_opening_says_what_will_happen_and_waits_for_a_yes(operator: Client, draft: Season) -> None:
    answer = open_chosen(operator, draft)
    text = " ".join(answer.content.decode().split())
    assert weekly_rules().sha256 in text
    assert "2 entries get 10000 USDT each" in text
    assert "Cycle 1 is due on 2024-01-01 00:00 UTC, cycle 3 on 2024-01-15 00:00 UTC" in text
    assert "The first due date has passed" in text
    assert "Opening cannot be undone" in text
    assert " style=" not in text
    draft.refresh_from_db()
    assert draft.state == SeasonState.DRAFT


def test_opening_says_what_the_season_will_cost(operator: Client, draft: Season) -> None:
    assert "Nobody in it asks a model that costs anything." in open_chosen(operator, draft).content.decode()
    for profile in (
        Profile("firm", "Firm", "firm", "offline/steady"),
        Profile("dear", "Dear", "single", "openai/no-price"),
    ):
        enter(draft, agent_for(profile))
    text = " ".join(open_chosen(operator, draft).content.decode().split())
    assert "Asking the models is expected to cost" in text
    assert "<strong>It will not be asked:</strong> no price is known for openai/no-price" in text
    firm = season_cost(draft, planned_calls, caps_of(settings), START).entries[0]
    assert 0 < firm.cost.expected_usd < firm.cost.worst_usd
    assert f"<td>{firm.cost.expected_usd}</td> <td>{firm.cost.worst_usd}</td>" in text
    assert "Prices of offline models are made up" in text


def test_opening_warns_above_the_button_of_agents_that_will_not_be_asked(operator: Client, draft: Season) -> None:
    ready = " ".join(open_chosen(operator, draft).content.decode().split())
    assert 'class="warning"' not in ready
    assert f'<a href="{reverse("admin:agents_agent_changelist")}">list of agents</a>' in ready
    assert "manage.py doctor" in ready
    enter(draft, agent_for(Profile("dear", "Dear", "single", "openai/no-price")))
    enter(draft, agent_for(Profile("odd", "Odd", "single", "offline/steady", {"tries_max": 99})))
    text = " ".join(open_chosen(operator, draft).content.decode().split())
    unpriced, odd = text.split('<li class="warning">')[1:]
    assert "dear will not be asked:</strong> no price is known for openai/no-price. Set one under" in unpriced
    assert "manage.py set_price" in unpriced
    assert "odd will not be asked:</strong> 1 of its parameters cannot be used." in odd
    assert "manage.py set_price" not in odd
    assert odd.index("will not be asked") < odd.index("Yes, open")


def test_a_yes_opens_the_season_and_freezes_it(operator: Client, draft: Season) -> None:
    answer = open_chosen(operator, draft, confirmed="yes")
    draft.refresh_from_db()
    assert draft.state == SeasonState.OPEN
    assert f"Spring is open; its rules are frozen as {draft.rules_sha256}." in answer.content.decode()
    assert Journal.objects.filter(kind="funding", portfolio__entry__season=draft).count() == 2
    assert operator.get(page(Season, "change", draft.pk)).status_code == 200
    refused = operator.post(page(Season, "change", draft.pk), {**draft_form(draft), "name": "Other"})
    assert refused.status_code == 403


def test_a_season_nobody_entered_is_not_opened(operator: Client) -> None:
    empty = draft_season("empty", "Empty", weekly_rules(), ())
    assert "It has no entries" in open_chosen(operator, empty).content.decode()
    answer = open_chosen(operator, empty, confirmed="yes")
    assert "Empty was not opened. Season empty has no entries" in answer.content.decode()
    empty.refresh_from_db()
    assert empty.state == SeasonState.DRAFT


def test_a_season_is_opened_only_once(operator: Client, draft: Season, played: Season) -> None:
    text = open_chosen(operator, draft, played).content.decode()
    assert "It is closed; only a draft can be opened." in text
    assert "Yes, open" not in text
    open_chosen(operator, draft, confirmed="yes")
    answer = open_chosen(operator, draft, confirmed="yes")
    assert "Spring was not opened." in answer.content.decode()
    assert Journal.objects.filter(kind="funding", portfolio__entry__season=draft).count() == 2
