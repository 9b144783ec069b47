"""A season whose entries have really asked models: calls of every kind on record, prices, budgets, and a firm."""

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from agents.core.budgeting import Caps, scopes_for
from agents.core.calls import ErrorClass, Usage
from agents.core.pricing import NOTHING, ModelCard, usd_of, worst_of
from agents.core.roster import Profile
from agents.models import Attempt, AttemptOutcome, Budget, Call, Charge, Price
from competition.models import Turn
from market.core.canonical import sha256_of
from tests.pages.deliberated import CALLED, deliberation
from tests.pages.seasons import HARM, Played, play_season

STRONG, CHEAP, SCRIPT_MODEL = "anthropic/claude-strong-4", "openai/gpt-cheap", "offline/steady"
ORACLE = Profile("oracle", "Oracle", "single", STRONG, {"seed": 7, "effort": "high"})
PARROT = Profile("parrot", "Parrot", "single", SCRIPT_MODEL, {"seed": 7})
COUNCIL = Profile("council", "The council", "firm", STRONG, {"seed": 7, "analyst_model": CHEAP})
PRICED_AT = datetime(2023, 6, 1, tzinfo=UTC)
MAX_OUTPUT = 4_000


@dataclass(frozen=True)
class Asked:
    """A played season with calls. `firm_week` has a firm's deliberation; `calls` are all, in the order written."""

    played: Played
    calls: tuple[Call, ...]
    firm_week: int = 1

    def get(self, path: str) -> str:
        return self.played.get(path)

    def call(self, **wanted: Any) -> Call:
        return next(call for call in self.calls if all(getattr(call, name) == value for name, value in wanted.items()))


def asked_season(slug: str, weeks: int = 3, entries: int | None = 3) -> Asked:
    played = play_season(slug, weeks, entries, more=(ORACLE, PARROT, COUNCIL))
    prices = list_prices()
    turns = Turn.objects.filter(cycle__season=played.season).select_related("brief", "cycle", "entry")
    calls: list[Call] = []
    for turn in turns.order_by("cycle__number", "entry__number"):
        if turn.entry.slug in (ORACLE.slug, PARROT.slug):
            model = STRONG if turn.entry.slug == ORACLE.slug else SCRIPT_MODEL
            calls += ask_single(turn, prices[model])
        elif turn.entry.slug == COUNCIL.slug:
            calls += ask_firm(turn, prices)
    set_budgets(slug)
    return Asked(played, tuple(Call.objects.bulk_create(calls)))


def list_prices() -> dict[str, Price]:
    """Prices in force by model, behind an older and dearer row of each."""
    listed = {STRONG: ("3", "15", "0.30"), CHEAP: ("0.15", "0.60", "0.075"), SCRIPT_MODEL: ("0.1", "0.4", "0.1")}
    for model, usd in listed.items():
        _list(model, PRICED_AT - timedelta(days=365), "an operator", "9", "90", "9")
        _list(model, PRICED_AT, "price map 1.80", *usd)
    return {model: Price.objects.get(model=model, valid_from=PRICED_AT) for model in listed}


def _list(model: str, at: datetime, source: str, prompt: str, completion: str, cached: str) -> None:
    usd = {"prompt_usd": Decimal(prompt), "completion_usd": Decimal(completion), "cached_usd": Decimal(cached)}
    Price.objects.get_or_create(model=model, valid_from=at, defaults={"source": source, **usd})


def set_budgets(slug: str, agent_slug: str = ORACLE.slug) -> None:
    """What an agent may use, under the keys that a reservation is made under."""
    caps = Caps(Decimal(1), Decimal(2), Decimal(3), Decimal(5), 200_000)
    today = timezone.now().astimezone(UTC).date()
    _, day, season = (scope.key for scope in scopes_for(f"{slug}/1/{agent_slug}", agent_slug, today, slug, caps))
    spent = {"usd_spent": Decimal("1.25"), "usd_reserved": Decimal("0.5")}
    Budget.objects.create(scope=season, usd_cap=caps.usd_per_season, **spent)
    Budget.objects.get_or_create(scope=day, defaults={"tokens_cap": 200_000, "tokens_spent": 50_000})


