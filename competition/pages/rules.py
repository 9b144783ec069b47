"""The rules page of a season, generated from the frozen document that decided every turn of it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from agents.core.baselines import rebalance_text
from agents.core.reply import REPLY_BYTES_MAX, ReplySchema
from competition.core.rules import Rules
from competition.core.states import CYCLE_TRANSITIONS, TURN_TRANSITIONS, CycleState, TurnState
from competition.models import Season
from competition.pages.progress import pace
from competition.pages.rule_texts import RULE_TEXTS, SECTIONS
from competition.pages.words import Mark, marks_legend
from portfolio.core import decisions

# What each rule in `decisions.RULES` demands, by the rule's name.
DEMANDS: Mapping[str, str] = {
    "symbols_are_listed": "Only the season's symbols, and only those with a fresh price this week.",
    "weights_are_fractions": "Every weight is a number between 0 and 1.",
    "total_is_one": "With cash named, the weights add up to 1; without it, to no more than 1.",
    "weight_below_cap": "No symbol above the largest position.",
    "cash_above_floor": "No less than the least cash.",
    "turnover_below_cap": "No more than the largest turnover.",
}

# By state: what can go wrong in it, and how it ends without anybody's help.
CYCLE_FAILURES: Mapping[CycleState, tuple[str, str]] = {
    CycleState.BRIEFING: (
        "No usable market snapshot, or a held asset without a price",
        "Tried again until the deadline; then everybody holds and the reason is published.",
    ),
    CycleState.ASKING: (
        "A model is silent, late, unreadable or breaks a rule",
        "Asked again within the limits above; then no order. The others do not wait beyond the deadline.",
    ),
    CycleState.TRADING: (
        "No prices to trade at",
        "Waited for until the trade window ends; then no trades that week, and the reason is published.",
    ),
    CycleState.CLOSING: ("The process dies", "The next one finds every turn settled and writes the board."),
    CycleState.CLOSED: ("", "The board of the week stands, and is never edited."),
    CycleState.HELD: ("", "The week ended without a snapshot: everybody kept what they had."),
    CycleState.MISSED: ("", "The system was down through the late window: nobody was asked."),
}
TURN_FAILURES: Mapping[TurnState, tuple[str, str]] = {
    TurnState.ASKING: (
        "The lease on an entry's turn runs out",
        "Offered again. A reply under an old lease is kept and changes nothing.",
    ),
    TurnState.DECIDED: (
        "The process dies between two orders",
        "The turn is carried out again from the record: same prices, same order numbers, nothing twice.",
    ),
    TurnState.PROVISIONAL: (
        "The exchange does not say what became of an order",
        "The board is published without it, its symbol is not traded for this entry, and the exchange is asked until "
        "it answers: then the fill is posted and the boards are written again.",
    ),
    TurnState.SETTLED: ("", "Orders, fills and postings are on record for good."),
    TurnState.QUARANTINED: ("", "The ledger did not add up: nothing is posted, the book before stands, in public."),
}


@dataclass(frozen=True, slots=True)
class RuleLine:
    field: str
    label: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class StateLine:
    """A state, what can go wrong in it, what then happens, and where it can lead."""

    state: str
    trouble: str
    then: str
    next: str


@dataclass(frozen=True, slots=True)
class RulesPage:
    sections: tuple[tuple[str, tuple[RuleLine, ...]], ...]
    pace: str
    demands: tuple[str, ...]
    schema: str
    example: str
    hold_example: str
    reply_kilobytes: int
    verdicts: tuple[tuple[Mark, str], ...]
    cycle_states: tuple[StateLine, ...]
    turn_states: tuple[StateLine, ...]
    ranked_after: int
    coverage: str
    document: str
    sha256: str


def rules_page(season: Season) -> RulesPage:
    """The season's rules in words: no query beyond the season itself."""
    rules = season.rule_book
    return RulesPage(
        sections=tuple((section, _lines(section, rules)) for section in SECTIONS),
        pace=pace(season),
        demands=tuple(DEMANDS[rule.__name__] for rule in decisions.RULES),
        schema=json.dumps(ReplySchema.model_json_schema(), indent=2),
        example=_example(rules),
        hold_example='{"action": "hold", "rationale": "Nothing has changed enough to pay the fees for."}',
        reply_kilobytes=REPLY_BYTES_MAX // 1024,
        verdicts=tuple(marks_legend()),
        cycle_states=tuple(_state_line(state, CYCLE_FAILURES[state], CYCLE_TRANSITIONS[state]) for state in CycleState),
        turn_states=tuple(_state_line(state, TURN_FAILURES[state], TURN_TRANSITIONS[state]) for state in TurnState),
        ranked_after=rules.ranked_after_cycles,
        coverage=f"{rules.ranked_coverage:.0%}",
        document=json.dumps(rules.document(), indent=2),
        sha256=season.rules_sha256,
    )


def _lines(section: str, rules: Rules) -> tuple[RuleLine, ...]:
    return tuple(
        RuleLine(text.field, text.label, text.value(rules), text.meaning)
        for text in RULE_TEXTS
        if text.section == section
    )


def _state_line(state: StrEnum, failure: tuple[str, str], after: Iterable[StrEnum]) -> StateLine:
    return StateLine(state.value, *failure, ", ".join(sorted(following.value for following in after)))


def _example(rules: Rules) -> str:
    """A reply that would be valid under these rules as far as its weights go."""
    share = min(rules.max_weight, (1 - rules.min_cash) / 2).quantize(Decimal("0.01"))
    names = rules.universe[:2]
    return rebalance_text(dict.fromkeys(names, share), "One or two sentences for the public record.")
