"""However many come for a budget at once, not a token nor a billionth of a dollar more is given than there is."""

import random
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.db.utils import OperationalError

from agents.budget import AlreadySettled, charge_unknown, open_reservations, reserve, settle, settle_all
from agents.core.budgeting import OverBudget, Scope
from agents.core.pricing import NOTHING, Worst
from agents.models import Attempt, Budget, Reservation
from competition.services.spending import charge_lost
from tests.agents.money import NOW, a_brief, an_attempt, worst
from tests.support_engines import PATIENCE_S

AT_ONCE = 32
NANO = Decimal("0.000000001")


def at_once(works: Sequence[Callable[[], object]]) -> list[object]:
    """Run each on a thread and a connection of its own, all let go at the same moment; what each gave or raised."""
    gate = threading.Barrier(len(works))
    came: list[object] = [None] * len(works)

    def run(position: int) -> None:
        try:
            connection.ensure_connection()
            gate.wait(PATIENCE_S)
            came[position] = works[position]()
        except Exception as error:
            came[position] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(position,)) for position in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    broken = [error for error in came if isinstance(error, Exception)]
    assert not broken, broken
    return came


def attempts(count: int) -> list[Attempt]:
    brief = a_brief()
    return [an_attempt(number, brief) for number in range(1, count + 1)]


def reserving(attempt: Attempt, scopes: Sequence[Scope], amount: Worst) -> Callable[[], object]:
    def work() -> object:
        with transaction.atomic():
            return reserve(attempt, scopes, amount, NOW)

    return work


def books_balance() -> None:
    """Every budget holds exactly what its reservations say, and no more than its cap."""
    rows = list(Reservation.objects.all())
    for budget in Budget.objects.all():
        mine = [row for row in rows if budget.scope in row.scopes]
        waiting, settled = [row for row in mine if not row.settled_at], [row for row in mine if row.settled_at]
        assert budget.tokens_reserved == sum(row.tokens for row in waiting)
        assert budget.usd_reserved == sum((row.usd for row in waiting), Decimal(0))
        assert budget.tokens_spent == sum(row.tokens_charged or 0 for row in settled)
        assert budget.usd_spent == sum((row.usd_charged or Decimal(0) for row in settled), Decimal(0))
        assert budget.tokens_cap is None or budget.tokens_reserved + budget.tokens_spent <= budget.tokens_cap
        assert budget.usd_cap is None or budget.usd_reserved + budget.usd_spent <= budget.usd_cap


@pytest.mark.parametrize(
    ("scope", "amount", "fit"),
    [
        (Scope("day", 10_000, None), worst(1_000), 10),
        (Scope("day", 9_999, None), worst(1_000), 9),
        (Scope("day", None, Decimal("1.000000000")), worst(0, "0.1"), 10),
        (Scope("day", None, Decimal(1) - NANO), worst(0, "0.1"), 9),
        (Scope("day", 5_000, Decimal("0.7")), worst(1_000, "0.1"), 5),
        (Scope("day", None, None), worst(1_000, "0.1"), 32),
        (Scope("day", 0, None), worst(1), 0),
    ],
    ids=["tokens", "one token short", "USD", "a billionth short", "both", "no cap", "nothing allowed"],
)
def test_of_32_at_once_exactly_as_many_are_let_in_as_fit(
    own_database: str, scope: Scope, amount: Worst, fit: int
) -> None:
    came = at_once([reserving(attempt, [scope], amount) for attempt in attempts(AT_ONCE)])
    let_in = [row for row in came if isinstance(row, Reservation)]
    refused = [row for row in came if isinstance(row, OverBudget)]
    assert (len(let_in), len(refused)) == (fit, AT_ONCE - fit)
    for refusal in refused:
        assert refusal.used + refusal.asked > refusal.cap, "a refusal tells what was really there"
    books_balance()
    assert Budget.objects.get().tokens_reserved == fit * amount.tokens


def test_who_shares_some_scopes_and_names_them_in_any_order_never_blocks_another(own_database: str) -> None:
    dice = random.Random(5)
    shared = [Scope(f"day {number}", 1_000_000, None) for number in range(4)]
    works = []
    for number, attempt in enumerate(attempts(AT_ONCE)):
        scopes = [*dice.sample(shared, 3), Scope(f"turn {number}", None, None)]
        dice.shuffle(scopes)
        works.append(reserving(attempt, scopes, worst(10)))
    assert all(isinstance(row, Reservation) for row in at_once(works))
    books_balance()


