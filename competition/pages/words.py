"""What a turn came to, in one line: the verdict with its mark, what was traded, and the entry's own reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from competition.core.states import CycleState, TurnState
from competition.models import Turn
from competition.pages.figures import listed, money, percent
from competition.pages.text import detail, line
from portfolio.core.decisions import VerdictKind
from portfolio.core.orders import Side

# (word, shape, tone): shape and word say it without the colour
VERDICT_MARKS: Mapping[str, tuple[str, str, str]] = {
    VerdictKind.REBALANCE: ("Rebalanced", "diamond", "acted"),
    VerdictKind.HOLD: ("Held", "bar", "calm"),
    VerdictKind.REJECTED: ("Rejected", "cross", "failed"),
    VerdictKind.SILENT: ("Silent", "ring", "failed"),
    VerdictKind.OVER_BUDGET: ("Not paid for", "triangle", "failed"),
}
CYCLE_MARKS: Mapping[str, tuple[str, str, str]] = {
    CycleState.BRIEFING: ("Briefing", "half", "running"),
    CycleState.ASKING: ("Asking", "half", "running"),
    CycleState.TRADING: ("Trading", "half", "running"),
    CycleState.CLOSING: ("Closing", "half", "running"),
    CycleState.CLOSED: ("Closed", "diamond", "acted"),
    CycleState.HELD: ("Held for all", "bar", "calm"),
    CycleState.MISSED: ("Missed", "cross", "failed"),
}
_QUARANTINED = ("Set aside", "triangle", "failed")
_PROVISIONAL = ("Provisional", "half", "running")
_WAITING = ("Being asked", "half", "running")

# what of a turn its deed is made of
DEED_COLUMNS = ("state", "verdict", "verdict_reason", "decision", "violations", "trade_reason", "skipped")

# amount in quote by (side, symbol)
Traded = Mapping[tuple[str, str], Decimal]


@dataclass(frozen=True, slots=True)
class Mark:
    """A state as word, shape and tone (acted, calm, failed, running)."""

    word: str
    shape: str
    tone: str


@dataclass(frozen=True, slots=True)
class Deed:
    """`did` is ours; `quote` is what the entry itself gave as its reason, perhaps nothing."""

    mark: Mark
    did: str
    quote: str


def cycle_mark(state: str) -> Mark:
    return Mark(*CYCLE_MARKS[state])


def turn_mark(turn: Turn) -> Mark:
    """The verdict, unless it does not stand yet or could not be carried out."""
    if turn.state == TurnState.QUARANTINED:
        return Mark(*_QUARANTINED)
    if turn.state == TurnState.PROVISIONAL:
        return Mark(*_PROVISIONAL)
    return Mark(*VERDICT_MARKS[turn.verdict]) if turn.verdict else Mark(*_WAITING)


def deed_of(turn: Turn, traded: Traded, quote: str) -> Deed:
    """What became of a turn. `traded` is what its fills moved, by side and symbol; `quote` the quote asset."""
    return Deed(turn_mark(turn), _did(turn, traded, quote), line(rationale_of(turn)))


def rationale_of(turn: Turn) -> str:
    """The reason the entry gave, verbatim; empty when it gave none or could not be read."""
    return str(turn.decision["rationale"]) if turn.decision else ""


def weights_text(turn: Turn, quote: str) -> str:
    """The target weights a reply asked for, as `BTC 60.0%, ETH 40.0%`; empty when it asked for none."""
    weights = turn.decision["weights"] if turn.decision else {}
    shares = sorted(((Decimal(weight), name) for name, weight in weights.items()), reverse=True)
    return line(", ".join(f"{name.removesuffix(quote) or name} {percent(share)}" for share, name in shares))


def why_invalid(turn: Turn) -> str:
    """Why a turn without a valid decision has none, in a sentence."""
    details = [detail(violation["detail"]) for violation in turn.violations]
    if not details:
        return line(turn.verdict_reason)
    return "; ".join(details[:2]) + (f" (and {len(details) - 2} more)" if len(details) > 2 else "")


def _did(turn: Turn, traded: Traded, quote: str) -> str:
    if not turn.verdict:
        return "No decision yet"
    if turn.state == TurnState.QUARANTINED:
        return f"The ledger did not add up, so nothing was posted: {line(turn.trade_reason)}"
    if turn.verdict == VerdictKind.HOLD:
        return "Changed nothing"
    if turn.verdict != VerdictKind.REBALANCE:
        return f"No order: {why_invalid(turn)}"
    if turn.state == TurnState.PROVISIONAL:
        return f"Waits for the outcome of an order: {line(turn.trade_reason)}"
    if turn.state != TurnState.SETTLED:
        return "New weights, not traded yet"
    return trades_text(traded, quote) or _why_no_trade(turn)


def trades_text(traded: Traded, quote: str) -> str:
    """`Sold ETH, bought BTC and SOL for 1,204 USDT`; empty when nothing was traded."""
    sold, bought = _names(traded, Side.SELL, quote), _names(traded, Side.BUY, quote)
    parts = [f"{verb} {listed(names)}" for verb, names in (("sold", sold), ("bought", bought)) if names]
    if not parts:
        return ""
    text = f"{', '.join(parts)} for {money(sum(traded.values(), Decimal(0)), 0)} {quote}"
    return text[0].upper() + text[1:]


def _why_no_trade(turn: Turn) -> str:
    if turn.trade_reason:
        return line(turn.trade_reason)
    reasons = sorted({line(skip["reason"]) for skip in turn.skipped})
    return f"Asked for weights it nearly has: {'; '.join(reasons)}" if reasons else "Asked for the weights it has"


def _names(traded: Traded, side: Side, quote: str) -> list[str]:
    return sorted(symbol.removesuffix(quote) for (at_side, symbol) in traded if at_side == side)


def marks_legend() -> Sequence[tuple[Mark, str]]:
    """Every verdict with what it means, for pages that explain the marks."""
    meanings = {
        VerdictKind.REBALANCE: "new target weights, carried out at the trade prices",
        VerdictKind.HOLD: "the entry chose to change nothing",
        VerdictKind.REJECTED: "a reply came, and it broke a rule or could not be read: no order",
        VerdictKind.SILENT: "no reply counted by the deadline: no order",
        VerdictKind.OVER_BUDGET: "asking could not be paid for (a cap was reached, or a model has no price): no order",
    }
    return [(Mark(*VERDICT_MARKS[kind]), meaning) for kind, meaning in meanings.items()]
