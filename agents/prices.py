"""The price list: dated rows, never changed. The newest row that is valid counts; a model without one is not asked."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from agents.core.budgeting import makes_calls_of_ours, models_of
from agents.core.parameters import MODEL_STRING, AgentParameters
from agents.core.pricing import NANO_USD, ModelCard
from agents.models import Agent, Price
from portfolio.one_of import OneOf
from portfolio.prepared import Given, PreparedObjects

USD_PER_MILLION_MAX = Decimal(1_000_000)
EARLIEST, LATEST = datetime(2009, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_PAYS_ITSELF = "it makes its own calls, and pays for them"
# By the beginning of a model string: why nobody is paid for asking it.
WITHOUT_PRICE: Mapping[str, str] = {
    "baseline/": "a baseline decides in process, for nothing",
    "rule/": "a rule decides in process, for nothing",
    "example/": _PAYS_ITSELF,
    "own/": _PAYS_ITSELF,
}
SIMULATED = "offline/"
_VALID = PreparedObjects(
    lambda: (
        Price.objects.filter(OneOf("model", Given("models")), valid_from__lte=Given("now"))
        .order_by("model", "-valid_from")
        .distinct("model")
    )
)


class PriceRefused(ValueError):
    """A price that cannot be taken; the message says why and what to do, `field` which part of it is wrong, if one."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Facts(Protocol):
    """What a price map knows of a model: USD per million tokens as exact decimals, None where it does not say."""

    @property
    def prompt_usd(self) -> Decimal | None: ...
    @property
    def completion_usd(self) -> Decimal | None: ...
    @property
    def cached_usd(self) -> Decimal | None: ...
    @property
    def supports_schema(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Quote:
    """A price as it is stated, before it is a row: USD per million tokens. `cached` None: like the prompt."""

    prompt: Decimal
    completion: Decimal
    cached: Decimal | None = None
    supports_schema: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of one model: a `price` (new or as before), or None when the map does not know it."""

    model: str
    price: Price | None
    is_new: bool


def cards_for(models: Iterable[str], now: datetime) -> dict[str, ModelCard]:
    """The price that is valid now of each of these models that has one."""
    return {row.model: card_of(row) for row in _VALID.all(models=list(models), now=now)}


def card_of(price: Price) -> ModelCard:
    return ModelCard(
        model=price.model,
        price_id=price.pk,
        prompt_usd=price.prompt_usd,
        completion_usd=price.completion_usd,
        cached_usd=price.cached_usd,
        supports_schema=price.supports_schema,
    )


def models_asked(agents: Iterable[Agent]) -> tuple[str, ...]:
    """Every model that these agents ask and that needs a price, in the order of the agents, each once."""
    asked = (models_of(agent.kind, agent.model, parameters_of(agent)) for agent in agents)
    return tuple(dict.fromkeys(model for models in asked for model in models))


def parameters_of(agent: Agent) -> AgentParameters:
    """An agent's parameters, checked; those of baselines and foreign agents are their own affair.

    Raises pydantic's `ValidationError` for parameters that came past the admin.
    """
    return AgentParameters.model_validate(agent.parameters if makes_calls_of_ours(agent.model) else {})


def add_price(model: str, quote: Quote, valid_from: datetime, source: str) -> Price:
    """Append a row to the price list. Raises `PriceRefused`."""
    check_model(model)
    check_quote(quote)
    check_valid_from(valid_from)
    row = Price(
        model=model,
        valid_from=valid_from,
        prompt_usd=quote.prompt,
        completion_usd=quote.completion,
        cached_usd=quote.prompt if quote.cached is None else quote.cached,
        supports_schema=quote.supports_schema,
        source=source,
    )
    try:
        row.full_clean()
    except ValidationError as error:
        raise _refused(row, error) from None
    row.save()
    return row


def _refused(row: Price, error: ValidationError) -> PriceRefused:
    field, messages = next(iter(error.message_dict.items()))
    if field == NON_FIELD_ERRORS:
        return PriceRefused(f"{row.model} at {row.valid_from:%Y-%m-%d %H:%M}: {' '.join(messages)}")
    return PriceRefused(" ".join(messages), field)


def check_model(model: str) -> None:
    """Raises `PriceRefused` for what is no model string, or no model that anybody is paid for."""
    if not re.search(MODEL_STRING, model):
        raise PriceRefused(f"Write provider/model, as in openai/gpt-5, and not {model!r}.", "model")
    for beginning, why in WITHOUT_PRICE.items():
        if model.startswith(beginning):
            raise PriceRefused(f"{model} has no price: {why}.", "model")


def check_valid_from(valid_from: datetime) -> None:
    """Raises `PriceRefused` for an instant that is a slip of the pen."""
    if not EARLIEST <= valid_from <= LATEST:
        day, first, last = (instant.date().isoformat() for instant in (valid_from, EARLIEST, LATEST))
        raise PriceRefused(f"{day} is out of reach; choose a date from {first} to {last}.", "valid_from")


def check_quote(quote: Quote) -> None:
    """Raises `PriceRefused` for an amount that no price can be."""
    for name, amount in (("prompt", quote.prompt), ("completion", quote.completion), ("cached", quote.cached)):
        if amount is not None:
            _check_amount(name, amount)


def import_prices(
    models: Sequence[str], facts_of: Callable[[str], Facts], source: str, now: datetime
) -> list[Imported]:
    """Take the price of each model from a price map; a new row only where it differs from the one that is valid.

    Raises `PriceRefused`, before anything is written, for a model that can be in no price map.
    """
    for model in models:
        check_model(model)
        if model.startswith(SIMULATED):
            raise PriceRefused(f"{model}: simulated prices are set already.", "model")
    present = {row.model: row for row in _VALID.all(models=list(models), now=now)}
    return [_import(model, facts_of(model), present.get(model), source, now) for model in models]


def _import(model: str, facts: Facts, present: Price | None, source: str, now: datetime) -> Imported:
    if facts.prompt_usd is None or facts.completion_usd is None:
        return Imported(model, None, is_new=False)
    cached_usd = facts.prompt_usd if facts.cached_usd is None else facts.cached_usd
    prompt, completion, cached = (
        amount.quantize(NANO_USD) for amount in (facts.prompt_usd, facts.completion_usd, cached_usd)
    )
    quote = Quote(prompt, completion, cached, facts.supports_schema)
    if present and quote == _quote_of(present):
        return Imported(model, present, is_new=False)
    return Imported(model, add_price(model, quote, now, source), is_new=True)


def _quote_of(row: Price) -> Quote:
    return Quote(row.prompt_usd, row.completion_usd, row.cached_usd, row.supports_schema)


def _check_amount(name: str, amount: Decimal) -> None:
    if not amount.is_finite() or not 0 <= amount <= USD_PER_MILLION_MAX:
        raise PriceRefused(
            f"The {name} price {amount} is not between 0 and {USD_PER_MILLION_MAX:,} USD per million tokens."
        )
    if amount != amount.quantize(NANO_USD):
        raise PriceRefused(f"The {name} price {amount} has more than nine decimals.")
