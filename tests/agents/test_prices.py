"""The price list: dated, append-only, from an operator or from litellm's own map."""

import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from types import ModuleType

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.utils import DatabaseError

from agents.core.offline import OFFLINE_MODELS
from agents.models import Agent, Price
from agents.prices import PriceRefused, Quote, add_price, cards_for, import_prices, models_asked
from tests.agents.money import MODEL, NOW

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class KnownFacts:
    """What litellm's map might say."""

    prompt_usd: Decimal | None = Decimal("1.25")
    completion_usd: Decimal | None = Decimal(10)
    cached_usd: Decimal | None = Decimal("0.125")
    supports_schema: bool = True


UNKNOWN = KnownFacts(None, None, None)


def quote(prompt: str = "1", completion: str = "4", cached: str | None = None) -> Quote:
    return Quote(Decimal(prompt), Decimal(completion), None if cached is None else Decimal(cached))


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_the_newest_price_that_is_valid_counts() -> None:
    for days, prompt in ((-10, "3"), (-1, "2"), (+1, "1")):
        add_price(MODEL, quote(prompt), NOW + timedelta(days=days), "a test")
    assert cards_for([MODEL, "openai/unknown"], NOW)[MODEL].prompt_usd == 2
    assert cards_for([MODEL], NOW + timedelta(days=1))[MODEL].prompt_usd == 1
    assert cards_for([MODEL], NOW - timedelta(days=20)) == {}
    assert "openai/unknown" not in cards_for([MODEL, "openai/unknown"], NOW)


def test_cached_tokens_cost_as_much_as_others_unless_said() -> None:
    assert add_price(MODEL, quote("3"), NOW, "a test").cached_usd == 3


def test_every_offline_model_has_a_simulated_price() -> None:
    cards = cards_for(OFFLINE_MODELS, datetime(2020, 1, 1, tzinfo=UTC))
    assert set(cards) == set(OFFLINE_MODELS)
    assert {card.supports_schema for card in cards.values()} == {False}
    assert all("simulated" in source for source in Price.objects.values_list("source", flat=True))


@pytest.mark.parametrize(
    ("model", "stated", "problem"),
    [
        (MODEL, quote("NaN"), "is not between 0 and 1,000,000"),
        (MODEL, quote("-1"), "is not between"),
        (MODEL, quote("1", "1e7"), "completion price 1E\\+7 is not between"),
        (MODEL, quote("1", "1", "Infinity"), "cached price Infinity"),
        (MODEL, quote("0.0000000001"), "more than nine decimals"),
        ("gpt-5", quote(), "Write provider/model"),
        ("baseline/momentum", quote(), "baseline/momentum has no price: a baseline decides in process, for nothing"),
        ("example/mine", quote(), "example/mine has no price: it makes its own calls, and pays for them"),
        ("own/mine", quote(), "own/mine has no price: it makes its own calls, and pays for them"),
    ],
)
def test_what_no_price_can_be_is_refused(model: str, stated: Quote, problem: str) -> None:
    with pytest.raises(PriceRefused, match=problem):
        add_price(model, stated, NOW, "a test")


def test_two_prices_at_the_same_instant_are_refused() -> None:
    add_price(MODEL, quote(), NOW, "a test")
    with pytest.raises(PriceRefused, match="2026-01-05 00:00"):
        add_price(MODEL, quote("2"), NOW, "a test")


@pytest.mark.parametrize("year", [1, 2008, 2101, 9999])
def test_a_price_is_of_our_time(year: int) -> None:
    with pytest.raises(PriceRefused, match="choose a date from 2009-01-01 to 2100-01-01"):
        add_price(MODEL, quote(), datetime(year, 1, 2, tzinfo=UTC), "a test")


def test_a_price_is_history() -> None:
    price = add_price(MODEL, quote(), NOW, "a test")
    price.prompt_usd = Decimal(0)
    for change in (price.save, price.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


# Importing


def test_an_import_adds_a_row_only_where_the_price_differs() -> None:
    facts = {MODEL: KnownFacts(), "openai/other": KnownFacts(Decimal("2.5"))}

    def facts_of(model: str) -> KnownFacts:
        return facts.get(model, UNKNOWN)

    first = import_prices([MODEL, "openai/other", "openai/unknown"], facts_of, "map 1", NOW)
    assert [(row.model, row.is_new) for row in first] == [
        (MODEL, True),
        ("openai/other", True),
        ("openai/unknown", False),
    ]
    later = NOW + timedelta(days=1)
    facts["openai/other"] = KnownFacts(Decimal(3))
    second = import_prices([MODEL, "openai/other"], facts_of, "map 2", later)
    assert [row.is_new for row in second] == [False, True]
    assert Price.objects.filter(model=MODEL).count() == 1
    assert cards_for(["openai/other"], later)["openai/other"].prompt_usd == 3


def an_agent(slug: str, kind: str, model: str, **parameters: object) -> Agent:
    return Agent.objects.create(slug=slug, name=slug, kind=kind, model=model, parameters=parameters)


def test_the_models_that_need_a_price_are_those_that_we_ask() -> None:
    agents = [
        an_agent("house", "baseline", "baseline/momentum", top=2),
        an_agent("foreign", "single", "example/mine", anything="goes"),
        an_agent("steady", "single", "offline/steady", seed=1),
        an_agent("alone", "single", MODEL),
        an_agent("firm", "firm", MODEL, analyst_model="openai/gpt-5-nano"),
    ]
    assert models_asked(agents) == ("offline/steady", MODEL, "openai/gpt-5-nano")


@pytest.fixture
def price_map(monkeypatch: pytest.MonkeyPatch) -> dict[str, KnownFacts]:
    """A price map where litellm's would be."""
    known: dict[str, KnownFacts] = {}
    module = ModuleType("agents.llm")
    module.facts_of = lambda model: known.get(model, UNKNOWN)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "agents.llm", module)
    return known


