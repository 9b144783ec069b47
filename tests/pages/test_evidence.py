"""The cycle page and the entry page against the ledger: what they show is what is on record."""

import re
from decimal import Decimal

import pytest

from agents.core.baselines import BASELINES
from agents.core.offline import OFFLINE_MODELS
from agents.models import Agent
from competition.models import Entry, Turn
from competition.pages.behaviour import flows_of
from competition.pages.cycles import cycle_numbered
from competition.pages.exports import TABLES
from competition.pages.figures import money, quantity
from competition.pages.history import PAGE_LENGTH
from competition.pages.turns import TurnView, turn_page
from competition.pages.versions import versions_of
from competition.pages.words import VERDICT_MARKS
from portfolio.core.decisions import VerdictKind
from portfolio.models import Fill
from portfolio.queries import book_of
from tests.pages.reading import Page
from tests.pages.seasons import Played, running_season


def turn_of(played: Played, slug: str, number: int) -> Turn:
    return Turn.objects.select_related("entry__portfolio", "cycle").get(
        cycle__season=played.season, cycle__number=number, entry__slug=slug
    )


def evidence_of(played: Played, slug: str, number: int) -> TurnView:
    return turn_page(cycle_numbered(played.season, number), slug).turn


@pytest.mark.parametrize("slug", ["swinger", "random", "greedy", "equal-weight", "refuser"])
def test_the_book_after_the_last_turn_is_the_fold_of_the_postings(played: Played, slug: str) -> None:
    view = evidence_of(played, slug, 6)
    held = book_of(turn_of(played, slug, 6).entry.portfolio_id)
    assert {line.asset: line.after for line in view.book if line.after != "0"} == {
        asset: quantity(amount) for asset, amount in held.balances.items()
    }


@pytest.mark.parametrize("slug", ["swinger", "random", "sixty-forty"])
def test_the_book_after_one_turn_is_the_book_before_the_next(played: Played, slug: str) -> None:
    books = [evidence_of(played, slug, number).book for number in (4, 5)]
    after = {line.asset: line.after for line in books[0] if line.after != "0"}
    before = {line.asset: line.before for line in books[1] if line.before != "0"}
    assert after == before


def test_the_values_of_a_book_add_up_to_the_value_of_the_turn(played: Played) -> None:
    for entry in played.season.entries.all():
        view = evidence_of(played, entry.slug, 5)
        shown = sum(Decimal(line.value_after.replace(",", "")) for line in view.book)
        # each line is rounded to the cent, so the sum may be off by half a cent a line
        assert abs(shown - Decimal(view.value_after.replace(",", ""))) <= Decimal("0.005") * (len(view.book) + 1)


def test_every_fill_of_a_turn_is_on_its_page_with_its_fee_and_the_slippage_of_the_rules(played: Played) -> None:
    fills = Fill.objects.filter(order__portfolio__entry__season=played.season, order__cycle_number=3)
    assert fills
    markup = {slug: played.get(f"c/3/e/{slug}/") for slug in {fill.order.portfolio.entry.slug for fill in fills}}
    for fill in fills:
        shown = markup[fill.order.portfolio.entry.slug]
        assert f"{quantity(fill.fee)} {fill.fee_asset}" in shown
        assert money(fill.quote_amount) in shown
    assert all("5.0 bp" in shown for shown in markup.values())


def test_a_rejected_reply_shows_every_rule_it_broke_and_its_weights(played: Played) -> None:
    rejected = Turn.objects.filter(
        cycle__season=played.season, entry__slug="greedy", verdict=VerdictKind.REJECTED.value
    ).first()
    assert rejected is not None
    view = evidence_of(played, "greedy", rejected.cycle.number)
    assert len(view.violations) == len(rejected.violations)
    assert view.weights
    assert not view.orders


def test_what_was_peeled_off_a_reply_is_noted(played: Played) -> None:
    peeled = Turn.objects.filter(cycle__season=played.season, cycle__number=1).exclude(unwrapped=[])
    assert {"code fence" in played.get(f"c/1/e/{turn.entry.slug}/") for turn in peeled} == {True}


