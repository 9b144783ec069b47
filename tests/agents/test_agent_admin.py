"""Operators add agents of any provider, and are told beside the field what could not be asked."""

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from agents.agent_forms import parameter_problems
from agents.core.parameters import AgentParameters
from agents.models import Agent, AgentKind

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # collected static files are a matter of deployment
]

GOOD_AGENT = {"slug": "mine", "name": "Mine", "kind": "single", "model": "offline/steady", "parameters": '{"seed": 1}'}


def page(kind: str, *args: Any) -> str:
    return reverse(f"admin:agents_agent_{kind}", args=args)


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def test_an_agent_added_under_a_known_slug_is_the_next_version(operator: Client) -> None:
    operator.post(page("add"), GOOD_AGENT)
    operator.post(page("add"), {**GOOD_AGENT, "model": "offline/swinger"})
    assert list(Agent.objects.order_by("version").values_list("version", "model")) == [
        (1, "offline/steady"),
        (2, "offline/swinger"),
    ]


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"model": "steady"}, "model", "Write provider/model"),
        ({"model": "offline/genius"}, "model", "There is no offline/genius. There are: offline/steady"),
        ({"model": "baseline/momentum"}, "kind", "baseline/momentum can be a house baseline."),
        ({"kind": "baseline"}, "kind", "offline/steady can be a single model or a firm of six."),
        ({"model": "example/mine", "kind": "firm"}, "kind", "example/mine can be a single model."),
        ({"parameters": '{"sed": 1}'}, "parameters", "sed: there is no such parameter. There are: seed, temperature"),
        ({"model": "rule/magic"}, "model", "There is no rule/magic. There are: rule/ema-cross"),
        ({"model": "rule/momentum"}, "kind", "rule/momentum can be a house baseline."),
        (
            {"model": "rule/ema-cross", "kind": "baseline", "parameters": '{"period": 9}'},
            "parameters",
            "period: there is no such parameter. There are: fast, slow.",
        ),
        ({"model": "acme/newest"}, "model", "No provider acme is known. Known are: anthropic, azure, baseline"),
        ({"model": "acme/newest"}, "model", "own/… is an agent with a runner of its own."),
        ({"model": "own/mine", "kind": "firm"}, "kind", "own/mine can be a single model."),
        ({"parameters": '{"temperature": 3}'}, "parameters", "temperature: must be at most 2.0."),
        ({"parameters": '{"temperature": NaN}'}, "parameters", "NaN is no number that can be kept."),
        ({"parameters": '{"temperature": 1e999}'}, "parameters", "Infinity is no number"),
        (
            {"model": "example/mine", "parameters": '{"any": [{"thing": -Infinity}]}'},
            "parameters",
            "-Infinity is no number",
        ),
        (
            {"model": "own/mine", "parameters": '{"any": "\\u0000"}'},
            "parameters",
            "holds a character that cannot be kept",
        ),
        ({"parameters": f'{{"seed": {"[" * 100_000}'}, "parameters", "nested too deeply"),
        ({"parameters": f'{{"seed": {"1" * 5000}}}'}, "parameters", "A number in it is too long to be read."),
        ({"parameters": '{"api_base": "localhost"}'}, "parameters", "api_base must begin with https:// or http://."),
        ({"parameters": '{"analyst_model": "openai/gpt-5-mini"}'}, "parameters", "only a firm has analysts."),
        ({"parameters": "[1]"}, "parameters", "Write the parameters as an object"),
        ({"parameters": "{"}, "parameters", "Enter a valid JSON."),
        (
            {"kind": "baseline", "model": "baseline/fixed-once", "parameters": "{}"},
            "parameters",
            "baseline/fixed-once cannot answer with these parameters (KeyError: &#x27;weights&#x27;).",
        ),
        (
            {"kind": "baseline", "model": "baseline/momentum", "parameters": '{"top": "two"}'},
            "parameters",
            "baseline/momentum cannot answer with these parameters (TypeError",
        ),
    ],
)
def test_an_agent_that_could_not_be_asked_is_refused(
    operator: Client, changes: dict[str, str], field: str, problem: str
) -> None:
    answer = operator.post(page("add"), {**GOOD_AGENT, **changes})
    assert problem in str(answer.context["adminform"].form.errors[field])
    assert not Agent.objects.exists()


@pytest.mark.parametrize(
    ("analyst_model", "problem"),
    [
        ("offline/genius", "There is no offline/genius. There are: offline/steady"),
        ("acme/newest", "No provider acme is known. Known are: anthropic"),
        ("baseline/momentum", "baseline/momentum is not asked by a firm; name the model of a provider."),
        ("example/mine", "example/mine is not asked by a firm; name the model of a provider."),
        ("own/mine", "own/mine is not asked by a firm; name the model of a provider."),
        ("gpt-5", "must be provider/model, as in openai/gpt-5."),
    ],
)
def test_the_model_of_a_firms_analysts_is_looked_at_like_its_own(
    operator: Client, analyst_model: str, problem: str
) -> None:
    firm = {"kind": "firm", "parameters": json.dumps({"analyst_model": analyst_model})}
    answer = operator.post(page("add"), {**GOOD_AGENT, **firm})
    (said,) = answer.context["adminform"].form.errors["parameters"]
    assert said.startswith(f"analyst_model: {problem}")
    assert not Agent.objects.exists()


@pytest.mark.parametrize("name", AgentParameters.model_fields)
def test_what_is_wrong_with_a_parameter_is_said_in_our_words(name: str) -> None:
    values: list[Any] = [-1, 0, 0.5, 10**9, 1e300, "x", "x" * 300, True, None, [], {}, "http://user@host"]
    said = [parameter_problems(AgentKind.FIRM, "openai/gpt-5", {name: value}) for value in values]
    assert all(said[values.index(wrong)] for wrong in ([], {}))
    for sentence in (sentence for sentences in said for sentence in sentences):
        assert sentence.startswith(name)
        assert not re.search("Input|should|valid|cannot be used", sentence), sentence


@pytest.mark.parametrize(
    "given",
    [
        {"model": "own/mine", "parameters": '{"anything": "goes"}'},
        {"model": "openai/gpt-5", "parameters": '{"effort": "low", "max_output_tokens": 8000}'},
        {"model": "ollama/llama3.3", "parameters": '{"api_base": "http://127.0.0.1:11434"}'},
        {"model": "openai/gpt-5", "kind": "firm", "parameters": '{"analyst_model": "openai/gpt-5-mini"}'},
        {"model": "offline/steady", "kind": "firm"},
        {"model": "example/mine", "parameters": '{"anything": "goes"}'},
    ],
)
def test_an_agent_of_any_provider_is_taken(operator: Client, given: dict[str, str]) -> None:
    operator.post(page("add"), {**GOOD_AGENT, **given})
    assert Agent.objects.get().model == given["model"]


def test_an_agent_can_be_corrected_until_it_is_asked(operator: Client) -> None:
    agent = Agent.objects.create(slug="mine", name="Mine", kind=AgentKind.SINGLE, model="offline/steady")
    operator.post(page("change", agent.pk), {**GOOD_AGENT, "slug": "other", "model": "offline/greedy"})
    agent.refresh_from_db()
    assert (agent.slug, agent.model, agent.parameters) == ("mine", "offline/greedy", {"seed": 1})
