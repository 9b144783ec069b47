"""A firm's week: six roles, what each handed on, where they disagree, and what risk took out of the proposal."""

import json
import uuid
from typing import Any

import pytest
from django.test import Client

from agents.models import Attempt, AttemptOutcome, Call
from competition.models import Turn
from competition.pages.called import role_word
from competition.pages.firm import STATUS_MARKS, firm_page
from competition.pages.minutes import ROLES
from tests.pages.asked import CHEAP, COUNCIL, STRONG, Asked
from tests.pages.deliberated import deliberation
from tests.pages.reading import Page
from tests.pages.seasons import HIDDEN, SCRIPT, TURNED

PATH = f"e/{COUNCIL.slug}/firm/1/"


def turn_of(asked: Asked, week: int = 1) -> Turn:
    return Turn.objects.get(cycle__season=asked.played.season, cycle__number=week, entry__slug=COUNCIL.slug)


def attempt_with(asked: Asked, content: Any, outcome: str = AttemptOutcome.ANSWERED, reason: str = "") -> Attempt:
    turn = turn_of(asked)
    last = turn.brief.attempts.latest("number")
    return Attempt.objects.create(
        brief=turn.brief,
        number=last.number + 1,
        run_token=uuid.uuid4(),
        started_at=last.started_at,
        lease_until=last.lease_until,
        ended_at=last.ended_at,
        outcome=outcome,
        reason=reason,
        deliberation=content,
    )


def test_six_roles_are_shown_each_with_its_model_time_cost_and_calls(asked: Asked) -> None:
    page = firm_page(asked.played.season, COUNCIL.slug, 1, "")
    assert [card.role for card in page.cards] == list(ROLES)
    assert {card.role: card.models for card in page.cards} == {
        role: (CHEAP,) if role in ("technical", "sentiment", "tokenomics") else (STRONG,) for role in ROLES
    }
    markup = Page(asked.get(PATH))
    for call in Call.objects.filter(attempt__deliberation__isnull=False, attempt__brief__turn=turn_of(asked)):
        assert markup.all("a", href=f"/calls/{call.id}/")


def test_a_missing_analyst_is_said_to_be_missing_and_why(asked: Asked) -> None:
    page = firm_page(asked.played.season, COUNCIL.slug, 1, "")
    missing = [card for card in page.cards if card.is_missing]
    assert [(card.role, card.mark.word, card.why) for card in missing] == [
        ("tokenomics", "No answer", "no complete reply within 10 seconds")
    ]
    assert page.quorum == "2 of 3 analysts were usable; the quorum is 2."


def test_what_the_risk_manager_cut_is_shown_before_and_after(asked: Asked) -> None:
    lines = {line.name: line for line in firm_page(asked.played.season, COUNCIL.slug, 1, "").weights}
    assert (lines["BTCUSDT"].proposed, lines["BTCUSDT"].after, lines["BTCUSDT"].cut) == (
        "50.0%",
        "35.0%",
        "−15.0 points",
    )
    assert (lines["SOLUSDT"].proposed, lines["SOLUSDT"].after) == ("30.0%", "0.0%")
    assert (lines["USDT, the rest"].proposed, lines["USDT, the rest"].after) == ("20.0%", "65.0%")
    assert len(Page(asked.get(PATH)).all("del")) == 2


def test_dissent_between_analysts_is_marked(asked: Asked) -> None:
    lines = {line.symbol: line for line in firm_page(asked.played.season, COUNCIL.slug, 1, "").stances}
    assert {symbol: line.is_disputed for symbol, line in lines.items()} == {"BTCUSDT": False, "SOLUSDT": True}
    assert [figure.text for figure in lines["SOLUSDT"].analysts] == ["+0.60", "−0.40", "–"]
    assert "dissent" in Page(asked.get(PATH)).texts("span", class_="kind kind-late")


def test_elapsed_time_is_from_the_first_call_to_the_last_and_cost_is_exact(asked: Asked) -> None:
    facts = dict(firm_page(asked.played.season, COUNCIL.slug, 1, "").facts)
    assert facts["From first call to last"] == "34.50 s"
    assert facts["All calls one after another"] == "47.30 s"
    calls = Call.objects.filter(attempt__deliberation__isnull=False, attempt__brief__turn=turn_of(asked))
    assert facts["Cost"] == f"{sum(call.usd for call in calls).normalize()} USD"