def test_every_attempt_is_shown_the_unusable_ones_too(played: Played) -> None:
    refuser = evidence_of(played, "refuser", 2)
    assert len(refuser.attempts) == 1 + played.season.rule_book.repairs_max
    assert all("can't help" in attempt.reply for attempt in refuser.attempts)


@pytest.mark.parametrize("agents", [BASELINES, OFFLINE_MODELS])
def test_a_scripted_entry_says_what_it_does_in_the_words_of_its_code(played: Played, agents: dict) -> None:
    for entry in played.season.entries.select_related("agent"):
        if entry.agent.model in agents:
            words = agents[entry.agent.model].__doc__.strip().splitlines()[0].replace("`", "")
            assert words[:40] in Page(played.get(f"e/{entry.slug}/")).texts("q")[0]


def test_the_timeline_has_one_line_for_each_week_newest_first(played: Played) -> None:
    page = Page(played.get("e/latecomer/"))
    weeks = [text for text in page.texts("a") if text.startswith("Week ")]
    assert weeks == [f"Week {number}" for number in range(6, 0, -1)]


def test_trades_are_shown_a_page_at_a_time(played: Played) -> None:
    fills = Fill.objects.filter(order__portfolio=turn_of(played, "random", 1).entry.portfolio).count()
    shown = played.get("e/random/").partition('id="trades"')[2].count('class="side-')
    assert shown == min(fills, PAGE_LENGTH)


def test_every_verdict_has_a_word_and_a_shape_of_its_own() -> None:
    assert set(VERDICT_MARKS) == set(VerdictKind)
    assert len({mark[0] for mark in VERDICT_MARKS.values()}) == len(VERDICT_MARKS)
    assert len({mark[1] for mark in VERDICT_MARKS.values()}) == len(VERDICT_MARKS)


def test_the_cash_after_every_week_is_what_the_fills_left_of_the_capital(played: Played) -> None:
    for slug in ("swinger", "random", "sixty-forty"):
        portfolio = turn_of(played, slug, 1).entry.portfolio
        moved = sum(flow.cash for flow in flows_of(portfolio).values())
        assert played.season.rule_book.capital + moved == book_of(portfolio.pk).of(portfolio.quote)


def test_failures_of_an_entry_are_counted_by_week_and_lead_there(played: Played) -> None:
    rejected = Turn.objects.filter(entry__season=played.season, entry__slug="greedy", verdict=VerdictKind.REJECTED)
    weeks = [str(turn.cycle.number) for turn in rejected.select_related("cycle").order_by("-cycle__number")]
    page = Page(played.get("e/greedy/"))
    links = [link for link in page.all("a") if re.fullmatch(r"/s/played/c/\d/e/greedy/", link.attributes["href"] or "")]
    assert [link.text for link in links][: len(weeks)] == weeks
    assert "Broke the rule “total is one”" in page.texts("th", scope="row")
    assert "Nothing went wrong." in played.get("e/btc-hold/")


def test_an_entry_leads_to_a_comparison_and_to_files_of_its_own(played: Played) -> None:
    page = Page(played.get("e/swinger/"))
    (link,) = [tag for tag in page.all("a") if tag.text == "Compare with Bitcoin, held"]
    assert link.attributes["href"] == "/s/played/compare/?e=swinger&e=btc-hold"
    files = [tag.attributes["href"] for tag in page.all("a") if "/export/" in (tag.attributes["href"] or "")]
    assert len(files) == 2 * len(TABLES)
    assert all((address or "").endswith("?entry=swinger") for address in files)


def test_a_changed_agent_says_what_changed_and_where_each_version_played(played: Played) -> None:
    old = turn_of(played, "swinger", 1).entry.agent
    new = Agent.objects.create(
        slug=old.slug, version=old.version + 1, name=old.name, kind=old.kind, model="offline/steady", parameters={}
    )
    season = running_season("later")
    entry = season.entries.get(slug="swinger")
    Entry.objects.filter(pk=entry.pk).update(agent=new)
    newest, first = versions_of(new)
    assert (newest.number, newest.is_this, first.is_this) == (new.version, True, False)
    assert newest.changes[0] == f"model: {old.model} → offline/steady"
    assert [link.text for link in newest.seasons] == ["The running season"]
    assert first.changes == ()
    assert [link.href for link in first.seasons] == ["/s/played/e/swinger/"]
