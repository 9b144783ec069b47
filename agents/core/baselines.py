"""House baselines: yardsticks that read the same brief and pay the same costs as everyone.

Each is a function from a brief's content and its own parameters to target weights, or None to hold.
"""

import json
import random
from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

from market.core.canonical import plain

Weights = dict[str, Decimal]
Baseline = Callable[[Mapping[str, Any], Mapping[str, Any]], Weights | None]

_FOUR_PLACES = Decimal("0.0001")


OF_THE_HOUSE = ("baseline/", "rule/")  # decided in process, for nothing


class UnknownBaseline(ValueError):
    """A model string `baseline/…` that is not in the list."""


def all_cash(brief: Mapping[str, Any], parameters: Mapping[str, Any]) -> Weights | None:
    """Never buys."""
    return None


def fixed_once(brief: Mapping[str, Any], parameters: Mapping[str, Any]) -> Weights | None:
    """Buys its weights when it holds nothing, then never trades again."""
    return None if brief["portfolio"]["holdings"] else _given(brief, parameters)


def fixed_rebalanced(brief: Mapping[str, Any], parameters: Mapping[str, Any]) -> Weights | None:
    """Comes back to its weights every cycle."""
    return _given(brief, parameters)


def equal_weight(brief: Mapping[str, Any], parameters: Mapping[str, Any]) -> Weights | None:
    """The same weight in every symbol of the brief, every cycle."""
    names = sorted(brief["market"]["symbols"])
    return dict.fromkeys(names, equal_share(len(names))) or None


def momentum(brief: Mapping[str, Any], parameters: Mapping[str, Any]) -> Weights | None:
    """Equal weight in the few symbols that rose most over 28 days; only those that rose at all; else cash."""
    rose = {name: change for name, change in _figures(brief, "change_28d").items() if change > 0}
    best = sorted(rose, key=lambda name: (-rose[name], name))[: parameters.get("top", 2)]
    return {name: _share(Decimal(1), len(best)) for name in best} or _cash(brief)


def risk_parity(brief: Mapping[str, Any], parameters: Mapping[str, Any]) -> Weights | None:
    """Weights in inverse proportion to 28-day volatility: each symbol is to shake the portfolio equally."""
    calm = {name: 1 / figure for name, figure in _figures(brief, "volatility_28d").items() if figure > 0}
    total = sum(calm.values(), Decimal(0))
    return {name: _cut(figure / total) for name, figure in calm.items()} or None


def seeded_random(brief: Mapping[str, Any], parameters: Mapping[str, Any]) -> Weights | None:
    """Weights drawn afresh every cycle from a seed and the cycle's number: what luck looks like."""
    draw = random.Random(f"{parameters.get('seed', 0)}/{brief['cycle']}")  # noqa: S311 - a game, not a secret
    names = sorted(brief["market"]["symbols"])
    parts = [draw.randrange(1, 1000) for _ in [*names, "cash"]]
    return {name: _share(Decimal(part), sum(parts)) for name, part in zip(names, parts, strict=False)} or None


BASELINES: Mapping[str, Baseline] = {
    "baseline/all-cash": all_cash,
    "baseline/fixed-once": fixed_once,
    "baseline/fixed-rebalanced": fixed_rebalanced,
    "baseline/equal-weight": equal_weight,
    "baseline/momentum": momentum,
    "baseline/risk-parity": risk_parity,
    "baseline/random": seeded_random,
}


def baseline_reply(model: str, parameters: Mapping[str, Any], brief: Mapping[str, Any]) -> str:
    """The baseline's answer in the form every agent answers in; `model` is one of `BASELINES`."""
    baseline = BASELINES[model]
    why = (baseline.__doc__ or "").strip().splitlines()[0]
    weights = baseline(brief, parameters)
    weights = None if weights is None else within_limits(weights, brief)
    return hold_text(why) if weights is None else rebalance_text(weights, why)


def within_limits(weights: Weights, brief: Mapping[str, Any]) -> Weights | None:
    """The weights as far as the season's limits allow: below the cap, above the cash floor, within the turnover.

    A yardstick that broke the rules would measure nothing; where limits bind, it goes as far as it may. None when it
    may not go at all: prices have carried a position so far beyond its cap that no allowed turnover brings it back.
    """
    rules = brief["rules"]
    share, cap = 1 - Decimal(rules["min_cash"]), Decimal(rules["max_weight"])
    wanted = {
        name: min(_cut(weight * share), cap) for name, weight in weights.items() if name != rules["quote"] and weight
    }
    held = {name: Decimal(row["weight"]) for name, row in brief["portfolio"]["holdings"].items()}
    moves = {name: wanted.get(name, Decimal(0)) - held.get(name, Decimal(0)) for name in sorted(wanted | held)}
    turnover = (sum(abs(move) for move in moves.values()) + abs(sum(moves.values(), Decimal(0)))) / 2
    allowed = Decimal(rules["max_turnover"])
    if turnover > allowed:
        pace = allowed / turnover
        wanted = {name: max(_cut(held.get(name, Decimal(0)) + move * pace), Decimal(0)) for name, move in moves.items()}
    if max(wanted.values(), default=Decimal(0)) > cap or sum(wanted.values(), Decimal(0)) > share:
        return None
    return wanted or _cash(brief)


def hold_text(rationale: str) -> str:
    """A reply that holds."""
    return json.dumps({"action": "hold", "rationale": rationale})


def rebalance_text(weights: Mapping[str, Decimal], rationale: str) -> str:
    """A reply that asks for these weights, with every digit of them."""
    allocations = ", ".join(f"{json.dumps(name)}: {plain(weight)}" for name, weight in weights.items())
    return f'{{"action": "rebalance", "allocations": {{{allocations}}}, "rationale": {json.dumps(rationale)}}}'


def _given(brief: Mapping[str, Any], parameters: Mapping[str, Any]) -> Weights | None:
    """The fixed weights of those symbols that can be traded in this cycle."""
    tradable = brief["market"]["symbols"]
    return {name: Decimal(weight) for name, weight in parameters["weights"].items() if name in tradable} or None


def _figures(brief: Mapping[str, Any], name: str) -> dict[str, Decimal]:
    rows = brief["market"]["symbols"]
    return {symbol: Decimal(rows[symbol][name]) for symbol in sorted(rows) if rows[symbol][name] is not None}


def _cash(brief: Mapping[str, Any]) -> Weights:
    return {brief["rules"]["quote"]: Decimal(1)}


def equal_share(count: int) -> Decimal:
    """What each of so many symbols gets; zero of none."""
    return _share(Decimal(1), count) if count else Decimal(0)


def _share(part: Decimal, whole: int) -> Decimal:
    return _cut(part / whole)


def _cut(weight: Decimal) -> Decimal:
    return weight.quantize(_FOUR_PLACES, rounding=ROUND_DOWN)
