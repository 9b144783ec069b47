"""The costs of a season: every cut of it adds up to the same total, to the last digit."""

from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from agents.models import Call, Charge, Price
from competition.pages import spend_tables
from competition.pages.costs import costs_page
from competition.pages.spend_tables import SpendLine, SpendTable
from competition.pages.spending import Spending, added, spent_in
from tests.pages.asked import CHEAP, ORACLE, PARROT, SCRIPT_MODEL, STRONG, Asked, ask_single, list_prices, set_budgets
from tests.pages.reading import Page
from tests.pages.seasons import asking, running_season

SUMMED = ("calls", "failed", "prompt", "cached", "completion", "reasoning", "tokens", "usd")


def tables_of(asked: Asked) -> dict[str, SpendTable]:
    return {table.slug: table for table in costs_page(asked.played.season, timezone.now()).tables}


def number(text: str) -> Decimal:
    return Decimal(0) if text == "–" else Decimal(text.replace(",", ""))


def assert_adds_up(table: SpendTable) -> None:
    for name in SUMMED:
        parts = sum((number(getattr(line, name)) for line in table.lines), Decimal(0))
        assert parts == number(getattr(table.foot, name)), (table.slug, name)


def test_the_lines_of_every_table_add_up_to_the_same_foot(asked: Asked) -> None:
    tables = tables_of(asked)
    assert list(tables) == ["provider", "model", "entry", "role", "week"]
    for table in tables.values():
        assert_adds_up(table)
    assert len({table.foot for table in tables.values()}) == 1


def test_the_total_is_the_sum_of_the_calls_on_record(asked: Asked) -> None:
    calls = list(Call.objects.filter(attempt__brief__turn__cycle__season=asked.played.season))
    total = spent_in(asked.played.season).total
    assert total == Spending(
        calls=len(calls),
        failed=sum(bool(call.error_class) for call in calls),
        worst=sum(call.charge == Charge.WORST for call in calls),
        prompt=sum(call.prompt_tokens or 0 for call in calls),
        cached=sum(call.cached_tokens or 0 for call in calls),
        completion=sum(call.completion_tokens or 0 for call in calls),
        reasoning=sum(call.reasoning_tokens or 0 for call in calls),
        tokens=sum(call.tokens_charged for call in calls),
        usd=sum((call.usd for call in calls), Decimal(0)),
        worst_usd=sum((call.usd for call in calls if call.charge == Charge.WORST), Decimal(0)),
    )
    assert isinstance(total.usd, Decimal)


def test_weeks_and_shares_are_two_cuts_of_one_sum(asked: Asked) -> None:
    spent = spent_in(asked.played.season)
    assert added(spent.weeks.values()) == spent.total
    assert list(spent.weeks) == [3, 2, 1]


def test_a_provider_is_what_stands_before_the_slash_and_a_script_is_labelled(asked: Asked) -> None:
    tables = tables_of(asked)
    assert {line.name: line.is_simulated for line in tables["provider"].lines} == {
        "anthropic": False,
        "openai": False,
        "offline": True,
    }
    assert {line.name for line in tables["model"].lines if line.is_simulated} == {SCRIPT_MODEL}
    assert "scripts answered those calls" in asked.get("costs/")


def test_an_entry_leads_to_its_page_and_a_week_to_its_cycle(asked: Asked) -> None:
    page = Page(asked.get("costs/"))
    assert page.all("a", href=f"/s/asked/e/{ORACLE.slug}/")
    assert page.all("a", href="/s/asked/c/3/")


def test_the_share_at_the_worst_case_is_of_the_usd(asked: Asked) -> None:
    spending = spent_in(asked.played.season).by(lambda share: share.role)["tokenomics"]
    assert spending.worst == spending.calls
    assert spending.worst_share == 1
    line = next(line for line in tables_of(asked)["role"].lines if line.name == "tokenomics analyst")
    assert line.worst == "100.0%"


