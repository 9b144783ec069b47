"""The budget: set the worst case aside, call, settle. Whoever comes at the same time, no cap is overrun.

All of it happens inside the caller's transaction, which also holds what the money is for: an attempt that is not
written has nothing set aside, one whose end is not written is not settled. Rows are taken in the order of their
keys; who holds for several attempts in one transaction takes them in the order of their agents, who settles several
does so at once. So no two can wait for each other.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Collate, Greatest

from agents.core.budgeting import Caps, OverBudget, Scope
from agents.core.pricing import NANO_USD, NOTHING, Worst
from agents.models import Attempt, Budget, Reservation
from portfolio.one_of import OneOf
from portfolio.prepared import Given, Prepared

_LOCKED_SCOPES = Prepared(
    lambda: (
        Budget.objects.select_for_update()
        .filter(OneOf("scope", Given("keys")))
        .order_by(Collate(F("scope"), "C"))
        .values_list("id")
    )
)


class AlreadySettled(Exception):
    """A reservation is settled once; the first word counts."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a reservation was charged. `overdrawn`: more was asked for than it held, so it was charged what it held."""

    charged: Worst
    overdrawn: bool


class _DoesNotFit(Exception):
    def __init__(self, over: OverBudget) -> None:
        super().__init__(over.sentence)
        self.over = over


def caps_of(settings: Any) -> Caps:
    """The caps an operator has set. Raises `ImproperlyConfigured` with what to write instead."""
    tokens = settings.DAILY_TOKEN_BUDGET
    if tokens < 0:
        raise ImproperlyConfigured("DAILY_TOKEN_BUDGET: write a number of tokens, 0 for none at all.")
    return Caps(
        usd_per_call=_usd(settings, "USD_PER_CALL_MAX"),
        usd_per_turn=_usd(settings, "USD_PER_TURN_MAX"),
        usd_per_agent_day=_usd(settings, "USD_PER_AGENT_DAY_MAX"),
        usd_per_season=_usd(settings, "USD_PER_SEASON_MAX"),
        daily_token_budget=tokens,
    )


def _usd(settings: Any, name: str) -> Decimal:
    try:
        amount = Decimal(getattr(settings, name))
        is_amount = 0 <= amount < Decimal(10) ** 9 and amount == amount.quantize(NANO_USD)
    except InvalidOperation:
        is_amount = False
    if not is_amount:
        raise ImproperlyConfigured(f"{name}: write an amount in USD as in 2.50, below a billion; 0 for none at all.")
    return amount


def reserve(attempt: Attempt, scopes: Sequence[Scope], worst: Worst, now: datetime) -> Reservation | OverBudget:
    """Set the worst case of an attempt aside in every scope, or in none of them and say which it does not fit."""
    over = hold(scopes, worst)
    if over:
        return over
    row = reservation_of(attempt, scopes, worst, now)
    row.save(force_insert=True)
    return row


def lock_scopes(scopes: Iterable[Scope]) -> None:
    """Lock the rows of these scopes that exist, in the order in which settling takes them, before any is held."""
    keys = sorted({scope.key for scope in scopes})
    if keys:
        _LOCKED_SCOPES.rows(keys=keys)


def hold(scopes: Sequence[Scope], worst: Worst) -> OverBudget | None:
    """Set the worst case aside; the caller writes its `reservation_of` in the same transaction."""
    _in_transaction()
    ordered = sorted(scopes, key=lambda scope: scope.key)
    try:
        with transaction.atomic():
            for scope in ordered:
                _set_aside(scope, worst)
    except _DoesNotFit as refusal:
        _show_cap(next(scope for scope in ordered if scope.key == refusal.over.scope))
        return refusal.over
    return None


def reservation_of(attempt: Attempt, scopes: Sequence[Scope], worst: Worst, now: datetime) -> Reservation:
    """What is held for an attempt, as an unsaved row."""
    keys = sorted(scope.key for scope in scopes)
    return Reservation(attempt=attempt, scopes=keys, tokens=worst.tokens, usd=worst.usd, made_at=now)


def _set_aside(scope: Scope, worst: Worst) -> None:
    if _added(scope, worst):
        return
    Budget.objects.bulk_create([_new_row(scope)], ignore_conflicts=True)
    if _added(scope, worst):
        return
    row = Budget.objects.select_for_update().get(scope=scope.key)  # so that the refusal tells what was really there
    if not _added(scope, worst):
        raise _DoesNotFit(_over(scope, row, worst))


