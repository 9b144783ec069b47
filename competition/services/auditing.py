"""The auditor: what is on record is computed again from its parts, by nobody's word but its own.

Every check is a small function in a list that yields what is wrong. All run, whatever the others find, in one
transaction that sees the record as it was at one moment. A check that itself breaks off is a finding.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.utils import InterfaceError, OperationalError

from competition.core import entry_checks, season_checks
from competition.core.findings import Finding, Invariant
from competition.core.season_record import EntryRecord, SeasonRecord
from competition.core.states import SeasonState
from competition.models import Audit, Season
from competition.services import auditing_money, auditing_orders, auditing_seals, auditing_texts
from competition.services.auditing_rows import entry_record, season_record
from portfolio.core import ledger_checks

logger = logging.getLogger(__name__)

FINDINGS_KEPT = 200  # of each kind; beyond them only their number is kept
RECORD = "the whole record"

Sentences = Iterable[str]

# Of one portfolio's ledger
LEDGER_CHECKS: tuple[tuple[Invariant, ledger_checks.LedgerCheck], ...] = (
    (Invariant.BALANCED, ledger_checks.journals_sum_to_zero),
    (Invariant.UNCHANGED, ledger_checks.chain_is_unbroken),
    (Invariant.BOOK, ledger_checks.book_is_the_fold_of_postings),
    (Invariant.BOOK, ledger_checks.it_was_funded_once),
    (Invariant.NEVER_BELOW_ZERO, ledger_checks.nothing_was_ever_overdrawn),
    (Invariant.FILLS_POSTED, ledger_checks.fills_of_settled_turns_are_posted),
    (Invariant.FILLS_POSTED, ledger_checks.journals_of_fills_have_their_fill),
    (Invariant.ONE_ORDER, ledger_checks.orders_have_the_ids_of_their_legs),
    (Invariant.ONE_ORDER, ledger_checks.orders_ended_as_their_fills_say),
)
# Of one entry's turns
ENTRY_CHECKS: tuple[tuple[Invariant, entry_checks.EntryCheck], ...] = (
    (Invariant.ENDED, entry_checks.turns_end_with_their_cycle),
    (Invariant.ENDED, entry_checks.orders_end_with_their_turn),
    (Invariant.WITHIN_RULES, entry_checks.orders_follow_from_a_decision),
    (Invariant.WITHIN_RULES, entry_checks.fills_are_within_the_trade_window),
    (Invariant.BOARD, entry_checks.amounts_of_turns_add_up),
    (Invariant.BOARD, entry_checks.valuations_are_the_book_at_trade_prices),
    (Invariant.FIRST_WORD, entry_checks.verdicts_follow_from_the_replies),
    (Invariant.FIRST_WORD, entry_checks.replies_that_counted_came_in_time),
)
# Of one season's frame
SEASON_CHECKS: tuple[tuple[Invariant, season_checks.SeasonCheck], ...] = (
    (Invariant.CALENDAR, season_checks.cycles_are_one_for_each_week),
    (Invariant.CALENDAR, season_checks.one_cycle_is_played_at_a_time),
    (Invariant.CALENDAR, season_checks.cycles_have_what_their_state_needs),
    (Invariant.LIVENESS, season_checks.no_cycle_stands_still),
    (Invariant.UNCHANGED, season_checks.rules_are_those_it_was_opened_with),
    (Invariant.UNCHANGED, season_checks.symbols_are_those_of_its_rules),
)
# Of one season's rows, read in chunks
ROW_CHECKS: tuple[tuple[Invariant, Callable[[Season], Iterator[str]]], ...] = (
    (Invariant.UNCHANGED, auditing_texts.snapshots_have_their_hash),
    (Invariant.UNCHANGED, auditing_texts.briefs_have_their_hash),
    (Invariant.UNCHANGED, auditing_texts.calls_have_their_hashes),
    (Invariant.UNCHANGED, auditing_seals.ended_cycles_are_as_they_were_sealed),
    (Invariant.BOARD, auditing_money.boards_are_those_of_their_turns),
    (Invariant.ONE_ORDER, auditing_orders.attempts_follow_only_the_dead),
    (Invariant.UNCHANGED, auditing_orders.attempts_have_their_history),
    (Invariant.FILLS_POSTED, auditing_orders.executions_are_their_trades),
    (Invariant.FILLS_POSTED, auditing_orders.found_orders_count_once),
    (Invariant.LIVENESS, auditing_orders.long_unknown_orders_are_told_of),
    (Invariant.BUDGET, auditing_money.reservations_end_with_their_attempt),
    (Invariant.BUDGET, auditing_money.charges_are_the_sum_of_their_calls),
    (Invariant.BUDGET, auditing_money.calls_cost_tokens_times_price),
)
# Of everything, whatever the season
RECORD_CHECKS: tuple[tuple[Invariant, Callable[[], Iterator[str]]], ...] = (
    (Invariant.BUDGET, auditing_money.budgets_are_the_sums_of_reservations),
    (Invariant.NO_SECRETS, auditing_texts.nothing_stored_has_the_shape_of_a_key),
)


@dataclass(slots=True)
class Report:
    """What an audit found: how many by invariant, the first of them, and what is known and no fault."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    known: list[Finding] = field(default_factory=list)
    known_count: int = 0
    seals: dict[str, Any] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        kept = self.known if finding.known else self.findings
        if finding.known:
            self.known_count += 1
        else:
            self.counts[finding.invariant.value] += 1
        if len(kept) < FINDINGS_KEPT:
            kept.append(finding)

    @property
    def count(self) -> int:
        return self.counts.total()


