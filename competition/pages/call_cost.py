"""The arithmetic of a call's charge: tokens times price, so that anybody can do it again."""

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from agents.core.parameters import AgentParameters
from agents.core.pricing import NANO_USD, PER_MILLION
from agents.models import Call, Charge, Price
from competition.pages import text
from competition.pages.called import aligned_usd
from competition.pages.figures import Moment, moment

OUTPUT_LIMIT = "max_output_tokens"

# kind of token, how many, USD per million
Part = tuple[str, int, Decimal]

_BASES = {
    Charge.USAGE: "Charged by the tokens the provider reported.",
    Charge.WORST: "Charged at the worst case: what was used was not said, or cannot be true.",
    Charge.NOTHING: "Nothing was charged: no model of ours read it.",
}


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One kind of token: how many, times what they cost per million, makes USD."""

    kind: str
    tokens: str
    per_million: str
    usd: str


@dataclass(frozen=True, slots=True)
class Cost:
    """The arithmetic of the charge. `problem` is what to say when the lines do not make up what was charged."""

    basis: str
    lines: tuple[PriceLine, ...]
    sum: str
    usd: str
    tokens: str
    price_from: Moment | None
    price_source: str
    problem: str


def cost_of(call: Call) -> Cost:
    """What was charged, and the multiplication that gives it."""
    price = call.price
    parts = _parts(call, price) if price else ()
    products = [tokens * per_million / PER_MILLION for _, tokens, per_million in parts]
    exact = sum(products, Decimal(0))
    *usd, charged, total = aligned_usd([*products, call.usd, exact])
    prices = aligned_usd([per_million for _, _, per_million in parts])
    return Cost(
        basis=_BASES[Charge(call.charge)],
        lines=tuple(
            PriceLine(kind, f"{tokens:,}", per_million, product)
            for (kind, tokens, _), per_million, product in zip(parts, prices, usd, strict=True)
        ),
        sum=total,
        usd=charged,
        tokens=f"{call.tokens_charged:,}",
        price_from=moment(price.valid_from) if price else None,
        price_source=text.line(price.source) if price else "",
        problem=_problem(call, exact) if parts else "",
    )


def _rounded_up(exact: Decimal) -> Decimal:
    return exact.quantize(NANO_USD, rounding=ROUND_UP)


def _problem(call: Call, exact: Decimal) -> str:
    made = _rounded_up(exact)
    if call.usd == made:
        return ""
    if call.usd < made:
        return "Less was charged than these lines make: no attempt is charged more than was set aside for it."
    return "These lines do not make up what was charged."


def _parts(call: Call, price: Price) -> tuple[Part, ...]:
    """What the charge is made of; nothing when the split is not on record."""
    if call.charge == Charge.USAGE and call.prompt_tokens is not None and call.completion_tokens is not None:
        cached = min(call.cached_tokens or 0, call.prompt_tokens)
        return (
            ("Prompt, not cached", call.prompt_tokens - cached, price.prompt_usd),
            ("Prompt, cached", cached, price.cached_usd),
            ("Completion, reasoning included", call.completion_tokens, price.completion_usd),
        )
    return _worst_parts(call, price) if call.charge == Charge.WORST else ()


def _worst_parts(call: Call, price: Price) -> tuple[Part, ...]:
    """The bound of the call; nothing when the charge was not that, but all that was left of what was set aside."""
    dearest = max(price.prompt_usd, price.cached_usd)
    for limit in _output_limits(call):
        prompt = call.tokens_charged - limit
        exact = (prompt * dearest + limit * price.completion_usd) / PER_MILLION
        if prompt >= 0 and _rounded_up(exact) == call.usd:
            return ("Prompt, at most", prompt, dearest), ("Completion, at most", limit, price.completion_usd)
    return ()


def _output_limits(call: Call) -> tuple[int, ...]:
    """What may have bounded the reply: what was sent with the call; of one nobody heard of again, the agent's own."""
    own = call.attempt.brief.agent.parameters.get(OUTPUT_LIMIT, AgentParameters().max_output_tokens)
    return tuple(limit for limit in (call.parameters.get(OUTPUT_LIMIT), own) if isinstance(limit, int))
