"""The page of a call: everything on record, word for word, with an arithmetic that a stranger can do again."""

import hashlib
import json
from decimal import Decimal
from itertools import pairwise

import pytest
from django.test import Client

from agents.core.calls import ErrorClass
from agents.models import Attempt, Call, Charge
from competition.pages.called import ERROR_WORDS, aligned_usd
from competition.pages.calls import call_numbered, call_page
from competition.pages.text import visible
from market.core.canonical import sha256_of
from tests.pages.asked import CHEAP, ORACLE, SCRIPT_MODEL, STRONG, Asked
from tests.pages.reading import Page
from tests.pages.seasons import HARM, HIDDEN, SCRIPT, TURNED


def page_of(call: Call) -> Page:
    response = Client().get(f"/calls/{call.id}/")
    assert response.status_code == 200
    return Page.of(response)


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def test_a_call_says_who_asked_which_model_in_which_week(asked: Asked) -> None:
    page = page_of(asked.call(role="single", number=2))
    assert page.texts("h1")[0].startswith("Single model")
    assert "try 2 of 4" in page.texts("small")
    assert page.all("a", href=f"/s/asked/e/{ORACLE.slug}/")
    assert page.all("a", href=f"/s/asked/c/1/e/{ORACLE.slug}/")
    assert STRONG in page.texts("code")


def test_messages_and_reply_are_word_for_word_in_blocks_of_their_own(asked: Asked) -> None:
    call = asked.call(role="single", number=2)
    page = page_of(call)
    shown = [tag.text for tag in page.all("pre", class_="reply words")]
    assert shown == [*(visible(message["content"]) for message in call.messages), visible(call.reply)]
    labels = {tag.attributes["aria-labelledby"] for tag in page.all("pre", class_="reply words")}
    assert labels == {"message-1", "message-2", "reply-title"}
    assert labels <= {tag.attributes.get("id") for tag in page.tags}


def test_nothing_of_a_call_is_markup_or_hides(asked: Asked) -> None:
    for call in asked.calls[:11]:
        markup = Client().get(f"/calls/{call.id}/").content.decode()
        assert SCRIPT not in markup
        assert TURNED not in markup
        assert HIDDEN not in markup
        assert not any("alert" in tag.text for tag in Page(markup).all("script"))


@pytest.mark.parametrize("charge", [Charge.USAGE, Charge.WORST])
def test_tokens_times_price_is_what_was_charged(asked: Asked, charge: Charge) -> None:
    for call in (call for call in asked.calls if call.charge == charge):
        cost = call_page(call_numbered(call.id)).cost
        assert sum(number(line.tokens) for line in cost.lines) == call.tokens_charged
        made = sum(number(line.tokens) * number(line.per_million) for line in cost.lines) / 1_000_000
        assert made == sum(number(line.usd) for line in cost.lines) == number(cost.sum)
        assert 0 <= call.usd - made < Decimal("0.000000001")
        assert not cost.problem


def test_what_was_never_sent_costs_nothing_and_says_why(asked: Asked) -> None:
    call = asked.call(charge=Charge.NOTHING)
    cost = call_page(call_numbered(call.id)).cost
    assert (cost.usd, cost.lines) == ("0.00", ())
    assert "no model of ours read it" in cost.basis
    assert "Nothing was sent." in call_page(call_numbered(call.id)).sentence


def test_the_price_is_the_row_it_was_charged_by_with_its_date(asked: Asked) -> None:
    cost = call_page(call_numbered(asked.call(requested_model=CHEAP, number=1).id)).cost
    assert cost.price_from is not None
    assert (cost.price_from.iso, cost.price_source) == ("2023-06-01T00:00:00Z", "price map 1.80")