def ask_single(turn: Turn, price: Price) -> list[Call]:
    """One attempt that failed in every other way first: limited, out of time, over what is left, then answered."""
    attempt = _attempt(turn)
    week = turn.cycle.number
    told = {"role": "single", "attempt": attempt, "price": price}
    return [
        _call(1, 1, error=ErrorClass.RATE_LIMITED, status=429, charge=Charge.WORST, **told),
        _call(2, 2, usage=Usage(prompt=4_000 + week, completion=900 + week, reasoning=300, cached=1_000), **told),
        _call(3, 3, error=ErrorClass.OVER_ALLOWANCE, charge=Charge.NOTHING, **told),
        _call(4, 4, usage=Usage(prompt=777, completion=MAX_OUTPUT), finish="length", **told),
    ]


def ask_firm(turn: Turn, prices: dict[str, Price]) -> list[Call]:
    """The calls behind `deliberation`, on an attempt that keeps it."""
    attempt = _attempt(turn, deliberation=deliberation())
    calls = []
    for position, (role, usage, error, after_s, took_s) in enumerate(CALLED, start=1):
        price = prices[CHEAP if role in ("technical", "sentiment", "tokenomics") else STRONG]
        calls.append(
            _call(
                position,
                1 + sum(call.role == role for call in calls),
                role=role,
                attempt=attempt,
                price=price,
                usage=usage,
                error=error,
                charge=Charge.USAGE if usage else Charge.WORST,
                started_at=attempt.started_at + timedelta(seconds=after_s),
                latency_ms=int(took_s * 1000),
            )
        )
    return calls


def _attempt(turn: Turn, deliberation: dict[str, Any] | None = None) -> Attempt:
    at = turn.cycle.opened_at + timedelta(seconds=90)
    number = 1 + turn.brief.attempts.count()
    return Attempt.objects.create(
        brief=turn.brief,
        number=number,
        run_token=uuid.uuid4(),
        started_at=at,
        lease_until=at + timedelta(seconds=600),
        ended_at=at + timedelta(seconds=41),
        outcome=AttemptOutcome.ANSWERED,
        reply=json.dumps({"action": "hold", "rationale": HARM}),
        truncated=deliberation is None,
        deliberation=deliberation,
        cost_usd=Decimal("0.0123"),
    )


MESSAGES = [
    {"role": "system", "content": "You manage a portfolio. Answer in JSON."},
    {"role": "user", "content": f"{HARM} <brief>" + json.dumps({"cycle": 1}) + "</brief>"},
]


def _call(
    position: int,
    number: int,
    *,
    role: str,
    attempt: Attempt,
    price: Price,
    usage: Usage | None = None,
    error: str = "",
    status: int | None = None,
    charge: Charge = Charge.USAGE,
    finish: str = "stop",
    started_at: datetime | None = None,
    latency_ms: int = 2_310,
) -> Call:
    parameters = {"max_output_tokens": MAX_OUTPUT, "seed": 7, "temperature": 0.2}
    reply = "" if error else json.dumps({"action": "hold", "rationale": HARM}, ensure_ascii=False)
    bound = worst_of(1_234, MAX_OUTPUT, card_of(price)) if charge == Charge.WORST else NOTHING
    charged = usd_of(usage, card_of(price)) if usage else bound.usd
    return Call(
        attempt=attempt,
        position=position,
        role=role,
        number=number,
        requested_model=price.model,
        returned_model="" if error else f"{price.model.partition('/')[2]}-2024-01-01",
        parameters=parameters,
        messages=MESSAGES,
        reply=reply,
        prompt_tokens=usage.prompt if usage else None,
        completion_tokens=usage.completion if usage else None,
        reasoning_tokens=usage.reasoning if usage else None,
        cached_tokens=usage.cached if usage else None,
        usage_raw={"prompt_tokens": usage.prompt, "note": HARM} if usage else {},
        price=price,
        charge=charge,
        tokens_charged=usage.total if usage else bound.tokens,
        usd=charged,
        started_at=started_at or attempt.started_at + timedelta(seconds=5 * position),
        latency_ms=0 if charge == Charge.NOTHING else latency_ms,
        finish_reason="" if error else finish,
        error_class=error,
        error_detail=HARM if error else "",
        status=status,
        provider_request_id="" if error else "req_0123",
        request_sha256=sha256_of({"model": price.model, "messages": MESSAGES, "parameters": parameters}),
        reply_sha256=hashlib.sha256(reply.encode()).hexdigest(),
    )


def card_of(price: Price) -> ModelCard:
    return ModelCard(
        model=price.model,
        price_id=price.pk,
        prompt_usd=price.prompt_usd,
        completion_usd=price.completion_usd,
        cached_usd=price.cached_usd,
    )
