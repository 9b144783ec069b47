"""Calls wherever they are listed: what became of one in a word, what it cost, and where it is shown in full."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from agents.core.calls import UNSENT, ErrorClass
from agents.core.wire_answer import is_whole
from agents.models import SIMULATED_PREFIXES, Call
from competition.pages.figures import NOTHING
from competition.pages.text import line
from competition.pages.words import Mark

# What a list of calls does not show, and what is long.
LONG_FIELDS = ("messages", "reply", "usage_raw")

ROLE_TITLES = {
    "single": "single model",
    "technical": "technical analyst",
    "sentiment": "sentiment analyst",
    "tokenomics": "tokenomics analyst",
    "risk": "risk manager",
}
# (word, what it means)
ERROR_WORDS: Mapping[str, tuple[str, str]] = {
    ErrorClass.RATE_LIMITED: ("Rate limited", "The provider had no capacity or the key had used up its share."),
    ErrorClass.SERVER_ERROR: ("Server error", "The provider's server failed; the same call may work a moment later."),
    ErrorClass.CONNECTION: ("Connection lost", "The connection could not be made, or broke before the reply was in."),
    ErrorClass.TIMEOUT: ("Timed out", "No complete reply came within the time that one call may take."),
    ErrorClass.KILLED: ("Ended by us", "The time of the whole attempt was over, so the process that waited was ended."),
    ErrorClass.KEY_REFUSED: ("Key refused", "The provider did not accept the key: missing, wrong, or not for this."),
    ErrorClass.MODEL_UNKNOWN: ("Model unknown", "The provider has no model of this name, or not for this key."),
    ErrorClass.CONTEXT_TOO_LONG: ("Too long", "The messages and the room for the reply exceed the model's context."),
    ErrorClass.BAD_REQUEST: ("Request refused", "The provider refused the request as it was put."),
    ErrorClass.CONTENT_REFUSED: ("Content refused", "A filter of the provider refused the question or the reply."),
    ErrorClass.TOO_LARGE: ("Reply too large", "The reply exceeded the size that is read, so reading was stopped."),
    ErrorClass.MALFORMED: ("Malformed", "What came back was not what a provider of this kind answers with."),
    ErrorClass.OVER_ALLOWANCE: ("Not allowed", "What was left of the budget or the time did not cover the worst case."),
    ErrorClass.ADDRESS_REFUSED: ("Address refused", "The address to be asked is not on the operator's list."),
    ErrorClass.UNKNOWN: ("Failed", "It failed in a way nobody has given a class to yet."),
}


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call in a list. `tries` is empty unless its role tried more than once; `usd` has every digit."""

    id: int
    role: str
    tries: str
    model: str
    is_simulated: bool
    mark: Mark
    tokens: str
    usd: str
    took: str


def call_lines(calls: Iterable[Call]) -> tuple[CallLine, ...]:
    """Calls in the order in which they began."""
    rows = sorted(calls, key=lambda call: call.position)
    usd = aligned_usd([call.usd for call in rows])
    tries, begun = Counter(call.role for call in rows), Counter[str]()
    lines = []
    for call, cost in zip(rows, usd, strict=True):
        begun[call.role] += 1
        lines.append(_line(call, begun[call.role], tries[call.role], cost))
    return tuple(lines)


def _line(call: Call, number: int, tries: int, usd: str) -> CallLine:
    return CallLine(
        id=call.id,
        role=role_word(call.role),
        tries=f"try {number} of {tries}" if tries > 1 else "",
        model=line(call.requested_model),
        is_simulated=is_simulated(call.requested_model),
        mark=call_mark(call),
        tokens=tokens_text(call),
        usd=usd,
        took=took(call),
    )


def call_mark(call: Call) -> Mark:
    """Answered, cut off, or what went wrong."""
    if call.error_class:
        return Mark(error_words(call.error_class)[0], "cross", "failed")
    return Mark("Cut off", "triangle", "failed") if is_cut(call) else Mark("Answered", "diamond", "acted")


def is_cut(call: Call) -> bool:
    """Whether an answer came that did not end as a whole one does; by the provider's own word."""
    strategy = call.parameters.get("strategy") if isinstance(call.parameters, dict) else None
    return not is_whole(call.finish_reason, str(strategy or ""))


def error_words(error_class: str) -> tuple[str, str]:
    """The class as a word, and what it means."""
    return ERROR_WORDS.get(error_class, (line(error_class), "Nobody has described this class yet."))


def is_simulated(model: str) -> bool:
    """A script answers for this model string, at a price that is made up."""
    return model.startswith(SIMULATED_PREFIXES)


def role_word(role: str) -> str:
    """The role as people say it; one of an agent that is not ours as it was written."""
    return ROLE_TITLES.get(role) or line(role.replace("_", " "))


def tokens_text(call: Call) -> str:
    """Tokens sent and received, as `1,234 → 56`; a dash when nobody said."""
    if call.prompt_tokens is None or call.completion_tokens is None:
        return NOTHING
    return f"{call.prompt_tokens:,} → {call.completion_tokens:,}"


def took(call: Call) -> str:
    """From sending to the last byte; a dash when nothing was sent."""
    return NOTHING if call.error_class in UNSENT else seconds(call.latency_ms)


def seconds(latency_ms: int) -> str:
    return f"{Decimal(latency_ms) / 1000:,.2f} s"


def exact_usd(amount: Decimal) -> str:
    """Every digit there is, and at least two decimals."""
    return f"{amount:,.{decimals(amount)}f}"


def aligned_usd(amounts: Sequence[Decimal]) -> list[str]:
    """Amounts for one column: each exact, all with as many decimals as the one that needs most."""
    places = max(map(decimals, amounts), default=2)
    return [f"{amount:,.{places}f}" for amount in amounts]


def decimals(amount: Decimal) -> int:
    """How many decimals it takes to write this amount exactly, two at least."""
    exponent = amount.normalize().as_tuple().exponent
    return max(2, -exponent) if isinstance(exponent, int) else 2
