"""The rules page leaves no rule out, and shows what the code does rather than what somebody remembers."""

import json

from django.test import Client

from agents.core.reply import ReplySchema, parse_reply
from competition.core.rules import Rules
from competition.core.states import CycleState, TurnState
from competition.pages.rule_texts import RULE_TEXTS, SECTIONS
from competition.pages.rules import CYCLE_FAILURES, DEMANDS, TURN_FAILURES, rules_page
from market.core.canonical import sha256_of
from portfolio.core.decisions import RULES, Bounds, violations_of
from tests.pages.reading import Page
from tests.pages.seasons import Played, rules_of


def test_every_field_of_the_rules_is_explained_once() -> None:
    assert sorted(text.field for text in RULE_TEXTS) == sorted(Rules.model_fields)
    assert {text.section for text in RULE_TEXTS} == set(SECTIONS)


def test_every_field_is_on_the_page_under_an_address_of_its_own(played: Played) -> None:
    page = Page(played.get("rules/"))
    assert [field for field in Rules.model_fields if not page.all("div", id=f"rule-{field}")] == []


def test_figures_on_the_page_are_those_of_the_season() -> None:
    rules = rules_of(4, capital="2500.50", fee_bps="7.5", max_weight="0.35", ask_s=5400)
    values = {text.field: text.value(rules) for text in RULE_TEXTS}
    assert values["capital"] == "2,500.50 USDT"
    assert values["fee_bps"] == "0.075% of the amount"
    assert values["max_weight"] == "35% of the portfolio"
    assert values["ask_s"] == "90 minutes"


def test_every_rule_of_a_decision_and_every_state_is_described() -> None:
    assert set(DEMANDS) == {rule.__name__ for rule in RULES}
    assert set(CYCLE_FAILURES) == set(CycleState)
    assert set(TURN_FAILURES) == set(TurnState)


def test_the_schema_shown_is_the_one_replies_are_read_with(played: Played) -> None:
    shown = next(tag.text for tag in Page(played.get("rules/")).all("pre") if "ReplySchema" in tag.text)
    assert json.loads(shown) == ReplySchema.model_json_schema()


def test_the_document_shown_has_the_hash_shown(played: Played) -> None:
    page = Page(played.get("rules/"))
    document = json.loads(page.all("pre")[-1].text)
    assert sha256_of(document) == played.season.rules_sha256
    assert played.season.rules_sha256 in page.texts("code", class_="hash")


def test_the_example_replies_are_valid_under_the_seasons_own_rules(played: Played) -> None:
    rules, page = played.season.rule_book, rules_page(played.season)
    bounds = Bounds(rules.limits, frozenset(rules.universe), rules.quote, {})
    for text in (page.example, page.hold_example):
        decision = parse_reply(text).decision
        assert decision is not None
        assert violations_of(decision, bounds) == ()


def test_the_page_says_what_it_cannot_tell(played: Played, client: Client) -> None:
    assert "What this cannot tell you" in client.get("/s/played/rules/").content.decode()


def test_a_missing_price_is_told_as_a_reason_for_not_being_asked(played: Played) -> None:
    page = Page(played.get("rules/"))
    assert "Not paid for" in page.texts("span", class_="mark mark-failed")
    assert any("a cap was reached, or a model has no price" in text for text in page.texts("dd"))
