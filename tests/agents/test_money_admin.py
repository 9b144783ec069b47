"""Operators add prices, look at budgets and calls, and let an agent be looked at before it is asked in earnest."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents import checkup
from agents.budget import reserve, settle
from agents.contract import Finding, PreflightRequest, PreflightResponse
from agents.core.budgeting import PricedCall, Scope
from agents.cutoffs import cutoffs_of
from agents.models import Agent, Budget, Call, Price, Reservation, TrainingCutoff
from agents.prices import Quote, add_price, card_of
from agents.recording import record_calls
from tests.agents.money import MODEL, NOW, a_brief, a_record, an_attempt, worst

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # collected static files are a matter of deployment
]
FACTS: list[type[Model]] = [Price, Budget, Reservation, Call]
every_fact = pytest.mark.parametrize("model", FACTS, ids=lambda model: model.__name__)


def page(model: type[Model], kind: str, *args: Any) -> str:
    return reverse(f"admin:agents_{model._meta.model_name}_{kind}", args=args)


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def asked() -> None:
    """Two attempts of one agent, the first of them settled, each with two calls."""
    card = card_of(add_price(MODEL, Quote(Decimal(1), Decimal(4)), NOW, "a test"))
    brief, plan = a_brief(), (PricedCall("decider", card, 1_000, 500),)
    for number in (1, 2):
        attempt = an_attempt(number, brief)
        held = reserve(attempt, [Scope("day 2026-01-05/mine", 9_000, Decimal(3))], worst(3_000, "0.006"), NOW)
        assert isinstance(held, Reservation)
        reported = [a_record(reply="<script>alert(1)</script>"), a_record(number=2, prompt=None, reply="")]
        recorded = record_calls(attempt, reported, plan, {MODEL: card}, worst(3_000, "0.006"), str)
        if number == 1:
            settle(held, recorded.charged, NOW)


@every_fact
def test_money_can_be_listed_found_and_read(operator: Client, asked: None, model: type[Model]) -> None:
    row = model._default_manager.order_by("-pk").first()
    assert row
    for url in (page(model, "changelist"), page(model, "changelist") + "?q=1", page(model, "change", row.pk)):
        answer = operator.get(url)
        assert answer.status_code == 200
        text = answer.content.decode()
        assert "alert(1)" not in text, "texts of models are on public pages alone"


@every_fact
def test_a_longer_list_costs_no_more_queries(operator: Client, asked: None, model: type[Model]) -> None:
    with CaptureQueriesContext(connection) as captured:
        operator.get(page(model, "changelist"))
    assert len(captured) <= 12


@every_fact
def test_money_that_was_spent_is_neither_changed_nor_deleted(operator: Client, asked: None, model: type[Model]) -> None:
    before = list(model._default_manager.order_by("pk").values())
    for url in (page(model, "change", before[0]["id"]), page(model, "delete", before[0]["id"])):
        assert operator.post(url, {"post": "yes"}).status_code == 403
    if model is not Price:
        assert operator.get(page(model, "add")).status_code == 403
    assert list(model._default_manager.order_by("pk").values()) == before


def test_a_budget_shows_what_is_used_of_its_cap(operator: Client, asked: None) -> None:
    # the first attempt: 150 tokens by usage and 1,500 at worst; the second has 3,000 set aside
    text = operator.get(page(Budget, "changelist")).content.decode()
    assert "4,650 / 9,000" in text
    assert "0.0093 / 3" in text


def test_a_call_shows_its_course_and_its_attempt_shows_its_calls(operator: Client, asked: None) -> None:
    call = Call.objects.order_by("id").first()
    assert call
    text = operator.get(page(Call, "change", call.pk)).content.decode()
    for shown in (f'href="/calls/{call.pk}/"', call.request_sha256, call.reply_sha256):
        assert shown in text
    for told in ("What now?", "alert(1)", "gpt-5-2026-01-01"):
        assert told not in text
    attempt = operator.get(reverse("admin:agents_attempt_change", args=[call.attempt_id])).content.decode()
    assert attempt.count(f"/agents/call/{call.pk}/change/") == 1


def test_the_list_of_calls_says_in_one_word_by_what_each_was_charged(operator: Client, asked: None) -> None:
    text = operator.get(page(Call, "changelist")).content.decode()
    assert text.count('<span class="state state-neutral">worst</span>') == 2


def test_calls_can_be_narrowed_down(operator: Client, asked: None) -> None:
    for query, rows in (("role__exact=decider", 4), ("requested_model__exact=none", 0), ("charge__exact=worst", 2)):
        assert operator.get(f"{page(Call, 'changelist')}?{query}").context["cl"].result_count == rows


# Prices

GOOD_PRICE = {
    "model": "ollama/mine",
    "valid_from_0": "2026-01-05",
    "valid_from_1": "00:00:00",
    "prompt_usd": "0.5",
    "completion_usd": "2",
    "cached_usd": "0.5",
    "source": "the contract",
}


def test_a_price_is_added_as_a_new_row(operator: Client) -> None:
    operator.post(page(Price, "add"), GOOD_PRICE)
    operator.post(page(Price, "add"), {**GOOD_PRICE, "prompt_usd": "0.4", "valid_from_0": "2026-02-01"})
    prices = Price.objects.filter(model="ollama/mine").order_by("valid_from")
    assert [price.prompt_usd for price in prices] == [Decimal("0.5"), Decimal("0.4")]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"prompt_usd": "-1"}, "The prompt price -1 is not between 0 and 1,000,000 USD per million tokens."),
        ({"prompt_usd": "NaN"}, "Enter a number."),
        ({"model": "mine"}, "Write provider/model, as in openai/gpt-5, and not &#x27;mine&#x27;."),
        ({"completion_usd": ""}, "This field is required."),
        ({"model": "baseline/momentum"}, "baseline/momentum has no price: a baseline decides in process"),
        ({"model": "own/mine"}, "own/mine has no price: it makes its own calls"),
        ({"valid_from_0": "0001-01-01"}, "0001-01-01 is out of reach; choose a date from 2009-01-01 to 2100-01-01."),
    ],
)
def test_a_price_that_cannot_be_is_refused(operator: Client, changes: dict[str, str], problem: str) -> None:
    before = Price.objects.count()
    assert problem in operator.post(page(Price, "add"), {**GOOD_PRICE, **changes}).content.decode()
    assert Price.objects.count() == before


@pytest.mark.parametrize(
    ("changes", "field"), [({"model": "own/mine"}, "model"), ({"valid_from_0": "2101-01-01"}, "valid_from")]
)
def test_a_price_is_refused_beside_its_field(operator: Client, changes: dict[str, str], field: str) -> None:
    answer = operator.post(page(Price, "add"), {**GOOD_PRICE, **changes})
    assert list(answer.context["adminform"].form.errors) == [field]


# Preflight

AskedOf = list[tuple[str, PreflightRequest]]


def answering(asked: AskedOf, *findings: Finding, **more: Any) -> Callable[[str, PreflightRequest], PreflightResponse]:
    def ask(url: str, request: PreflightRequest) -> PreflightResponse:
        asked.append((url, request))
        return PreflightResponse(findings=findings, **more)

    return ask


def preflight(operator: Client, agent: Agent, action: str = "preflight") -> list[str]:
    url = reverse("admin:agents_agent_changelist")
    answer = operator.post(url, {"action": action, "_selected_action": [agent.pk]}, follow=True)
    return [f"{said.level_tag}: {said.message}" for said in answer.context["messages"]]


@pytest.fixture
def agent() -> Agent:
    return Agent.objects.create(slug="mine", name="Mine", kind="single", model=MODEL)


def test_a_preflight_in_which_all_is_well_is_one_message(
    operator: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_price(MODEL, Quote(Decimal(1), Decimal(4)), NOW, "a test")
    asked: AskedOf = []
    findings = Finding(check="model known", ok=True, detail=f"{MODEL}: known"), Finding(check="key present", ok=True)
    monkeypatch.setattr(checkup, "ask_runner", answering(asked, *findings))
    assert preflight(operator, agent) == [
        f"success: Mine v1, {MODEL}: all in order (price, runner, model known, key present)."
    ]
    ((_, request),) = asked
    assert (request.call, request.allowance.tokens) == (False, 0)


def test_a_preflight_tells_only_what_is_not_well_and_names_the_model_once(
    operator: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = (
        Finding(check="address allowed", ok=True, detail="the provider's own"),
        Finding(check="key present", ok=False, detail=f"{MODEL}: set OPENAI_API_KEY where the runner runs"),
        Finding(check="price known", ok=False, detail=f"{MODEL}: add a price, or it will not be called"),
        Finding(check="other", ok=False),
    )
    monkeypatch.setattr(checkup, "ask_runner", answering([], *findings))
    assert preflight(operator, agent) == [
        f"error: Mine v1, {MODEL}, is not ready to be asked. price: no price is known; set one with manage.py "
        "set_price or manage.py import_prices; key present: set OPENAI_API_KEY where the runner runs; "
        "other: not in order."
    ]


def test_what_is_not_well_with_the_model_of_the_analysts_names_that_model(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_price(MODEL, Quote(Decimal(1), Decimal(4)), NOW, "a test")
    firm = Agent.objects.create(
        slug="firm", name="Firm", kind="firm", model=MODEL, parameters={"analyst_model": "openai/small"}
    )
    monkeypatch.setattr(checkup, "ask_runner", answering([]))
    (said,) = preflight(operator, firm)
    assert said.startswith(f"error: Firm v1, {MODEL}, is not ready to be asked. price: openai/small: no price is known")


def test_a_test_call_is_made_only_when_asked_for_and_its_cost_is_told(
    operator: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_price(MODEL, Quote(Decimal(1), Decimal(4)), NOW, "a test")
    asked: AskedOf = []
    monkeypatch.setattr(checkup, "ask_runner", answering(asked, calls=(a_record(),)))
    assert preflight(operator, agent, "preflight_with_call") == [
        f"success: Mine v1, {MODEL}: all in order (price, runner). The test calls cost 0.0003 USD."
    ]
    ((_, request),) = asked
    assert (request.call, request.allowance) == (True, worst(3_000, "0.006"))


def test_nothing_is_called_that_has_no_price(operator: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: AskedOf = []
    monkeypatch.setattr(checkup, "ask_runner", answering(asked))
    (said,) = preflight(operator, agent, "preflight_with_call")
    assert "price: no price is known; set one with manage.py set_price" in said
    assert asked == []


def test_a_runner_that_is_away_is_told_with_what_to_do(
    operator: Client, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(url: str, request: PreflightRequest) -> PreflightResponse:
        raise checkup.RunnerAway("the runner could not be asked: ClientConnectorError")

    monkeypatch.setattr(checkup, "ask_runner", away)
    add_price(MODEL, Quote(Decimal(1), Decimal(4)), NOW, "a test")
    assert preflight(operator, agent) == [
        f"error: Mine v1, {MODEL}, is not ready to be asked. runner: the runner could not be asked: "
        "ClientConnectorError; look whether it runs and RUNNER_URL or RUNNER_URLS is right (http://127.0.0.1:8100)."
    ]


def test_a_baseline_needs_no_preflight(operator: Client) -> None:
    baseline = Agent.objects.create(slug="cash", name="Cash", kind="baseline", model="baseline/all-cash")
    assert preflight(operator, baseline) == ["success: Cash v1, baseline/all-cash: all in order (model)."]


def test_what_is_learnt_of_a_models_training_is_a_new_row(operator: Client) -> None:
    for day in ("2024-01-31", ""):
        stated = {"model": "openai/gpt-5", "cutoff": day, "source": "its maker"}
        assert operator.post(reverse("admin:agents_trainingcutoff_add"), stated).status_code == 302
    assert cutoffs_of(["openai/gpt-5", "openai/gpt-4o", "own/mine"]) == {
        "openai/gpt-5": None,
        "openai/gpt-4o": date(2023, 10, 1),
        "own/mine": None,
    }
    row = TrainingCutoff.objects.filter(model="openai/gpt-5").first()
    assert row is not None
    assert operator.get(reverse("admin:agents_trainingcutoff_changelist")).status_code == 200
    assert b"2024-01-31" in operator.get(reverse("admin:agents_trainingcutoff_change", args=[row.pk])).content
    assert operator.get(reverse("admin:agents_keptreply_changelist")).status_code == 200


def test_a_cutoff_of_no_model_is_refused(operator: Client) -> None:
    answer = operator.post(reverse("admin:agents_trainingcutoff_add"), {"model": "gpt", "cutoff": "", "source": "me"})
    assert "Write provider/model" in str(answer.context["adminform"].form.errors["model"])
