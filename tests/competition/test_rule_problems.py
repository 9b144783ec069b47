"""What is wrong with a rules document is said in our words, whatever is wrong with it."""

from typing import Any

import pytest
from pydantic import ValidationError

from competition.core.rule_problems import rule_problems
from competition.core.rules import Rules

GOOD = {
    "universe": ["BTCUSDT"],
    "market_source": "synthetic",
    "market_starts_at": "2024-01-01T00:00:00Z",
    "starts_at": "2024-01-01T00:00:00Z",
    "cycles": 4,
}
LIBRARY = ("Input should", "validation", "Extra inputs", "Field required", "Value error", "Decimal input")
BAD_VALUES = [
    None,
    [],
    {},
    "",
    "abc",
    "NaN",
    -1,
    0,
    1.5,
    10**40,
    "0.12345678901234",
    True,
    ["x"],
    [1],
    ["BTCUSDT"] * 60,
]


def problems_of(**changes: Any) -> list[str]:
    with pytest.raises(ValidationError) as refusal:
        Rules.model_validate({**GOOD, **changes})
    return rule_problems(refusal.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"max_weight": "much"}, "max_weight must be a number"),
        ({"max_weight": 2}, "max_weight must be at most 1"),
        ({"max_weight": "0.12345678901"}, "max_weight must have at most 10 decimals"),
        ({"universe": []}, "universe must name at least 1"),
        ({"universe": ["BTCUSDT", 7]}, "universe.1 must be a text"),
        ({"starts_at": "soon"}, "starts_at must be an instant, written like 2026-01-05T00:00:00Z"),
        ({"market_source": "dice"}, "market_source must be 'synthetic', 'stored' or 'binance'"),
        ({"cycels": 3}, "cycels is not a rule"),
        ({"universe": ["BTCUSDT", "BTCUSDT"]}, "universe: a symbol is listed twice"),
    ],
)
def test_a_problem_is_a_sentence_that_begins_with_the_rule(changes: dict[str, Any], sentence: str) -> None:
    assert problems_of(**changes) == [sentence]


@pytest.mark.parametrize("rule", Rules.model_fields)
def test_no_value_of_any_rule_is_refused_in_the_words_of_the_library(rule: str) -> None:
    said = []
    for value in BAD_VALUES:
        try:
            Rules.model_validate({**GOOD, rule: value})
        except ValidationError as refusal:
            said += rule_problems(refusal)
    assert said, f"{rule} takes everything"
    assert [text for text in said if any(word in text for word in LIBRARY)] == []


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"cycles": }'])
def test_what_is_no_document_at_all_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Rules.model_validate_json(text)
    (problem,) = rule_problems(refusal.value)
    assert problem.startswith(("This is not JSON: ", "The rules must be one JSON object"))
