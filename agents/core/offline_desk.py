"""The offline firm: six scripted roles that answer from what stands in their prompt, as a model would have to.

They are simulated and labelled so wherever they appear. Now and then an analyst talks past the question, and the risk
manager cuts or refuses, so that what a firm does about it is on view. Same prompt, same seed, same answer.
"""

import json
import random
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from agents.core.baselines import rebalance_text, within_limits
from agents.core.firm_roles import ANALYSTS
from market.core.canonical import plain

ANALYST_MODEL = "offline/analyst"
DESK_MODEL = "offline/desk"

Blocks = Mapping[str, Any]
RoleCharacter = Callable[[Blocks, random.Random], str]

INVESTED = Decimal("0.9")
CONFIDENCE = {"technical": Decimal("0.7"), "sentiment": Decimal("0.3"), "tokenomics": Decimal("0.4")}
_HUNDREDTH = Decimal("0.01")


def technical(blocks: Blocks, mood: random.Random) -> str:
    """Follows the trend of 28 days, and believes it the less the more the price shakes."""
    rows = blocks["brief"]["market"]["symbols"]
    stances = {name: _trend(row) for name, row in rows.items()}
    best = max(sorted(stances), key=lambda name: stances[name], default=None)
    summary = f"Strongest trend for its volatility: {best}." if best else "No symbol has a price."
    return _report("technical", stances, summary, [name for name in rows if rows[name].get("change_28d") is None])


def sentiment(blocks: Blocks, mood: random.Random) -> str:
    """Has only the last days' moves to go by and takes them as a crowd in a hurry, which it bets against a little."""
    market = blocks["brief"]["market"]
    stances = {name: _clamped(-2 * _figure(row, "change_1d")) for name, row in market["symbols"].items()}
    off = [f"{name} is off" for name in market["off"]]
    return _report("sentiment", stances, "Read from yesterday's moves alone, against the crowd.", off)


def tokenomics(blocks: Blocks, mood: random.Random) -> str:
    """Prefers what is traded much: a stance by each symbol's share of the day's turnover."""
    market = blocks["brief"]["market"]
    turnover = {name: _figure(row, "turnover_24h") for name, row in market["symbols"].items()}
    total = sum(turnover.values(), Decimal(0))
    fair = Decimal(1) / max(len(turnover), 1)
    stances = {name: _clamped(value / total - fair) if total else Decimal(0) for name, value in turnover.items()}
    off = [f"{name} is off" for name in market["off"]]
    return _report("tokenomics", stances, "Turnover only; supply is not known here.", off)


def researcher(blocks: Blocks, mood: random.Random) -> str:
    """Weighs each stance by its analyst's confidence and names who contradicts whom."""
    reports = {role: report for role, report in blocks["reports"].items() if "stances" in report}
    missing = sorted(set(blocks["reports"]) - set(reports))
    symbols = sorted(blocks["brief"]["market"]["symbols"])
    views = {name: _weighed(reports, name) for name in symbols}
    ranked = sorted(symbols, key=lambda name: (-views[name], name))
    dissent = [_dissent(reports, name) for name in symbols]
    thesis = f"{ranked[0]} first, {ranked[-1]} last." if ranked else "There is nothing to rank."
    if missing:
        thesis += f" Without {' and '.join(missing)}, so with less behind it."
    return _json(
        {
            "thesis": thesis,
            "views": [
                {"symbol": name, "stance": views[name], "why": "the analysts' stances, weighed"} for name in ranked
            ],
            "dissent": [found for found in dissent if found][:10],
        }
    )


def trader(blocks: Blocks, mood: random.Random) -> str:
    """Spreads nine tenths over what the note sees rising, by stance, as far as the limits allow; else goes to cash."""
    brief = blocks["brief"]
    liked = {view["symbol"]: Decimal(str(view["stance"])) for view in blocks["note"]["views"]}
    liked = {name: stance for name, stance in liked.items() if stance > 0 and name in brief["market"]["symbols"]}
    total = sum(liked.values(), Decimal(0))
    wanted = {name: stance / total * INVESTED for name, stance in liked.items()} or {
        brief["rules"]["quote"]: Decimal(1)
    }
    weights = within_limits(wanted, brief)
    if weights is None:
        return _json({"action": "hold", "rationale": "No way from here to a target within the limits."})
    return rebalance_text(weights, "By the stances of the research note." if liked else "Nothing is seen rising. Out.")