def test_a_list_beyond_its_length_still_adds_up(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tables_of(asked)["role"]
    monkeypatch.setattr(spend_tables, "LINES_MAX", 2)
    cut = tables_of(asked)["role"]
    assert [line.name for line in cut.lines[2:]] == [f"{len(whole.lines) - 2} more"]
    assert cut.foot == whole.foot
    assert_adds_up(cut)


def test_the_dearest_comes_first(asked: Asked) -> None:
    lines: tuple[SpendLine, ...] = tables_of(asked)["model"].lines
    costs = [number(line.usd) for line in lines]
    assert costs == sorted(costs, reverse=True)


@pytest.mark.django_db
def test_what_is_left_is_the_cap_less_what_is_spent_and_set_aside() -> None:
    season = running_season()
    set_budgets("running", "momentum")
    budgets = {line.period: line for line in costs_page(season, timezone.now()).budgets}
    assert {line.entry.slug for line in budgets.values()} == {"momentum"}
    assert (budgets["season"].usd_left, budgets["season"].tokens_cap) == ("3.25", "no cap")
    today = budgets["today, all seasons"]
    assert (today.tokens_left, today.usd_left) == ("150,000", "–")


@pytest.mark.django_db
def test_what_an_agent_spent_today_in_another_season_is_not_told_as_of_this_one(client: Client) -> None:
    running_season()
    set_budgets("another", "momentum")
    page = Page.of(client.get("/s/running/costs/"))
    assert "Nothing has been set aside or spent in this season." in page.texts("p", class_="empty")
    assert not page.all("div", aria_label="Budgets")


def test_a_season_that_is_over_leaves_nothing_to_spend_and_has_no_week_under_way(asked: Asked) -> None:
    assert costs_page(asked.played.season, timezone.now()).budgets == ()
    text = asked.get("costs/")
    assert "What is left to spend" not in text
    assert "The week under way" not in text


@pytest.mark.django_db
def test_the_week_under_way_is_said_to_be_counted_before_the_board_has_it(client: Client) -> None:
    cycle = asking(running_season())
    calls = ask_single(cycle.turns.select_related("brief", "cycle", "entry").first(), list_prices()[STRONG])
    Call.objects.bulk_create(calls)
    text = client.get("/s/running/costs/").content.decode()
    assert "The week under way is counted here already; on the board, only when it is closed." in text
    assert "What is left to spend" in text


def test_the_price_list_names_every_row_and_which_is_in_force(asked: Asked) -> None:
    Price.objects.create(
        model=CHEAP, valid_from="2999-01-01T00:00Z", prompt_usd=1, completion_usd=1, cached_usd=1, source="an operator"
    )
    rows = costs_page(asked.played.season, timezone.now()).prices
    assert [row.standing for row in rows if row.model == CHEAP] == ["to come", "in force", "replaced"]
    assert {row.model for row in rows} == {STRONG, CHEAP, SCRIPT_MODEL}
    assert {row.model for row in rows if row.is_simulated} == {SCRIPT_MODEL}


@pytest.mark.django_db
def test_a_season_without_calls_says_so(client: Client) -> None:
    running_season()
    page = Page.of(client.get("/s/running/costs/"))
    assert page.texts("h1")[0].startswith("0.00 USD")
    assert any("No model has been called in this season" in text for text in page.texts("p"))
    assert not page.all("table", class_="figures spend")


def test_scripts_are_named_as_what_was_simulated_of_the_sum(asked: Asked) -> None:
    page = costs_page(asked.played.season, timezone.now())
    scripted = next(line for line in tables_of(asked)["entry"].lines if line.name == PARROT.name)
    assert number(page.simulated) == number(scripted.usd)


@pytest.mark.parametrize("address", ["/s/nope/costs/", "/s/%00/costs/"])
def test_costs_of_no_season_are_not_found(asked: Asked, client: Client, address: str) -> None:
    assert client.get(address).status_code == 404