def audit(clock: Callable[[], datetime], slug: str = "") -> Audit:
    """Audit every season that has opened, or one, and what belongs to none; the result as a stored row.

    Raises `Season.DoesNotExist` for a slug that is not there.
    """
    began_at = clock()
    if slug:
        Season.objects.get(slug=slug)
    with at_one_moment():
        report = report_of(_seasons(slug), began_at)
    return Audit.objects.create(
        at=began_at,
        seconds=round((clock() - began_at).total_seconds(), 3),
        season=slug,
        findings_count=report.count,
        known_count=report.known_count,
        counts={invariant.value: report.counts[invariant.value] for invariant in Invariant},
        findings=[finding.content() for finding in (*report.findings, *report.known)],
        seals=report.seals,
    )


def _seasons(slug: str) -> Iterator[Season]:
    seasons = Season.objects.exclude(state=SeasonState.DRAFT.value).order_by("id")
    return (seasons.filter(slug=slug) if slug else seasons).iterator()


def report_of(seasons: Iterable[Season], now: datetime) -> Report:
    """Everything that is wrong with these seasons and with what belongs to none; writes nothing."""
    report = Report()
    for season in seasons:
        for finding in season_findings(season, now):
            report.add(finding)
        report.seals[season.slug] = auditing_seals.next_seal(season)
    for invariant, check in RECORD_CHECKS:
        for finding in _found(invariant, RECORD, check.__name__, check):
            report.add(finding)
    return report


def season_findings(season: Season, now: datetime) -> Iterator[Finding]:
    """Everything that is wrong with one season."""
    for invariant, of_rows in ROW_CHECKS:
        yield from _found(invariant, season.slug, of_rows.__name__, of_rows, season)
    records: list[SeasonRecord] = []
    yield from _found(Invariant.UNCHANGED, season.slug, "it_can_be_read", _read, records, season_record, season, now)
    for record in records:
        for invariant, of_season in SEASON_CHECKS:
            yield from _found(invariant, season.slug, of_season.__name__, of_season, record)
        for entry in season.entries.select_related("portfolio").order_by("number"):
            yield from _entry_findings(record, entry)


def _entry_findings(season: SeasonRecord, entry: Any) -> Iterator[Finding]:
    subject = f"{season.slug}/{entry.slug}"
    records: list[EntryRecord] = []
    yield from _found(Invariant.BOOK, subject, "it_can_be_read", _read, records, entry_record, season, entry)
    for record in records:
        for invariant, of_ledger in LEDGER_CHECKS:
            yield from _found(invariant, subject, of_ledger.__name__, of_ledger, record.ledger)
        for invariant, of_entry in ENTRY_CHECKS:
            yield from _found(invariant, subject, of_entry.__name__, of_entry, season, record)
        for sentence in ledger_checks.known_exceptions(record.ledger):
            yield Finding(Invariant.FILLS_POSTED, "known_exceptions", subject, sentence, known=True)


def _read(found: list[Any], read: Callable[..., Any], *arguments: Any) -> Iterator[str]:
    """Put what is read into `found`; what keeps it from being read is told as any other fault."""
    found.append(read(*arguments))
    return iter(())


def _found(
    invariant: Invariant, subject: str, name: str, check: Callable[..., Sentences], *arguments: Any
) -> Iterator[Finding]:
    try:
        for sentence in check(*arguments):
            yield Finding(invariant, name, subject, sentence)
    except (OperationalError, InterfaceError):
        raise  # the database is away: nothing can be said of the record
    except Exception as error:
        logger.exception("%s broke off on %s", name, subject)
        yield Finding(invariant, name, subject, f"the check broke off: {type(error).__name__}")


@contextmanager
def at_one_moment() -> Iterator[None]:
    """Read only, and as if nobody wrote meanwhile. Within another transaction, that one's view is what is seen."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
        yield
