"""What a call costs, and what it can cost at most. Prices are in USD per million tokens."""

from collections.abc import Sequence
from decimal import ROUND_UP, Decimal

from pydantic import Field

from agents.core.calls import Message, ModelCall, Usage, Usd, Wire

PER_MILLION = Decimal(1_000_000)
NANO_USD = Decimal("0.000000001")
# What chat templates put around a message and before a reply; a tokenizer's own special tokens among them.
TOKENS_AROUND_A_MESSAGE = 32


class ModelCard(Wire):
    """One dated row of the price list: what a model costs and what it can do. `price_id` names the row."""

    model: str = Field(max_length=120)
    price_id: int
    prompt_usd: Usd
    completion_usd: Usd
    cached_usd: Usd
    supports_schema: bool = False


class Worst(Wire):
    """The most that something can use: tokens, and USD at list price."""

    tokens: int = Field(ge=0)
    usd: Usd

    def __add__(self, other: "Worst") -> "Worst":
        return Worst(tokens=self.tokens + other.tokens, usd=self.usd + other.usd)

    def fits_in(self, other: "Worst") -> bool:
        return self.tokens <= other.tokens and self.usd <= other.usd


NOTHING = Worst(tokens=0, usd=Decimal(0))


def prompt_tokens_bound(messages: Sequence[Message]) -> int:
    """More tokens than any tokenizer makes of these messages: a token covers at least one byte of UTF-8."""
    return sum(len(message.content.encode()) + TOKENS_AROUND_A_MESSAGE for message in messages)


def usd_of(usage: Usage, card: ModelCard) -> Decimal:
    """USD of a call, rounded up to a billionth: cached tokens at their own price, reasoning as completion."""
    cached = min(usage.cached, usage.prompt)
    amount = (
        card.prompt_usd * (usage.prompt - cached) + card.cached_usd * cached + card.completion_usd * usage.completion
    )
    return (amount / PER_MILLION).quantize(NANO_USD, rounding=ROUND_UP)


def worst_of(prompt_tokens: int, completion_tokens: int, card: ModelCard) -> Worst:
    """The bound for one call with at most these tokens; no cache is counted on."""
    dearest = max(card.prompt_usd, card.cached_usd)
    amount = dearest * prompt_tokens + card.completion_usd * completion_tokens
    return Worst(
        tokens=prompt_tokens + completion_tokens,
        usd=(amount / PER_MILLION).quantize(NANO_USD, rounding=ROUND_UP),
    )


def worst_of_call(call: ModelCall, card: ModelCard) -> Worst:
    """The bound for one try of this call."""
    schema = len(str(call.reply_schema).encode()) if call.reply_schema else 0
    return worst_of(prompt_tokens_bound(call.messages) + schema, call.max_output_tokens, card)
