"""Keys taken out of what is written, whatever form they come in."""

import base64
import json
import re
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.redaction import MARKER, NESTED_TOO_DEEPLY, redact, redact_within, secrets_of

KEY = 'pa55/word+with"odd\\signs=ünd more'
SECRETS = frozenset({KEY})


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        quote(KEY),
        quote(KEY, safe=""),
        quote_plus(KEY),
        re.sub(r"%[0-9A-F]{2}", lambda found: found.group().lower(), quote(KEY, safe="")),
        json.dumps(KEY)[1:-1],
        json.dumps(KEY, ensure_ascii=False)[1:-1],
        repr(KEY)[1:-1],
        KEY.encode().hex(),
        base64.b64encode(KEY.encode()).decode(),
        base64.urlsafe_b64encode(KEY.encode()).decode(),
        KEY[:14] + "******",
    ],
)
def test_a_key_is_removed_in_every_form_it_may_be_quoted_in(form: str) -> None:
    assert MARKER in redact(f"before {form} after", SECRETS)
    assert form[:14] not in redact(f"before {form} after", SECRETS)
    assert redact(f"before {form} after", SECRETS).startswith("before ")


@given(st.binary(max_size=7), st.binary(max_size=7))
def test_a_key_inside_a_larger_base64_text_is_removed(before: bytes, behind: bytes) -> None:
    packed = base64.b64encode(before + b"user:0123456789abcdef" + behind).decode()
    assert MARKER in redact(packed, {"0123456789abcdef"})


KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60)


@given(KEYS, st.text(max_size=20), st.text(max_size=20))
def test_no_key_survives_between_any_texts(key: str, before: str, behind: str) -> None:
    assert key in MARKER or key not in redact(f"{before}{key}{behind}", {key})


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abcdefghijklmnop1234",
        "sk-ant-api03-abcdefghijkl_mnop",
        "sk-or-v1-0123456789abcdef01234567",
        "AIzaSyA0123456789abcdefghijklmnopqrs",
        "gsk_0123456789abcdefghij",
        "gho_0123456789abcdefghij0123456789ABCDEF",
        "ghp_0123456789abcdefghij0123456789ABCDEF",
        "github_pat_0123456789abcdefghij_0123456789",
        "sk_live_0123456789abcdefghij",
        "rk_live_0123456789abcdefghij",
        "token=ya29.a0123456789abcdef-ghij_klmn",
        "xai-0123456789abcdefghij",
        "Incorrect API key provided: sk-abcd1****************wxyz.",
        "Authorization: Bearer eyJhbGciOi.J9.abc123def456",
        "https://generativelanguage.googleapis.com/v1beta/models/x:generateContent?key=whatever1",
        "https://host/v1?alt=json&key=whatever1&x=2",
    ],
)
def test_what_has_the_shape_of_a_key_is_removed_without_being_known(text: str) -> None:
    shown = redact(text, ())
    assert MARKER in shown
    assert not re.search(r"abcdef|0123|wxyz|eyJ|whatever1|abc123", shown)


@pytest.mark.parametrize(
    "text",
    [
        "A risk-adjusted-returns-first approach to BTCUSDT at 0.25.",
        "The bearer of bad news comes with a basic understanding of markets",
        '{"action": "rebalance", "allocations": {"BTCUSDT": 0.4}, "rationale": "key levels held"}',
        "task-force",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert redact(text, SECRETS) == text


def test_secrets_are_found_by_the_names_of_their_variables_and_in_addresses() -> None:
    found = secrets_of(
        {
            "OPENAI_API_KEY": "first-key-1",
            "HF_TOKEN": "second-key-2",
            "REDIS_PASSWORD": "third-key-3",
            "SECRET_KEY": "fourth-key-4",
            "GROQ_API_KEY_2": "fifth-key-5",
            "anthropic_auth_token": "sixth-key-6",
            "DATABASE_URL": "postgresql://openoutcry:seventh-key-7@db/openoutcry",
            "DAILY_TOKEN_BUDGET": "100000000",
            "SHORT_TOKEN": "1234",
            "HOME": "/home/somebody",
        }
    )
    numbers = ("first-key-1", "second-key-2", "third-key-3", "fourth-key-4", "fifth-key-5", "sixth-key-6")
    assert found == {*numbers, "seventh-key-7"}


def test_credentials_of_several_lines_or_fields_are_secrets_each_by_itself() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
    account = json.dumps({"type": "service_account", "project_id": "open-outcry-1", "private_key": key})
    found = secrets_of({"VERTEX_CREDENTIALS_JSON": account, "CLOUD_CREDENTIALS": "cloudy-key-1"})
    assert {"MIIEvQIBADANBgkq", "hkiG9w0BAQEFAASC", "cloudy-key-1"} <= found
    assert found.isdisjoint({"service_account", "open-outcry-1", account})


def test_a_deliberation_without_end_is_redacted_down_to_a_stated_depth() -> None:
    deep: Any = f"x {KEY}"
    for _ in range(5_000):
        deep = {"a": [deep]}
    shown = redact_within({"minutes": deep, "reports": [{"text": KEY}]}, SECRETS)
    assert shown["reports"] == [{"text": MARKER}]
    assert NESTED_TOO_DEEPLY in json.dumps(shown)
    assert KEY not in json.dumps(shown, ensure_ascii=False)


def test_a_value_of_json_is_redacted_in_its_depth_and_stays_json() -> None:
    value = {"a": [f"x {KEY}", 1, None, True, 0.5], KEY: {"b": KEY}}
    shown = redact_within(value, SECRETS)
    assert shown == {"a": [f"x {MARKER}", 1, None, True, 0.5], MARKER: {"b": MARKER}}
    assert KEY not in json.dumps(shown, ensure_ascii=False)


def test_a_marker_does_not_break_the_json_it_is_put_into() -> None:
    text = json.dumps({"said": 'see https://x/?key=abc"quoted" and\nmore'})
    assert MARKER in json.loads(redact(text, ()))["said"]
