"""Calls as they are kept: cleaned of anything that looks like a key, bounded, hashed here, and charged.

Both hashes can be computed again from the row itself: `request_sha256` over model, messages and parameters in the
canonical form, `reply_sha256` over the UTF-8 bytes of the reply.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from agents.core.budgeting import PricedCall
from agents.core.calls import CallRecord
from agents.core.charging import Charged, charges
from agents.core.pricing import NOTHING, ModelCard, Worst
from agents.core.text import storable
from agents.models import Attempt, Call
from market.core.canonical import sha256_of

CALLS_MAX = 100
REPLY_CHARACTERS_MAX = 65_536
MESSAGE_CHARACTERS_MAX = 262_144
MESSAGES_MAX = 50
DETAILS_CHARACTERS_MAX = 8_192  # of `parameters` and of `usage_raw`, as JSON
DEPTH_MAX = 20
INTEGER_MAX = 2**31 - 1
FLOAT_MAX = 1e15
CLOCK_SKEW_MAX = timedelta(days=1)

Clean = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The rows that were written, what they are charged together, and what was doubtful about them."""

    calls: tuple[Call, ...]
    charged: Worst
    doubts: tuple[str, ...]


def record_calls(
    attempt: Attempt,
    records: Sequence[CallRecord],
    plan: Sequence[PricedCall],
    cards: Mapping[str, ModelCard],
    held: Worst,
    clean: Clean,
) -> Recorded:
    """Write what was asked of models in an attempt, one row per try, in the order in which they began.

    `plan` are the calls that `held` was set aside for; `clean` takes keys out of a text. Together the rows are
    charged at most `held`, and exactly what the reservation is then to be charged. Inside the caller's transaction.
    """
    ordered = sorted(records[:CALLS_MAX], key=lambda record: _began(record, attempt))
    charged = charges(ordered, plan, cards, held)
    rows = [
        _row(attempt, position, record, charge, clean)
        for position, (record, charge) in enumerate(zip(ordered, charged, strict=True), start=1)
    ]
    Call.objects.bulk_create(rows)
    doubts = [charge.doubt for charge in charged if charge.doubt]
    if len(records) > CALLS_MAX:
        doubts.append(f"{len(records)} calls were reported; the first {CALLS_MAX} are kept")
    total = sum((charge.amount for charge in charged), NOTHING)
    return Recorded(tuple(rows), total, tuple(_text(doubt, clean, 300) for doubt in doubts))


def _row(attempt: Attempt, position: int, record: CallRecord, charge: Charged, clean: Clean) -> Call:
    request: dict[str, Any] = {
        "model": _text(record.requested_model, clean, 120),
        "messages": [
            {"role": message.role, "content": _text(message.content, clean, MESSAGE_CHARACTERS_MAX)}
            for message in record.messages[:MESSAGES_MAX]
        ],
        "parameters": _details(record.parameters, clean),
    }
    reply = _text(record.reply, clean, REPLY_CHARACTERS_MAX)
    return Call(
        attempt=attempt,
        position=position,
        role=_text(record.role, clean, 20),
        number=record.number,
        requested_model=request["model"],
        messages=request["messages"],
        parameters=request["parameters"],
        reply=reply,
        request_sha256=sha256_of(request),
        reply_sha256=sha256(reply.encode()).hexdigest(),
        price_id=charge.card.price_id if charge.card else None,
        charge=charge.by.value,
        tokens_charged=charge.amount.tokens,
        usd=charge.amount.usd,
        started_at=_began(record, attempt),
        **_reported(record, clean),
    )


def _reported(record: CallRecord, clean: Clean) -> dict[str, Any]:
    """What the runner and the provider say about a call."""
    usage, status = record.usage, record.status
    return {
        "returned_model": _text(record.returned_model, clean, 200),
        "prompt_tokens": usage.prompt if usage else None,
        "completion_tokens": usage.completion if usage else None,
        "reasoning_tokens": usage.reasoning if usage else None,
        "cached_tokens": usage.cached if usage else None,
        "usage_raw": _details(record.usage_raw, clean),
        "latency_ms": min(record.latency_ms, INTEGER_MAX),
        "finish_reason": _text(record.finish_reason, clean, 40),
        "error_class": record.error_class.value if record.error_class else "",
        "error_detail": _text(record.error_detail, clean, 300),
        "status": status if status is not None and 100 <= status <= 599 else None,
        "provider_request_id": _text(record.provider_request_id, clean, 200),
    }


def _text(text: str, clean: Clean, characters_max: int) -> str:
    """Fit to be kept. Cleaned before it is cut, so that no cut can hide half a key."""
    kept = clean(storable(text))
    if len(kept) <= characters_max:
        return kept
    mark = "… (cut)"
    return kept[: characters_max - len(mark)] + mark


def _details(value: Mapping[str, Any], clean: Clean) -> dict[str, Any]:
    """An object from outside as JSON that the database takes; one that is too long is left out, and says so."""
    kept = {_text(key, clean, 200): _plain(item, clean, 1) for key, item in value.items()}
    length = len(json.dumps(kept))
    return kept if length <= DETAILS_CHARACTERS_MAX else {"left out": f"{length} characters"}


def _plain(value: Any, clean: Clean, depth: int) -> Any:
    if isinstance(value, str):
        return _text(value, clean, DETAILS_CHARACTERS_MAX)
    if isinstance(value, int | float):
        return _number(value)
    if value is None:
        return None
    if depth == DEPTH_MAX:
        return "…"
    if isinstance(value, Mapping):
        return {_text(str(key), clean, 200): _plain(item, clean, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, clean, depth + 1) for item in value]
    return _text(str(value), clean, DETAILS_CHARACTERS_MAX)


def _number(value: int | float) -> int | float | str:
    """A number that comes back from the database as it went in, so that its hash can be computed again."""
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else "a number too long to be kept"
    is_kept = math.isfinite(value) and abs(value) < FLOAT_MAX
    return value + 0.0 if is_kept else str(value)  # + 0.0: the database knows no minus zero


def _began(record: CallRecord, attempt: Attempt) -> datetime:
    """When the runner says it began; if that is not near the attempt, its clock is not to be believed."""
    at = record.started_at if record.started_at.tzinfo else record.started_at.replace(tzinfo=UTC)
    return at if abs(at - attempt.started_at) < CLOCK_SKEW_MAX else attempt.started_at