def test_the_command_imports_the_prices_of_all_agents_but_the_simulated(price_map: dict[str, KnownFacts]) -> None:
    an_agent("alone", "single", MODEL)
    an_agent("steady", "single", "offline/steady")
    price_map[MODEL] = KnownFacts()
    told = run("import_prices")
    assert told.splitlines()[1].split() == [MODEL, "1.25", "10", "0.125", "new"]
    assert "offline/" not in told
    assert "as before" in run("import_prices")
    assert Price.objects.get(model=MODEL).source.startswith("litellm ")


def test_the_command_keeps_what_it_found_and_says_what_it_did_not(price_map: dict[str, KnownFacts]) -> None:
    price_map[MODEL] = KnownFacts()
    with pytest.raises(CommandError, match=r"Not in the map: ollama/mine\. Set their prices with manage\.py set_price"):
        run("import_prices", MODEL, "ollama/mine")
    assert Price.objects.filter(model=MODEL).exists()


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("offline/steady", "offline/steady: simulated prices are set already."),
        ("baseline/momentum", "baseline/momentum has no price"),
        ("own/mine", "own/mine has no price"),
        ("gpt-5", "Write provider/model, as in openai/gpt-5, and not 'gpt-5'."),
    ],
)
def test_the_command_imports_nothing_that_has_no_place_in_a_price_map(
    price_map: dict[str, KnownFacts], model: str, problem: str
) -> None:
    price_map |= {MODEL: KnownFacts(), model: KnownFacts()}
    before = Price.objects.count()
    with pytest.raises(CommandError, match=re.escape(problem)):
        run("import_prices", MODEL, model)
    assert Price.objects.count() == before


# By hand


def test_an_operator_sets_a_price() -> None:
    told = run("set_price", "ollama/mine", "--prompt", "0", "--completion", "0.5", "--from", "2026-01-31", "--schema")
    assert told == (
        "ollama/mine costs 0 (prompt), 0.5 (completion), 0 (cached prompt) USD per million tokens "
        "from 2026-01-31 00:00 UTC.\n"
    )
    price = Price.objects.get(model="ollama/mine")
    assert (price.supports_schema, price.source) == (True, "an operator")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--prompt", "much", "--completion", "1"), "--prompt much: write an amount in USD"),
        (("--prompt", "-1", "--completion", "1"), "The prompt price -1 is not between"),
        (("--prompt", "1", "--completion", "1", "--from", "31.1.2026"), "write a date, as 2026-01-31"),
        (("--prompt", "1", "--completion", "1", "--from", "0001-01-01"), "--from: 0001-01-01 is out of reach; choose"),
        (("--prompt", "1", "--completion", "1", "--source", ""), "--source: This field cannot be blank."),
        (("--prompt", "1", "--completion", "1", "--source", "x" * 121), "--source: Ensure this value has at most 120"),
        (("--prompt", "1"), "--completion"),
    ],
)
def test_a_price_that_cannot_be_is_refused_in_words(arguments: tuple[str, ...], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        run("set_price", "ollama/mine", *arguments)
    assert not Price.objects.filter(model="ollama/mine").exists()


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("gpt-5", "MODEL: Write provider/model, as in openai/gpt-5, and not 'gpt-5'."),
        ("", "MODEL: Write provider/model, as in openai/gpt-5, and not ''."),
        (f"openai/{'x' * 120}", "MODEL: Ensure this value has at most 120 characters"),
        ("example/mine", "MODEL: example/mine has no price"),
    ],
)
def test_a_model_that_has_no_price_is_refused_in_words(model: str, problem: str) -> None:
    with pytest.raises(CommandError, match=re.escape(problem)):
        run("set_price", model, "--prompt", "1", "--completion", "1")