def test_the_words_of_every_role_are_text_and_nothing_more(asked: Asked) -> None:
    markup = asked.get(PATH)
    assert "&lt;script&gt;" in markup
    for forbidden in (SCRIPT, TURNED, HIDDEN):
        assert forbidden not in markup
    assert "Too much on a disputed view." in markup
    assert "whether Solana is overbought" in markup
    assert "prompt v1" in markup


def test_a_veto_shows_what_is_held_as_what_is_left(asked: Asked) -> None:
    content = deliberation()
    content["diff"] = {"BTCUSDT": ["0.5", "0"], "SOLUSDT": ["0.3", "0"]}
    content["roles"]["risk"]["output"] = {"ruling": "veto", "allocations": None, "rationale": "No."}
    attempt_with(asked, content)
    page = firm_page(asked.played.season, COUNCIL.slug, 1, "")
    assert page.ruling == "veto"
    assert [line.after for line in page.weights] == ["0.0%", "0.0%", "100.0%"]


def test_a_risk_manager_who_was_asked_twice_is_said_to_have_been_and_why(asked: Asked) -> None:
    content = deliberation()
    content["roles"]["risk"] |= {"asked": 2, "objected": "BTCUSDT at 0.6 is above the 0.5 of the proposal"}
    attempt_with(asked, content)
    told = Page(asked.get(PATH)).texts("p", class_="told")
    assert told == [
        "Asked twice. What was wrong with its first answer: BTCUSDT at 0.6 is above the 0.5 of the proposal"
    ]


def test_without_a_ruling_no_weight_is_said_to_be_left(asked: Asked) -> None:
    content = deliberation()
    content["diff"] = {}
    content["roles"]["risk"] |= {"status": "unusable", "why": "BTCUSDT is above the proposal", "output": None}
    attempt_with(asked, content, AttemptOutcome.NO_ANSWER, "nothing usable from the risk manager")
    page = firm_page(asked.played.season, COUNCIL.slug, 1, str(turn_of(asked).brief.attempts.latest("number").number))
    assert {line.after for line in page.weights} == {"–"}
    assert page.cards[-1].mark.word == "Not usable"
    assert page.reason == "nothing usable from the risk manager"


# Fewer than six calls


def uncalled(asked: Asked, attempt: Attempt) -> dict[str, str]:
    page = Page(asked.get(f"{PATH}?attempt={attempt.number}"))
    assert page.all("section", aria_labelledby="uncalled-title")
    names = {role_word(role).capitalize() for role in ROLES}
    lines = [line.split(": ", 1) for line in page.texts("li") if ": " in line]
    return {name: why for name, why in lines if name in names}


def test_where_all_six_were_called_nobody_is_said_to_be_missing(asked: Asked) -> None:
    assert firm_page(asked.played.season, COUNCIL.slug, 1, "").uncalled == ()
    assert not Page(asked.get(PATH)).all("section", aria_labelledby="uncalled-title")


def test_below_the_quorum_the_desk_is_named_with_the_reason_it_was_not_asked_for(asked: Asked) -> None:
    record = deliberation()
    for role in ("researcher", "trader", "risk"):
        record["roles"][role] = {"tier": "desk", "prompt": "v1", "status": "not asked", "why": "", "output": None}
    why = "1 of 3 analysts are usable, the quorum is 2"
    told = uncalled(asked, attempt_with(asked, record, AttemptOutcome.NO_ANSWER, why))
    assert {told[role] for role in ("Researcher", "Trader", "Risk manager")} == {f"not asked: {why}."}
    assert told["Tokenomics analyst"] == "no complete reply within 10 seconds."
    assert told["Technical analyst"] == "it answered, and the runner told of no call."


def test_without_a_record_all_six_are_named_with_what_is_known_of_the_attempt(asked: Asked) -> None:
    told = uncalled(asked, attempt_with(asked, None, AttemptOutcome.NO_ANSWER, f"the runner was ended {SCRIPT}"))
    assert len(told) == 6
    assert set(told.values()) == {f"nothing of it is on record: the runner was ended {SCRIPT}."}