def _added(scope: Scope, worst: Worst) -> bool:
    """The guard: one statement adds the amount and takes over the present caps, if it then is within them."""
    fits = Q(scope=scope.key)
    if scope.tokens_cap is not None:
        fits &= Q(tokens_reserved__lte=scope.tokens_cap - worst.tokens - F("tokens_spent"))
    if scope.usd_cap is not None:
        fits &= Q(usd_reserved__lte=scope.usd_cap - worst.usd - F("usd_spent"))
    added = Budget.objects.filter(fits).update(
        tokens_reserved=F("tokens_reserved") + worst.tokens,
        usd_reserved=F("usd_reserved") + worst.usd,
        tokens_cap=scope.tokens_cap,
        usd_cap=scope.usd_cap,
    )
    return bool(added)


def _new_row(scope: Scope) -> Budget:
    return Budget(scope=scope.key, tokens_cap=scope.tokens_cap, usd_cap=scope.usd_cap)


def _over(scope: Scope, row: Budget, worst: Worst) -> OverBudget:
    tokens_used, usd_used = row.tokens_reserved + row.tokens_spent, row.usd_reserved + row.usd_spent
    if scope.tokens_cap is not None and tokens_used + worst.tokens > scope.tokens_cap:
        return OverBudget(scope.key, "tokens", Decimal(scope.tokens_cap), Decimal(tokens_used), Decimal(worst.tokens))
    return OverBudget(scope.key, "usd", scope.usd_cap or Decimal(0), usd_used, worst.usd)


def _show_cap(scope: Scope) -> None:
    """Let the row of a refusal show the present caps; below what is used already none can be."""
    Budget.objects.bulk_create([_new_row(scope)], ignore_conflicts=True)
    tokens_cap, usd_cap = scope.tokens_cap, scope.usd_cap
    Budget.objects.filter(scope=scope.key).update(
        tokens_cap=None
        if tokens_cap is None
        else Greatest(Value(tokens_cap), F("tokens_reserved") + F("tokens_spent")),
        usd_cap=None if usd_cap is None else Greatest(Value(usd_cap), F("usd_reserved") + F("usd_spent")),
    )


def settle(reservation: Reservation, charged: Worst, now: datetime) -> Settlement:
    """Charge what was used and free the rest. Raises `AlreadySettled`."""
    return settle_all([(reservation, charged)], now)[0]


def charge_unknown(reservations: Iterable[Reservation], now: datetime) -> list[Settlement]:
    """Nobody knows what these attempts used: charge all that was set aside. Raises `AlreadySettled`."""
    whole = [(row, Worst(tokens=row.tokens, usd=row.usd)) for row in reservations]
    return settle_all(whole, now)


def open_reservations(attempts: Iterable[Attempt]) -> QuerySet[Reservation]:
    """What is set aside for these attempts and not settled yet."""
    return Reservation.objects.filter(attempt__in=attempts, settled_at=None).order_by("id")


def held_for(attempt: Attempt) -> Worst:
    """What was set aside for an attempt; nothing when it needed nothing."""
    row = Reservation.objects.filter(attempt=attempt).first()
    return Worst(tokens=row.tokens, usd=row.usd) if row else NOTHING


def settle_all(charges: Iterable[tuple[Reservation, Worst]], now: datetime) -> list[Settlement]:
    """Charge what was used by each and free the rest, in the order of the reservations. Raises `AlreadySettled`."""
    _in_transaction()
    settlements, moves = [], defaultdict[str, list[tuple[Worst, Worst]]](list)
    for reservation, asked in sorted(charges, key=lambda charge: charge[0].pk):
        held = Worst(tokens=reservation.tokens, usd=reservation.usd)
        charged = Worst(tokens=min(asked.tokens, held.tokens), usd=min(asked.usd, held.usd))
        _close(reservation, charged, now)
        settlements.append(Settlement(charged, overdrawn=not asked.fits_in(held)))
        for key in reservation.scopes:
            moves[key].append((held, charged))
    for key in sorted(moves):
        _move(key, *(sum(amounts, NOTHING) for amounts in zip(*moves[key], strict=True)))
    return settlements


def _close(reservation: Reservation, charged: Worst, now: datetime) -> None:
    """Only the row that is still open is closed: of two who settle at once, one is too late."""
    closed = Reservation.objects.filter(pk=reservation.pk, settled_at=None).update(
        settled_at=now, tokens_charged=charged.tokens, usd_charged=charged.usd
    )
    if not closed:
        raise AlreadySettled(f"{reservation} is settled already")
    reservation.settled_at, reservation.tokens_charged, reservation.usd_charged = now, charged.tokens, charged.usd


def _move(key: str, held: Worst, charged: Worst) -> None:
    """In one scope, turn what was set aside into what was spent."""
    Budget.objects.filter(scope=key).update(
        tokens_reserved=F("tokens_reserved") - held.tokens,
        tokens_spent=F("tokens_spent") + charged.tokens,
        usd_reserved=F("usd_reserved") - held.usd,
        usd_spent=F("usd_spent") + charged.usd,
    )


def _in_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("the budget changes only together with what it is for")
