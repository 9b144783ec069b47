"""Writing a season that was played in memory into the database, in one transaction: all of it or nothing.

What is written is what the live services would have written: same journals under the same hashes, same orders, same
standings. Only the wall clock is the calendar's own.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import transaction

from agents.core.answers import Answer, NoAnswer
from agents.core.text import storable
from agents.models import Attempt, AttemptOutcome, Brief
from competition.core.play import PlayedCycle, PlayedSeason, PlayedTurn
from competition.core.rules import Rules
from competition.core.schedule import asking_ends, boundary
from competition.core.states import CycleState, SeasonState, TurnState
from competition.models import Cycle, Entry, Season, Standing, Turn
from competition.services.closing import standing_rows
from competition.services.settling import skipped_content, trade_reason
from market.core.symbols import symbols_content
from market.services import store_snapshot
from portfolio.core.book import GENESIS
from portfolio.core.decisions import decision_content
from portfolio.models import Fill, Order, Valuation
from portfolio.services import fill_rows, order_row, write_chain

_NAMESPACE = uuid.UUID("6f1d1d0e-2f5c-4c55-9f0e-6f70656e6f75")


@transaction.atomic
def save_played_season(season: Season, played: PlayedSeason, reason: str) -> Season:
    """Write a drafted season's whole course and close it. `played` must be of this season's slug and rules."""
    if season.state != SeasonState.DRAFT or season.slug != played.slug:
        raise ValueError(f"{season.slug} is {season.state}; only a draft of the season that was played can be written")
    rules = season.rule_book
    entries = {entry.slug: entry for entry in season.entries.select_related("portfolio", "agent")}
    season.rules_sha256 = rules.sha256
    season.symbols = symbols_content(season.symbol_book.values())
    season.state, season.opened_at = SeasonState.OPEN, rules.starts_at
    season.save()
    for slug, entry in entries.items():
        write_chain(entry.portfolio, played.journals[slug], 0, GENESIS)
    _write_valuations(rules, played, entries)
    for cycle in played.cycles:
        _write_cycle(season, rules, cycle, entries)
    season.state, season.closed_at = SeasonState.CLOSED, boundary(rules, rules.cycles + 1)
    season.close_reason = reason
    season.save()
    return season


def _write_valuations(rules: Rules, played: PlayedSeason, entries: Mapping[str, Entry]) -> None:
    rows = [
        Valuation(portfolio=entry.portfolio, cycle_number=0, at=rules.market_starts_at, value=rules.capital)
        for entry in entries.values()
    ]
    for cycle in played.cycles:
        for slug, turn in cycle.turns.items():
            if turn.record:
                portfolio, value = entries[slug].portfolio, turn.record.value_after
                at = cycle.trade_snapshot.as_of
                rows.append(Valuation(portfolio=portfolio, cycle_number=cycle.number, at=at, value=value))
    Valuation.objects.bulk_create(rows)


def _write_cycle(season: Season, rules: Rules, played: PlayedCycle, entries: Mapping[str, Entry]) -> None:
    due_at = boundary(rules, played.number)
    deadline_at = asking_ends(rules, due_at)
    held = not played.turns
    cycle = Cycle.objects.create(
        season=season,
        number=played.number,
        state=CycleState.HELD if held else CycleState.CLOSED,
        due_at=due_at,
        opened_at=due_at,
        as_of=played.as_of,
        deadline_at=deadline_at,
        closed_at=deadline_at,
        reason=played.reason[:500],
        snapshot=None if held else store_snapshot(played.snapshot),
        trade_as_of=None if held else played.trade_snapshot.as_of,
        trade_snapshot=None if held or played.reason else store_snapshot(played.trade_snapshot),
    )
    if held:
        return
    briefs = {
        slug: Brief(agent=entries[slug].agent, sha256=turn.brief.sha256, content=turn.brief.content, created_at=due_at)
        for slug, turn in played.turns.items()
    }
    Brief.objects.bulk_create(briefs.values())
    Attempt.objects.bulk_create(_attempts(played, briefs, season, due_at, deadline_at))
    Turn.objects.bulk_create(
        _turn(cycle, entries[slug], briefs[slug], turn, deadline_at) for slug, turn in played.turns.items()
    )
    _write_orders(played, entries)
    Standing.objects.bulk_create(standing_rows(cycle, played.standings))


def _attempts(
    played: PlayedCycle,
    briefs: Mapping[str, Brief],
    season: Season,
    asked_at: datetime,
    deadline_at: datetime,
) -> Iterator[Attempt]:
    """Every reply as one attempt; whoever gave none was asked again and again, as in a season that is lived through."""
    for slug, turn in played.turns.items():
        number = 0
        for answer, objections in zip(turn.answers, turn.objections, strict=True):
            for started_at, ended_at in _times(season.rule_book, answer, asked_at, deadline_at):
                number += 1
                yield Attempt(
                    brief=briefs[slug],
                    number=number,
                    run_token=uuid.uuid5(_NAMESPACE, f"{season.slug}/{played.number}/{slug}/{number}"),
                    objections=[asdict(objection) for objection in objections],
                    started_at=started_at,
                    lease_until=min(started_at + timedelta(seconds=season.rule_book.attempt_s), deadline_at),
                    ended_at=ended_at,
                    outcome=AttemptOutcome.ANSWERED if isinstance(answer, Answer) else AttemptOutcome.NO_ANSWER,
                    reply=storable(answer.text) if isinstance(answer, Answer) else "",
                    reason=answer.reason if isinstance(answer, NoAnswer) else "",
                )


def _times(
    rules: Rules, answer: Answer | NoAnswer, asked_at: datetime, deadline_at: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Begin and end of the attempts behind an answer: at once, or as often as there was time to wait for none."""
    if isinstance(answer, Answer):
        yield asked_at, asked_at
        return
    lease = timedelta(seconds=rules.attempt_s)
    for attempt in range(rules.attempts_max):
        started_at = asked_at + lease * attempt
        if started_at >= deadline_at:
            return
        yield started_at, min(started_at + lease, deadline_at)


def _turn(cycle: Cycle, entry: Entry, brief: Brief, played: PlayedTurn, at: datetime) -> Turn:
    verdict, record = played.verdict, played.record
    turn = Turn(
        cycle=cycle,
        entry=entry,
        brief=brief,
        state=TurnState.SETTLED,
        verdict=verdict.kind.value,
        verdict_reason=verdict.reason[:300],
        decision=decision_content(verdict.decision) if verdict.decision else None,
        violations=[asdict(violation) for violation in verdict.violations],
        unwrapped=list(verdict.unwrapped),
        decided_at=at,
        settled_at=at,
    )
    if record:
        turn.value_before, turn.value_after = record.value_before, record.value_after
        turn.traded, turn.fees = record.traded, record.fees
        turn.skipped, turn.trade_reason = skipped_content(record), trade_reason(record)
    else:
        turn.trade_reason = cycle.reason
    return turn


def _write_orders(played: PlayedCycle, entries: Mapping[str, Entry]) -> None:
    executions = [
        (order_row(entries[slug].portfolio, played.number, execution), execution)
        for slug, turn in played.turns.items()
        if turn.record
        for execution in turn.record.executions
    ]
    Order.objects.bulk_create(row for row, _ in executions)
    Fill.objects.bulk_create(fill for row, execution in executions for fill in fill_rows(row, execution, "paper"))
