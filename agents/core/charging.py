"""What calls are charged. Usage is believed only within the bound of the call; a doubt is charged as the worst."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agents.core.budgeting import PricedCall
from agents.core.calls import UNSENT, CallRecord, ErrorClass, Usage
from agents.core.pricing import NOTHING, ModelCard, Worst, usd_of

REFUSED_UNREAD = frozenset(
    {
        ErrorClass.RATE_LIMITED,
        ErrorClass.KEY_REFUSED,
        ErrorClass.MODEL_UNKNOWN,
        ErrorClass.CONTEXT_TOO_LONG,
        ErrorClass.BAD_REQUEST,
    }
)


class ChargedBy(StrEnum):
    """By what a call is charged."""

    USAGE = "usage"
    WORST = "worst"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Charged:
    """What one try is charged, at the price of `card`; `doubt` says what was wrong with its account of itself."""

    by: ChargedBy
    amount: Worst
    card: ModelCard | None
    doubt: str = ""


def charges(
    records: Sequence[CallRecord], plan: Sequence[PricedCall], cards: Mapping[str, ModelCard], held: Worst
) -> tuple[Charged, ...]:
    """The charge of each try, in their order; together never more than `held`, what was set aside for all of them.

    Where nothing was planned and nothing set aside, a foreign agent tells of calls of its own: nothing is charged.
    """
    if not plan and held == NOTHING:
        return tuple(Charged(ChargedBy.NOTHING, NOTHING, None) for _ in records)
    planned: dict[str, PricedCall] = {}
    for call in plan:  # of a role that may be asked twice, the larger bound
        known = planned.get(call.role)
        planned[call.role] = call if known is None or known.bound.fits_in(call.bound) else known
    left, found = held, []
    for record in records:
        charged = _charge(record, planned.get(record.role), cards.get(record.requested_model), left)
        left = Worst(tokens=left.tokens - charged.amount.tokens, usd=left.usd - charged.amount.usd)
        found.append(charged)
    return tuple(found)


def _charge(record: CallRecord, planned: PricedCall | None, card: ModelCard | None, left: Worst) -> Charged:
    if _says_nothing(record) and (was_never_sent(record) or was_refused_unread(record)):
        return Charged(ChargedBy.NOTHING, NOTHING, card)
    name = f"{record.role}, try {record.number}"
    if planned is None or card is None or card.model != planned.card.model:
        doubt = f"{name}: nobody planned to ask {record.requested_model} this; charged all that was left"
        return Charged(ChargedBy.WORST, left, card, doubt)
    used = _believable(record.usage, bool(record.reply), card, planned.bound)
    wanted = planned.bound if used is None else used
    amount = Worst(tokens=min(wanted.tokens, left.tokens), usd=min(wanted.usd, left.usd))
    doubt = ""
    if used is None and record.usage is not None:
        doubt = f"{name}: the usage it reported cannot be ({_words(record.usage)}); charged the worst case"
    elif used is not None and amount != wanted:
        doubt = f"{name}: it used more than was left of what had been set aside"
    return Charged(ChargedBy.WORST if used is None else ChargedBy.USAGE, amount, card, doubt)


def was_never_sent(record: CallRecord) -> bool:
    """Whether the call failed before anything of it left the runner; a provider's status would say that it did."""
    return record.error_class in UNSENT or (not record.was_sent and bool(record.error_class) and record.status is None)


def was_refused_unread(record: CallRecord) -> bool:
    """Whether the provider itself turned the call away before any model read it: a parsed 4xx."""
    return record.error_class in REFUSED_UNREAD and 400 <= (record.status or 0) < 500


def _says_nothing(record: CallRecord) -> bool:
    """No reply and no report of tokens: where there is either, a model was at work, whatever else is said."""
    return not record.reply and record.usage is None and not record.usage_raw


def _believable(usage: Usage | None, replied: bool, card: ModelCard, bound: Worst) -> Worst | None:
    """What the usage amounts to, if it can be true: a prompt has tokens, a reply too, parts fit into their whole."""
    if usage is None or usage.prompt == 0 or (replied and usage.completion == 0):
        return None
    if usage.reasoning > usage.completion or usage.cached > usage.prompt:
        return None
    used = Worst(tokens=usage.total, usd=usd_of(usage, card))
    return used if used.fits_in(bound) else None


def _words(usage: Usage) -> str:
    return f"{usage.prompt} prompt and {usage.completion} completion tokens"