def risk(blocks: Blocks, mood: random.Random) -> str:
    """Cuts the largest purchase in half in one week of three, and once in a while lets nothing through."""
    bought = {} if "objections" in blocks else _purchases(blocks)
    roll = mood.randrange(12)
    if not bought or roll > 4:
        return _json({"ruling": "approve", "rationale": "Within what this portfolio can bear."})
    if roll == 0:
        return _json({"ruling": "veto", "rationale": "Too much would move in one week. We stay where we are."})
    largest = max(sorted(bought), key=lambda name: bought[name])
    weights = _proposed(blocks) | {largest: _proposed(blocks)[largest] - bought[largest] / 2}
    why = f"{largest} would grow too fast; half of the purchase must do."
    return _json({"ruling": "reduce", "allocations": weights, "rationale": why})


ROLES_OF: Mapping[str, Mapping[str, RoleCharacter]] = {
    ANALYST_MODEL: {"technical": technical, "sentiment": sentiment, "tokenomics": tokenomics},
    DESK_MODEL: {"researcher": researcher, "trader": trader, "risk": risk},
}
PAST_THE_QUESTION = "What a fascinating market! Let me know which of these coins you would like to hear more about."
ONE_ANALYST_IN = 8  # talks past the question


def desk_answer(model: str, role: str, blocks: Blocks, seed: int) -> str:
    """What this model, one of `ROLES_OF`, says in this role; in words when the role is none of its own."""
    if role not in ROLES_OF[model]:
        return f"{model} plays {', '.join(ROLES_OF[model])} in a firm, and no {role}."
    mood = random.Random(f"{seed}/{model}/{role}/{blocks['brief']['cycle']}")  # noqa: S311 - a game, not a secret
    if role in ANALYSTS and mood.randrange(ONE_ANALYST_IN) == 0:
        return PAST_THE_QUESTION
    return ROLES_OF[model][role](blocks, mood)


def _report(role: str, stances: Mapping[str, Decimal], summary: str, missing: list[str]) -> str:
    report = {"stances": stances, "confidence": CONFIDENCE[role], "summary": summary, "missing": missing[:10]}
    return _json(report)


def _trend(row: Mapping[str, Any]) -> Decimal:
    volatility = _figure(row, "volatility_28d")
    return _clamped(_figure(row, "change_28d") / volatility) if volatility > 0 else Decimal(0)


def _figure(row: Mapping[str, Any], name: str) -> Decimal:
    return Decimal(row.get(name) or 0)


def _clamped(stance: Decimal) -> Decimal:
    return max(Decimal(-1), min(Decimal(1), stance)).quantize(_HUNDREDTH, rounding=ROUND_HALF_EVEN)


def _weighed(reports: Mapping[str, Any], name: str) -> Decimal:
    votes = [
        (Decimal(report["confidence"]), Decimal(report["stances"][name]))
        for report in reports.values()
        if name in report["stances"]
    ]
    total = sum((confidence for confidence, _ in votes), Decimal(0))
    return _clamped(sum(confidence * stance for confidence, stance in votes) / total) if total else Decimal(0)


def _dissent(reports: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    stances = {role: Decimal(report["stances"].get(name, 0)) for role, report in reports.items()}
    apart = sorted(role for role, stance in stances.items() if stance)
    if not apart or not min(stances.values()) < 0 < max(stances.values()):
        return None
    told = ", ".join(f"{role} {plain(stances[role])}" for role in apart)
    return {"analysts": apart, "about": f"{name}: {told}"}


def _proposed(blocks: Blocks) -> dict[str, Decimal]:
    allocations = blocks["proposal"]["allocations"] or {}
    quote = blocks["brief"]["rules"]["quote"]
    return {name: Decimal(weight) for name, weight in allocations.items() if name != quote}


def _purchases(blocks: Blocks) -> dict[str, Decimal]:
    """By how much each weight is to grow."""
    held = {name: Decimal(row["weight"]) for name, row in blocks["brief"]["portfolio"]["holdings"].items()}
    grown = {name: weight - held.get(name, Decimal(0)) for name, weight in _proposed(blocks).items()}
    return {name: growth for name, growth in grown.items() if growth > 0}


def _json(value: Any) -> str:
    """JSON in which a `Decimal` is a number with all its digits."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)}: {_json(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_json(member) for member in value) + "]"
    return plain(value) if isinstance(value, Decimal) else json.dumps(value)
