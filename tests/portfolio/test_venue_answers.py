"""What an answer to an order means. Refused is only what an allow-list says is refused; the rest may have happened."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.core.venue_answers import (
    REFUSALS,
    Acknowledged,
    AlreadyThere,
    Outcome,
    RefusalClass,
    Refused,
    Unknown,
    Wait,
    outcome_of,
)
from tests.notation import D, many
from tests.portfolio.venue_notation import answer

RECORDED = Path(__file__).resolve().parents[3] / "shared/data/binance/errors.json"
PAGE = b"<html><body>502 Bad Gateway</body></html>"

# What each code of the exchange's errors.md means for an order; every other one is unknown.
TO_WAIT = {-1003, -1015}
FAULTY = {-1022, *range(-1106, -1099), -1108, -1111, *range(-1118, -1113), -1121, -1128, -1130}
KNOWN = dict.fromkeys(FAULTY, RefusalClass.FAULTY) | {
    -1013: RefusalClass.FILTER,
    -1021: RefusalClass.LATE,
    -1112: RefusalClass.DECLINED,
    -2010: RefusalClass.DECLINED,
    -2014: RefusalClass.KEYS,
    -2015: RefusalClass.KEYS,
}


def told(status: int, content: Any = None, *, headers: dict[str, str] | None = None, body: bytes = b"") -> Outcome:
    return outcome_of(status, headers or {}, body or json.dumps(content).encode(), "oo-1")


def error(code: int, text: str = "no", status: int = 400) -> Outcome:
    return told(status, {"code": code, "msg": text})


def meant_by(code: int) -> str | RefusalClass:
    """The meaning of an error code under HTTP 400."""
    outcome = error(code)
    return outcome.kind if isinstance(outcome, Refused) else type(outcome).__name__


def test_the_table_is_the_one_that_was_agreed() -> None:
    assert {**REFUSALS, -2010: RefusalClass.DECLINED} == KNOWN


@pytest.mark.parametrize("code", [-1000, -1001, -1002, -1006, -1007, -1008, -1014, -1016, -2011, -2013, -9999, 0, 1])
def test_a_code_that_is_not_on_the_list_is_unknown(code: int) -> None:
    assert isinstance(error(code), Unknown)


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded errors are not here")
def test_every_error_the_exchange_documents_has_its_meaning() -> None:
    codes = [entry["code"] for entry in json.loads(RECORDED.read_text())["codes"]]
    assert len(codes) > 90
    wanted = {code: "Wait" if code in TO_WAIT else KNOWN.get(code, "Unknown") for code in codes}
    assert {code: meant_by(code) for code in codes} == wanted
    assert set(KNOWN) | TO_WAIT <= set(codes)


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded errors are not here")
def test_every_text_of_the_matching_engine_is_a_refusal_but_that_of_a_duplicate() -> None:
    texts = [
        text
        for entry in json.loads(RECORDED.read_text())["engine_messages_for_-1010_-2010_-2011_-2038"]
        for text in entry["msg"]
        if text.strip(" /.")
    ]
    there = [text for text in texts if isinstance(error(-2010, text), AlreadyThere)]
    assert [text.strip() for text in there] == ["Duplicate order sent."]
    assert all(isinstance(error(-2010, text), Refused) for text in texts if text not in there)


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded errors are not here")
def test_every_filter_that_fails_is_a_refusal_that_names_it() -> None:
    for entry in json.loads(RECORDED.read_text())["filter_failures"]:
        assert error(entry["code"], entry["msg"]) == Refused(-1013, entry["msg"], RefusalClass.FILTER)


def test_a_refusal_of_the_key_stops_everything() -> None:
    refused = error(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    assert isinstance(refused, Refused)
    assert refused.stops
    assert not getattr(error(-2010, "Account has insufficient balance for requested action."), "stops", True)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [PAGE, b'{"code":-9,"msg":"x"}', b"{}", b""])
def test_a_401_or_403_that_does_not_explain_itself_is_unknown_and_stops(status: int, body: bytes) -> None:
    outcome = outcome_of(status, {}, body, "oo-1")
    assert isinstance(outcome, Unknown)
    assert outcome.stops


def test_a_firewall_that_imitates_a_refusal_is_not_believed() -> None:
    assert isinstance(error(-1013, "Filter failure: LOT_SIZE", 403), Unknown)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [(429, {"retry-after": "7"}, 7), (418, {"retry-after": "259200"}, 259_200), (429, {}, 60), (418, {}, 120)],
)
def test_who_asked_too_much_has_placed_nothing_and_waits(status: int, headers: dict[str, str], seconds: int) -> None:
    assert told(status, headers=headers, body=PAGE) == Wait(seconds)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 301, 302, 307, 100, 408, 409, 404])
def test_a_page_instead_of_an_answer_is_unknown(status: int) -> None:
    assert isinstance(told(status, body=PAGE), Unknown)


@pytest.mark.parametrize("code", sorted(KNOWN))
@pytest.mark.parametrize("status", [500, 503, 302, 200])
def test_a_refusal_counts_only_with_a_status_of_4xx(status: int, code: int) -> None:
    assert isinstance(error(code, "no", status), Unknown)


@pytest.mark.parametrize(
    "body", [b'{"code":-1013,"msg":"Filter fai', b'{"code":"-1013","msg":"x"}', b'{"code":-1013.0}', b"[-1013]"]
)
def test_a_refusal_that_is_cut_off_or_of_another_form_is_unknown(body: bytes) -> None:
    assert isinstance(told(400, body=body), Unknown)


@pytest.mark.parametrize(
    "status", ["NEW", "PARTIALLY_FILLED", "FILLED", "EXPIRED", "CANCELED", "REJECTED", "EXPIRED_IN_MATCH"]
)
def test_a_good_answer_tells_what_the_exchange_has(status: str) -> None:
    outcome = told(200, answer(status, executed="0.4", quote="40"))
    assert isinstance(outcome, Acknowledged)
    order = outcome.order
    assert (order.order_id, order.status, order.executed, order.quote_total) == (41, status, D("0.4"), D("40"))


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        answer(clientOrderId="oo-2"),
        answer(status="SOMETHING_NEW"),
        answer(executedQty=1),
        answer(executedQty="1e0"),
        answer(executedQty="-1"),
        answer(orderId=None),
        answer(orderId=True),
        answer(side="HOLD"),
    ],
)
def test_a_good_answer_that_is_not_about_this_order_or_about_none_is_unknown(content: Any) -> None:
    assert isinstance(told(200, content), Unknown)


def test_what_the_exchange_says_is_kept_in_one_short_line() -> None:
    outcome = error(-1013, "Filter\x00 failure:\n" + "x" * 5000)
    assert isinstance(outcome, Refused)
    assert outcome.message.startswith("Filter  failure: xxx")
    assert len(outcome.message) == 160


@many
@given(
    st.integers(100, 999),
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode),
)
def test_nothing_that_a_line_can_carry_raises_or_is_taken_for_a_refusal(status: int, body: bytes) -> None:
    outcome = outcome_of(status, {}, body, "oo-1")
    assert isinstance(outcome, Wait if status in (418, 429) else Unknown)