def a_call_like(call: Call, **changes: object) -> Call:
    """Another call on the same attempt; the record is append-only, so it is a new row."""
    position = 1 + max(call.attempt.calls.values_list("position", flat=True))
    names = [field.attname for field in Call._meta.concrete_fields if field.attname != "id"]
    return Call.objects.create(**{name: getattr(call, name) for name in names} | {"position": position, **changes})


def test_a_charge_that_is_less_than_its_usage_says_so(asked: Asked) -> None:
    call = a_call_like(asked.call(role="single", number=2), usd=Decimal("0.001"))
    assert "no attempt is charged more than was set aside" in call_page(call_numbered(call.id)).cost.problem


def test_a_charge_that_is_more_than_its_usage_says_so(asked: Asked) -> None:
    call = a_call_like(asked.call(role="single", number=2), usd=Decimal(3))
    assert call_page(call_numbered(call.id)).cost.problem == "These lines do not make up what was charged."


def test_a_worst_case_that_was_all_that_was_left_shows_no_sum_that_is_not_one(asked: Asked) -> None:
    call = a_call_like(asked.call(charge=Charge.WORST), usd=Decimal("0.002"))
    cost = call_page(call_numbered(call.id)).cost
    assert (cost.lines, cost.usd, cost.problem) == ((), "0.002", "")


def test_the_worst_case_of_a_call_nobody_heard_of_again_is_still_explained(asked: Asked) -> None:
    call = a_call_like(asked.call(charge=Charge.WORST), parameters={}, error_class=ErrorClass.KILLED)
    lines = call_page(call_numbered(call.id)).cost.lines
    assert [(line.kind, line.tokens) for line in lines] == [
        ("Prompt, at most", "1,234"),
        ("Completion, at most", "4,000"),
    ]


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        ({"strategy": "text"}, ("form of the reply", "described in the messages alone")),
        ({"strategy": "json_schema"}, ("form of the reply", "a JSON schema, sent along")),
        ({"strategy": "tool"}, ("form of the reply", "a tool to be called with it")),
        ({"strategy": ["odd"]}, ("form of the reply", '["odd"]')),
        ({"dropped": ["seed", "max_output_tokens"]}, ("set, but not sent", "seed, max output tokens")),
        ({"max_output_tokens": 64}, ("max output tokens", "64")),
    ],
)
def test_how_a_call_was_set_up_is_said_in_words(
    asked: Asked, parameters: dict[str, object], shown: tuple[str, str]
) -> None:
    call = a_call_like(asked.call(role="single", number=2), parameters=parameters)
    assert call_page(call_numbered(call.id)).parameters == (shown,)


def test_a_call_without_a_price_says_so(asked: Asked) -> None:
    call = a_call_like(asked.call(charge=Charge.NOTHING), price_id=None)
    assert "No price was on the list" in Client().get(f"/calls/{call.id}/").content.decode()


@pytest.mark.parametrize(
    ("returned", "is_renamed"),
    [
        (STRONG, False),
        (STRONG.partition("/")[2], False),
        ("claude-strong-4-2024", True),
        ("strong-4", True),
        ("", False),
    ],
)
def test_a_model_of_another_name_is_marked(asked: Asked, returned: str, is_renamed: bool) -> None:
    call = a_call_like(asked.call(role="single", number=2), returned_model=returned)
    assert bool(page_of(call).all("span", class_="kind kind-late")) is is_renamed


def test_every_try_leads_to_its_neighbours(asked: Asked) -> None:
    tries = [call for call in asked.calls if call.attempt_id == asked.call(role="single", number=1).attempt_id]
    for before, after in pairwise(tries):
        assert page_of(before).all("a", href=f"/calls/{after.id}/", rel="next")
        assert page_of(after).all("a", href=f"/calls/{before.id}/", rel="prev")
    assert not page_of(tries[0]).all("a", rel="prev")
    assert not page_of(tries[-1]).all("a", rel="next")


