"""The published contract is what the code checks, and says of real questions and short answers that they are right."""

import io
import json
import uuid

import jsonschema
import pytest
from django.conf import settings
from django.core.management import call_command

from agents.core.pricing import ModelCard, Worst
from agents.runner_client import request_of
from tests.live.runners import question

PUBLISHED = settings.BASE_DIR / "docs" / "runner.schema.json"
SCHEMA = json.loads(PUBLISHED.read_text())


def check(name: str, content: object) -> None:
    jsonschema.validate(content, {"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})


def test_the_published_schema_is_up_to_date() -> None:
    out = io.StringIO()
    call_command("runner_schema", stdout=out)
    assert PUBLISHED.read_text() == out.getvalue(), "run: manage.py runner_schema --write docs/runner.schema.json"


def test_a_question_as_it_is_sent_is_by_the_schema() -> None:
    card = ModelCard(model="a/b", price_id=1, prompt_usd="1.25", completion_usd=2, cached_usd=0)
    asked = question("a/b", cards=(card,), allowance=Worst(tokens=10, usd="0.000001"), last_reply="before")
    check("DecideRequest", json.loads(request_of(asked).model_dump_json()))


@pytest.mark.parametrize(
    "answer",
    [
        {"run_token": str(uuid.UUID(int=1)), "reply": '{"action": "hold"}'},
        {"run_token": "t", "reply": None, "reason": "no credit", "calls": [], "more": "is ignored"},
    ],
)
def test_the_shortest_answers_are_by_the_schema(answer: dict[str, object]) -> None:
    check("DecideResponse", answer)


@pytest.mark.parametrize("answer", [{}, {"run_token": "t"}, {"run_token": "t", "reply": 7}])
def test_an_answer_without_what_it_needs_is_not(answer: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check("DecideResponse", answer)