def test_rounds_of_several_seasons_hold_and_settle_for_the_same_agents_without_blocking(own_database: str) -> None:
    agents = [f"agent-{number:02}" for number in range(12)]
    made = iter(attempts(4 * 12 * 2))

    def scopes(season: int, agent: str) -> list[Scope]:
        of_season = Scope(f"season {season}/{agent}", 15 if agent.endswith("3") else None, None)
        return [Scope(f"turn {season}/{agent}", None, None), Scope(f"day 1/{agent}", 70, None), of_season]

    def leasing(season: int, of_agents: Sequence[tuple[str, Attempt]]) -> Callable[[], object]:
        def work() -> object:
            with transaction.atomic():
                return [reserve(attempt, scopes(season, agent), worst(10), NOW) for agent, attempt in of_agents]

        return work

    def settling(held: Sequence[Reservation]) -> Callable[[], object]:
        def work() -> object:
            with transaction.atomic():
                return settle_all([(row, worst(5)) for row in held], NOW)

        return work

    first = [leasing(season, [(agent, next(made)) for agent in agents]) for season in range(4)]
    held = [[row for row in round_() if isinstance(row, Reservation)] for round_ in first]
    second = [leasing(season, [(agent, next(made)) for agent in agents]) for season in range(4)]
    at_once([*second, *map(settling, held)])
    books_balance()


def test_two_who_settle_the_same_reservation_charge_it_once(own_database: str) -> None:
    (attempt,) = attempts(1)
    held = reserving(attempt, [Scope("day", 100, None)], worst(100))()
    assert isinstance(held, Reservation)

    def settling() -> object:
        try:
            with transaction.atomic():
                return settle(Reservation.objects.get(), worst(40), NOW)
        except AlreadySettled:
            return "too late"

    came = at_once([settling] * 8)
    assert came.count("too late") == 7
    assert Budget.objects.get().tokens_spent == 40
    books_balance()


def test_a_budget_never_moves_without_what_it_is_for(own_database: str) -> None:
    (attempt,) = attempts(1)
    with pytest.raises(transaction.TransactionManagementError):
        reserve(attempt, [Scope("day", 100, None)], worst(1), NOW)
    assert not Budget.objects.exists()


class _Breaks(Exception):
    """What a transaction dies of in this test."""


def life_of(attempt: Attempt, scopes: Sequence[Scope], dice: random.Random) -> Callable[[], object]:
    """Set aside, then settle, forget, or break off in the middle, as real attempts do."""

    def work() -> object:
        amount = worst(dice.randrange(1, 4_000), str(dice.randrange(1, 10**9) * NANO))
        fate = dice.choice(["settled", "settled", "settled too high", "unknown", "open", "broken", "cut off"])
        try:
            with transaction.atomic():
                held = reserve(attempt, dice.sample(scopes, len(scopes)), amount, NOW)
                if fate == "broken":
                    raise _Breaks
                if fate == "cut off":
                    with psycopg.connect(**_address(), autocommit=True) as other:
                        other.execute("SELECT pg_terminate_backend(%s)", [_backend()])
        except (_Breaks, OperationalError):
            if fate not in ("broken", "cut off"):
                raise
            connections.close_all()
            return fate
        if isinstance(held, OverBudget):
            return "over"
        with transaction.atomic():
            if fate == "settled":
                settle(held, worst(dice.randrange(amount.tokens + 1), str(amount.usd / 2 // NANO * NANO)), NOW)
            elif fate == "settled too high":
                assert settle(held, amount + worst(1), NOW).overdrawn
            elif fate == "unknown":
                charge_unknown(open_reservations([attempt]), NOW)
        return fate

    return work


def test_who_gives_up_the_same_attempt_together_charges_it_once_and_nobody_breaks(own_database: str) -> None:
    scope = Scope("day", None, None)
    for attempt in attempts(5):
        with transaction.atomic():
            reserve(attempt, [scope], worst(100), NOW)

        def giving_up(attempt: Attempt = attempt) -> object:
            with transaction.atomic():
                charge_lost([attempt], NOW)
            return "done"

        assert at_once([giving_up] * 8) == ["done"] * 8
    books_balance()
    assert Budget.objects.get(scope="day").tokens_spent == 500


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _address() -> dict[str, object]:
    parameters = connection.get_connection_params()
    return {key: parameters[key] for key in ("dbname", "host", "port", "user", "password") if parameters.get(key)}


def test_attempts_of_every_size_and_fate_leave_books_that_balance(own_database: str) -> None:
    brief = a_brief()
    fates: set[object] = set()
    for turn in range(6):
        scopes = [Scope("day 1/mine", 60_000, Decimal(12)), Scope("season s/mine", None, Decimal(40))]
        numbers = range(turn * AT_ONCE + 1, (turn + 1) * AT_ONCE + 1)
        # Caps move under the feet of those who run, as when an operator restarts with others.
        scopes[0] = Scope("day 1/mine", 60_000 + turn * 30_000, Decimal(12 + 6 * turn))
        own = [[*scopes, Scope(f"turn s/{number}/mine", None, Decimal(5))] for number in numbers]
        works = [
            life_of(an_attempt(number, brief), mine, random.Random(number))
            for number, mine in zip(numbers, own, strict=True)
        ]
        fates |= set(at_once(works))
        books_balance()
    assert {"over", "settled", "settled too high", "unknown", "open", "broken", "cut off"} <= fates
    assert sum((worst(row.tokens_charged or 0) for row in Reservation.objects.all()), NOTHING).tokens > 0