def test_the_tries_of_a_role_are_counted_among_themselves(asked: Asked) -> None:
    again = asked.call(role="sentiment", number=2)
    assert "try 2 of 2" in page_of(again).texts("small")
    assert "try 1 of 1" in page_of(asked.call(role="risk")).texts("small")


def test_every_error_class_has_a_word_of_its_own_and_a_meaning(asked: Asked) -> None:
    assert set(ERROR_WORDS) == set(ErrorClass)
    assert len({word for word, _ in ERROR_WORDS.values()}) == len(ERROR_WORDS)
    page = call_page(call_numbered(asked.call(error_class=ErrorClass.RATE_LIMITED).id))
    assert page.sentence == ERROR_WORDS[ErrorClass.RATE_LIMITED][1]
    assert dict(page.facts)["HTTP status"] == "429"


def test_an_error_class_nobody_knows_is_shown_as_it_is(asked: Asked) -> None:
    call = a_call_like(asked.call(role="single", number=1), error_class="strange")
    assert call_page(call_numbered(call.id)).mark.word == "strange"


def test_a_reply_that_was_cut_off_is_said_not_to_count(asked: Asked) -> None:
    page = call_page(call_numbered(asked.call(finish_reason="length").id))
    assert page.mark.word == "Cut off"
    assert "does not count" in page.sentence


def test_a_simulated_call_is_labelled_and_a_real_one_is_not(asked: Asked) -> None:
    scripted = page_of(asked.call(requested_model=SCRIPT_MODEL, number=2))
    assert "simulated" in scripted.texts("span", class_="kind kind-simulated")
    assert not page_of(asked.call(requested_model=STRONG, number=2)).all("span", class_="kind kind-simulated")


def test_the_whole_record_has_the_hashes_that_are_shown(asked: Asked) -> None:
    call = asked.call(role="single", number=2)
    response = Client().get(f"/calls/{call.id}/call.json")
    assert response.headers["Content-Type"].startswith("application/json")
    record = json.loads(response.content)
    hashes = page_of(call).texts("code", class_="hash")
    assert hashes == [sha256_of(record["question"]), hashlib.sha256(record["reply"].encode()).hexdigest()]
    assert HARM in record["reply"]


@pytest.mark.parametrize("address", ["0", "999999999", "9" * 19, "9" * 40, "9" * 5000, "-1", "1.5", "%00", "x"])
def test_a_call_that_is_not_there_is_not_found(asked: Asked, client: Client, address: str) -> None:
    for path in (f"/calls/{address}/", f"/calls/{address}/call.json"):
        response = client.get(path)
        assert response.status_code == 404
        assert not Page.of(response).all("table")


def test_the_attempts_of_a_week_list_their_calls_and_name_a_reply_that_was_cut_off(asked: Asked) -> None:
    week = {"brief__turn__cycle__season": asked.played.season, "brief__turn__cycle__number": 1}
    attempts = Attempt.objects.filter(**week).select_related("brief__turn__entry").prefetch_related("calls")
    shown = {slug: Page(asked.get(f"c/1/e/{slug}/")) for slug in {one.brief.turn.entry.slug for one in attempts}}
    for attempt in attempts:
        for call in attempt.calls.all():
            assert shown[attempt.brief.turn.entry.slug].all("a", href=f"/calls/{call.id}/")
    cut = [page.texts("span", class_="kind kind-late").count("cut off, does not count") for page in shown.values()]
    assert sum(cut) == attempts.filter(truncated=True).count() > 0


@pytest.mark.parametrize(
    ("amounts", "texts"),
    [
        ([], []),
        (["1", "0"], ["1.00", "0.00"]),
        (["0.000000001", "1234.5"], ["0.000000001", "1,234.500000000"]),
        (["0.100000000"], ["0.10"]),
    ],
)
def test_amounts_in_one_column_are_exact_and_aligned(amounts: list[str], texts: list[str]) -> None:
    assert aligned_usd([Decimal(amount) for amount in amounts]) == texts
