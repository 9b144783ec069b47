"""A decision, and the rules it must pass. A rule is a small function in a list; all run, all violations are kept.

Nothing here repairs a decision: what breaks a rule is refused with its reasons, never clamped or renormalised.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from market.core.canonical import plain


class Action(StrEnum):
    HOLD = "hold"
    REBALANCE = "rebalance"


class VerdictKind(StrEnum):
    """What counts for a turn. Only `REBALANCE` can lead to orders; only the first two are the agent's own word."""

    REBALANCE = "rebalance"
    HOLD = "hold"
    REJECTED = "rejected"
    SILENT = "silent"
    OVER_BUDGET = "over_budget"


VALID_VERDICTS = frozenset({VerdictKind.REBALANCE, VerdictKind.HOLD})


@dataclass(frozen=True, slots=True)
class Decision:
    """Target weights are fractions of the portfolio's value; what is not named stays in the quote asset."""

    action: Action
    weights: Mapping[str, Decimal] = field(default_factory=dict)
    confidence: Decimal | None = None
    rationale: str = ""


def decision_content(decision: Decision) -> dict[str, Any]:
    """A decision as plain JSON values, weights as text."""
    return {
        "action": decision.action.value,
        "weights": {name: plain(weight) for name, weight in decision.weights.items()},
        "confidence": None if decision.confidence is None else plain(decision.confidence),
        "rationale": decision.rationale,
    }


def decision_of(content: Mapping[str, Any]) -> Decision:
    """The decision whose `decision_content` this is."""
    confidence = content["confidence"]
    return Decision(
        Action(content["action"]),
        {name: Decimal(weight) for name, weight in content["weights"].items()},
        None if confidence is None else Decimal(confidence),
        content["rationale"],
    )


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule, in words a visitor understands."""

    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`decision` is set for valid verdicts, and for rejected ones that could be read."""

    kind: VerdictKind
    decision: Decision | None = None
    violations: tuple[Violation, ...] = ()
    reason: str = ""
    unwrapped: tuple[str, ...] = ()

    @property
    def is_valid(self) -> bool:
        return self.kind in VALID_VERDICTS


@dataclass(frozen=True, slots=True)
class Limits:
    """Fractions of the portfolio's value. `total_tolerance` is how far a stated total may be from 1."""

    max_weight: Decimal = Decimal(1)
    min_cash: Decimal = Decimal(0)
    max_turnover: Decimal = Decimal(1)
    total_tolerance: Decimal = Decimal("0.005")


class Bounds(NamedTuple):
    """What a decision is held against: the limits, what may be traded, and the weights held when it was asked for."""

    limits: Limits
    tradable: Set[str]
    quote: str
    held: Mapping[str, Decimal]


_NONE, _WHOLE = Decimal(0), Decimal(1)

Rule = Callable[[Decision, Bounds], Iterable[Violation]]


def symbols_are_listed(decision: Decision, bounds: Bounds) -> Iterable[Violation]:
    for name in decision.weights:
        if name != bounds.quote and name not in bounds.tradable:
            yield Violation("symbols_are_listed", f"{name} cannot be traded in this cycle")


def weights_are_fractions(decision: Decision, bounds: Bounds) -> Iterable[Violation]:
    for name, weight in decision.weights.items():
        if not weight.is_finite() or not _NONE <= weight <= _WHOLE:
            yield Violation("weights_are_fractions", f"{name} is {_told(weight)}; a weight lies between 0 and 1")


def total_is_one(decision: Decision, bounds: Bounds) -> Iterable[Violation]:
    """With the quote asset named, the total is stated and must be 1; without it, the rest is cash, never negative."""
    total = _total(decision.weights.values())
    tolerance = bounds.limits.total_tolerance
    if bounds.quote in decision.weights:
        if abs(total - _WHOLE) > tolerance:
            yield Violation("total_is_one", f"the weights add up to {plain(total)}, not to 1 within {plain(tolerance)}")
    elif total > _WHOLE + tolerance:
        yield Violation("total_is_one", f"the weights add up to {plain(total)}, more than the whole portfolio")


def weight_below_cap(decision: Decision, bounds: Bounds) -> Iterable[Violation]:
    cap = bounds.limits.max_weight
    for name, weight in _risky(decision, bounds).items():
        if weight > cap:
            yield Violation("weight_below_cap", f"{name} at {plain(weight)} is above the cap of {plain(cap)}")


def cash_above_floor(decision: Decision, bounds: Bounds) -> Iterable[Violation]:
    cash = _WHOLE - _total(_risky(decision, bounds).values())
    floor = bounds.limits.min_cash
    if cash < floor - bounds.limits.total_tolerance:
        yield Violation("cash_above_floor", f"cash of {plain(cash)} is below the floor of {plain(floor)}")


def turnover_below_cap(decision: Decision, bounds: Bounds) -> Iterable[Violation]:
    """Turnover is half the sum of all changes of weight, cash included: selling everything for something else is 1."""
    wanted = _risky(decision, bounds)
    names = sorted(wanted.keys() | bounds.held.keys())
    moved = _total(abs(wanted.get(name, _NONE) - bounds.held.get(name, _NONE)) for name in names)
    cash_moved = abs(_total(wanted.values()) - _total(bounds.held.values()))
    turnover = (moved + cash_moved) / 2
    cap = bounds.limits.max_turnover
    if turnover > cap + bounds.limits.total_tolerance:
        yield Violation("turnover_below_cap", f"a turnover of {turnover:.4f} is above the cap of {plain(cap)}")


RULES_WITHOUT_ARITHMETIC: tuple[Rule, ...] = (symbols_are_listed, weights_are_fractions)
RULES: tuple[Rule, ...] = (
    *RULES_WITHOUT_ARITHMETIC,
    total_is_one,
    weight_below_cap,
    cash_above_floor,
    turnover_below_cap,
)


def violations_of(decision: Decision, bounds: Bounds) -> tuple[Violation, ...]:
    """Every rule this decision breaks, in the order of `RULES`; a hold breaks none."""
    if decision.action is Action.HOLD or plainly_fair(decision.weights, bounds):
        return ()
    is_finite = all(weight.is_finite() for weight in decision.weights.values())
    rules = RULES if is_finite else RULES_WITHOUT_ARITHMETIC  # sums with a NaN in them would say nothing
    return tuple(violation for rule in rules for violation in rule(decision, bounds))


def plainly_fair(weights: Mapping[str, Decimal], bounds: Bounds) -> bool:
    """Whether one look is enough to see that no rule is broken: fractions of one whole, and limits that forbid nothing.

    Turnover is at most the larger of what is wanted and what is held, and neither is more than the whole.
    """
    limits, tradable, quote, _ = bounds
    if limits.max_weight < _WHOLE or limits.min_cash > _NONE or limits.max_turnover < _WHOLE:
        return False
    total = _NONE
    for name, weight in weights.items():
        if not weight.is_finite() or not _NONE <= weight <= _WHOLE or not (name in tradable or name == quote):
            return False
        total += weight
    return total == _WHOLE if quote in weights else total <= _WHOLE


def _told(weight: Decimal) -> str:
    return plain(weight) if weight.is_finite() else str(weight)


def _risky(decision: Decision, bounds: Bounds) -> dict[str, Decimal]:
    return {name: weight for name, weight in decision.weights.items() if name != bounds.quote}


def _total(weights: Iterable[Decimal]) -> Decimal:
    return sum(weights, _NONE)