def test_the_newest_answered_attempt_is_shown_first_and_the_others_are_linked(asked: Asked) -> None:
    failed = attempt_with(asked, None, AttemptOutcome.NO_ANSWER, "the runner was ended")
    page = firm_page(asked.played.season, COUNCIL.slug, 1, "")
    assert page.attempt == failed.number - 1
    markup = Page(asked.get(PATH))
    assert [tag.attributes["href"] for tag in markup.all("a") if "?attempt=" in str(tag.attributes.get("href"))] == [
        f"/s/asked/{PATH}?attempt={number}" for number in range(1, failed.number + 1)
    ]
    other = Page(asked.get(f"{PATH}?attempt={failed.number}"))
    assert "the runner was ended." in other.texts("p", class_="reason")
    assert {card.mark.word for card in firm_page(asked.played.season, COUNCIL.slug, 1, str(failed.number)).cards} == {
        "No record"
    }


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"roles": []},
        {"roles": {"trader": {"output": "buy"}}},
        {"roles": {"trader": {"output": {"action": ["x"]}, "status": "used"}}},
        {"roles": {"technical": {"output": {"stances": {"BTCUSDT": "NaN"}}}}},
        {"diff": {"BTCUSDT": ["0.5"]}},
        {"diff": {"BTCUSDT": ["1e999999999", "Infinity"]}},
        {"dissent": "none", "note": f"{SCRIPT}{TURNED}"},
        {"roles": {"risk": {"status": "<b>", "why": 7}}},
        {"quorum": 10**400},
    ],
)
def test_a_record_in_another_shape_is_shown_as_it_is_and_breaks_nothing(asked: Asked, content: Any) -> None:
    attempt_with(asked, content)
    markup = asked.get(PATH)
    assert SCRIPT not in markup
    assert TURNED not in markup
    assert len(Page(markup).all("ol", class_="firm")) == 1


def test_a_record_that_cannot_be_read_is_there_to_be_read(asked: Asked) -> None:
    attempt_with(asked, {"roles": ["who", "knows"]})
    shown = [json.loads(tag.text) for tag in Page(asked.get(PATH)).all("pre", class_="reply words")]
    assert shown == [{"roles": ["who", "knows"]}]


def test_every_status_of_a_role_has_a_word_and_a_shape_of_its_own() -> None:
    assert len({mark[0] for mark in STATUS_MARKS.values()}) == len(STATUS_MARKS)
    assert len({mark[1] for mark in STATUS_MARKS.values()}) == len(STATUS_MARKS)


@pytest.mark.parametrize(
    "path",
    [
        "e/oracle/firm/1/",
        "e/all-cash/firm/1/",
        "e/nobody/firm/1/",
        f"e/{COUNCIL.slug}/firm/0/",
        f"e/{COUNCIL.slug}/firm/4/",
        f"e/{COUNCIL.slug}/firm/{'9' * 40}/",
        f"{PATH}?attempt=0",
        f"{PATH}?attempt=99",
        f"{PATH}?attempt=%00",
        f"{PATH}?attempt=%D9%A1",
    ],
)
def test_what_is_no_firm_or_was_not_asked_is_not_found(asked: Asked, client: Client, path: str) -> None:
    response = client.get(f"/s/asked/{path}")
    assert response.status_code == 404
    assert not Page.of(response).all("table")


def test_a_week_the_firm_was_not_asked_in_leads_to_those_it_was(asked: Asked, client: Client) -> None:
    assert Page.of(client.get(f"/s/asked/e/{COUNCIL.slug}/firm/9/")).all("a", href=f"/s/asked/{PATH}")


def test_the_firm_can_be_reached_from_its_entry_and_from_its_weeks(asked: Asked) -> None:
    assert Page(asked.get(f"e/{COUNCIL.slug}/")).all("a", href=f"/s/asked/{PATH}")
    assert Page(asked.get(f"c/1/e/{COUNCIL.slug}/")).all("a", href=f"/s/asked/{PATH}")


def test_an_entry_names_the_models_of_its_tiers(asked: Asked) -> None:
    page = Page(asked.get(f"e/{COUNCIL.slug}/"))
    assert {"Model of the desk", "Model of the analysts"} <= set(page.texts("dt"))
    assert {STRONG, CHEAP} <= set(page.texts("code"))
