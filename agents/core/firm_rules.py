"""What the risk manager of a firm may do, what its ruling changes, and where its analysts contradict each other."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from agents.core.baselines import Weights, rebalance_text
from agents.core.firm_roles import AnalystReport, RiskRuling
from agents.core.reply import ReplySchema
from market.core.canonical import plain
from portfolio.core.decisions import Action, Bounds, Decision, Limits, Violation, total_is_one


def held_weights(brief: Mapping[str, Any]) -> Weights:
    """The weights of the brief's portfolio, cash apart."""
    return {name: Decimal(row["weight"]) for name, row in brief["portfolio"]["holdings"].items()}


def proposed_weights(proposal: ReplySchema, brief: Mapping[str, Any]) -> Weights:
    """What a proposal leads to, cash apart: of one that holds, the weights held."""
    if proposal.action == "hold":
        return held_weights(brief)
    return _risky(proposal.allocations or {}, brief)


def objections_to(ruling: RiskRuling, proposal: ReplySchema, brief: Mapping[str, Any]) -> tuple[Violation, ...]:
    """Why this ruling is beyond the risk manager's powers; empty when it is not. It may reduce, and nothing else."""
    if ruling.ruling == "approve":
        return ()
    proposed = proposed_weights(proposal, brief)
    if ruling.ruling == "veto":
        return tuple(_kept(held_weights(brief), proposed))
    quote, allocations = brief["rules"]["quote"], ruling.allocations or {}
    stated = Decision(Action.REBALANCE, allocations)
    return (
        *_raised(_risky(allocations, brief), proposed),
        *total_is_one(stated, Bounds(Limits(), frozenset(), quote, {})),
    )


def _kept(held: Weights, proposed: Weights) -> Iterator[Violation]:
    """What a veto would keep beyond the proposal: holding on to what was to be sold is not less risk, but more."""
    for name, weight in held.items():
        wanted = proposed.get(name, Decimal(0))
        if weight > wanted:
            told = f"{name} at {plain(weight)} instead of {plain(wanted)}"
            yield Violation("veto_keeps_more", f"a veto here keeps more than was proposed: {told}")


def _raised(after: Weights, before: Weights) -> Iterator[Violation]:
    for name, weight in after.items():
        if name not in before:
            yield Violation("risk_adds_no_symbol", f"{name} is not in the proposal")
        elif weight > before[name]:
            yield Violation(
                "risk_only_reduces", f"{name} at {plain(weight)} is above the {plain(before[name])} of the proposal"
            )


def diff_of(ruling: RiskRuling, proposal: ReplySchema, brief: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a ruling changes, by symbol: the weight before and after it. A veto leaves what is held."""
    before = proposed_weights(proposal, brief)
    after = {"approve": before, "veto": held_weights(brief), "reduce": _risky(ruling.allocations or {}, brief)}
    pairs = {
        name: (before.get(name, Decimal(0)), after[ruling.ruling].get(name, Decimal(0)))
        for name in sorted(before | after[ruling.ruling])
    }
    return {name: [plain(old), plain(new)] for name, (old, new) in pairs.items() if old != new}


def reply_of(ruling: RiskRuling, proposal_text: str) -> str:
    """The firm's reply: the trader's own words when approved, else a reply made of the ruling, to the last digit."""
    if ruling.ruling == "approve":
        return proposal_text
    if ruling.ruling == "veto":
        return json.dumps({"action": "hold", "rationale": ruling.rationale})
    return rebalance_text(ruling.allocations or {}, ruling.rationale)


def dissent_of(reports: Mapping[str, AnalystReport]) -> dict[str, dict[str, str]]:
    """The symbols that one analyst sees rising and another falling, with every stance on them."""
    symbols = sorted({name for report in reports.values() for name in report.stances})
    stances = {
        name: {role: report.stances[name] for role, report in reports.items() if name in report.stances}
        for name in symbols
    }
    return {
        name: {role: plain(stance) for role, stance in by_role.items()}
        for name, by_role in stances.items()
        if min(by_role.values()) < 0 < max(by_role.values())
    }


def _risky(allocations: Mapping[str, Decimal], brief: Mapping[str, Any]) -> Weights:
    return {name: weight for name, weight in allocations.items() if name != brief["rules"]["quote"]}
