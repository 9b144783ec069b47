"""The budget on real rows: what is set aside, what is charged, and what a refusal says."""

from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from agents.budget import AlreadySettled, caps_of, charge_unknown, held_for, open_reservations, reserve, settle
from agents.core.budgeting import Caps, OverBudget, Scope, scopes_for
from agents.core.pricing import NOTHING
from agents.models import Attempt, Budget, Reservation
from tests.agents.money import CAPS, NOW, a_brief, an_attempt, worst

pytestmark = pytest.mark.django_db
DAY = Scope("day 2026-01-05/mine", 1_000, Decimal(10))
TURN = Scope("turn winter/1/mine", None, Decimal(5))


def held(tokens: int, usd: str = "0", *scopes: Scope, attempt: Attempt | None = None) -> Reservation:
    found = reserve(attempt or an_attempt(), scopes or (DAY, TURN), worst(tokens, usd), NOW)
    assert isinstance(found, Reservation)
    return found


def account(scope: Scope) -> tuple[int, int, Decimal, Decimal]:
    row = Budget.objects.get(scope=scope.key)
    return row.tokens_reserved, row.tokens_spent, row.usd_reserved, row.usd_spent


def test_the_worst_case_is_set_aside_in_every_scope() -> None:
    row = held(600, "3")
    assert row.scopes == [DAY.key, TURN.key]
    assert account(DAY) == account(TURN) == (600, 0, 3, 0)


def test_settling_charges_what_was_used_and_frees_the_rest() -> None:
    row = held(600, "3")
    settlement = settle(row, worst(150, "0.123456789"), NOW)
    assert (settlement.charged, settlement.overdrawn) == (worst(150, "0.123456789"), False)
    assert account(DAY) == (0, 150, 0, Decimal("0.123456789"))
    row.refresh_from_db()
    assert (row.settled_at, row.tokens_charged) == (NOW, 150)


def test_what_does_not_fit_is_set_aside_nowhere_and_says_why() -> None:
    brief = a_brief()
    held(600, "3", attempt=an_attempt(1, brief))
    refused = reserve(an_attempt(2, brief), (TURN, DAY), worst(401, "1"), NOW)
    assert refused == OverBudget(DAY.key, "tokens", Decimal(1_000), Decimal(600), Decimal(401))
    assert refused.sentence == (
        "over budget for day 2026-01-05/mine: 600 of 1000 tokens are spent or set aside, "
        "and this attempt could need 401 more"
    )
    assert account(DAY) == account(TURN) == (600, 0, 3, 0)
    assert Reservation.objects.count() == 1


def test_a_later_scope_that_is_full_undoes_the_ones_before() -> None:
    refused = reserve(an_attempt(), (DAY, TURN), worst(1, "5.000000001"), NOW)
    assert isinstance(refused, OverBudget)
    assert (refused.scope, refused.what) == (TURN.key, "usd")
    assert not Budget.objects.filter(tokens_reserved__gt=0).exists()


def test_more_than_was_held_is_charged_as_what_was_held_and_said_so() -> None:
    settlement = settle(held(600, "3"), worst(500, "3.1"), NOW)
    assert (settlement.charged, settlement.overdrawn) == (worst(500, "3"), True)


def test_an_unknown_outcome_is_charged_in_full() -> None:
    brief = a_brief()
    attempts = [an_attempt(number, brief) for number in (1, 2, 3)]
    for attempt in attempts:
        held(200, "1", attempt=attempt)
    settle(attempts[0].reservation, NOTHING, NOW)
    settlements = charge_unknown(open_reservations(attempts), NOW)
    assert [settlement.charged for settlement in settlements] == [worst(200, "1")] * 2
    assert account(DAY) == (0, 400, 0, 2)
    assert not open_reservations(attempts).exists()


def test_a_reservation_is_settled_once() -> None:
    row = held(600, "3")
    settle(row, worst(10), NOW)
    with pytest.raises(AlreadySettled), transaction.atomic():
        settle(row, worst(20), NOW)
    assert account(DAY) == (0, 10, 0, 0)


def test_caps_follow_the_settings_but_never_below_what_is_used() -> None:
    brief = a_brief()
    held(600, "3", attempt=an_attempt(1, brief))
    raised, lowered = Scope(DAY.key, 5_000, None), Scope(DAY.key, 100, Decimal(1))
    held(600, "3", raised, attempt=an_attempt(2, brief))
    assert (Budget.objects.get(scope=DAY.key).tokens_cap, Budget.objects.get(scope=DAY.key).usd_cap) == (5_000, None)
    assert isinstance(reserve(an_attempt(3, brief), (lowered,), worst(1), NOW), OverBudget)
    row = Budget.objects.get(scope=DAY.key)
    assert (row.tokens_cap, row.usd_cap) == (1_200, 6)


def test_what_was_held_for_an_attempt_is_nothing_when_it_needed_none() -> None:
    brief = a_brief()
    first, second = an_attempt(1, brief), an_attempt(2, brief)
    held(600, "3", attempt=first)
    assert (held_for(first), held_for(second)) == (worst(600, "3"), NOTHING)


def test_setting_aside_in_a_scope_that_exists_takes_one_statement_each() -> None:
    brief = a_brief()
    held(1, attempt=an_attempt(1, brief))
    second = an_attempt(2, brief)
    with CaptureQueriesContext(connection) as captured:
        held(1, attempt=second)
    statements = [query["sql"].split()[0] for query in captured]
    assert statements == ["SAVEPOINT", "UPDATE", "UPDATE", "RELEASE", "INSERT"]


def test_an_attempt_counts_in_its_turn_its_day_and_its_season() -> None:
    assert scopes_for("winter/3/mine", "mine", date(2026, 1, 5), "winter", CAPS) == (
        Scope("turn winter/3/mine", None, Decimal(5)),
        Scope("day 2026-01-05/mine", 2_000_000, Decimal(10)),
        Scope("season winter/mine", None, Decimal(500)),
    )


def settings(**changes: object) -> SimpleNamespace:
    given = {
        "DAILY_TOKEN_BUDGET": 1_000,
        "USD_PER_CALL_MAX": "0.5",
        "USD_PER_TURN_MAX": "1",
        "USD_PER_AGENT_DAY_MAX": "2",
        "USD_PER_SEASON_MAX": "30",
    }
    return SimpleNamespace(**{**given, **changes})


def test_caps_are_read_from_the_settings() -> None:
    assert caps_of(settings()) == Caps(Decimal("0.5"), Decimal(1), Decimal(2), Decimal(30), 1_000)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"USD_PER_CALL_MAX": "a lot"}, "USD_PER_CALL_MAX"),
        ({"USD_PER_TURN_MAX": "NaN"}, "USD_PER_TURN_MAX"),
        ({"USD_PER_TURN_MAX": ""}, "USD_PER_TURN_MAX"),
        ({"USD_PER_AGENT_DAY_MAX": "-1"}, "USD_PER_AGENT_DAY_MAX"),
        ({"USD_PER_SEASON_MAX": "Infinity"}, "USD_PER_SEASON_MAX"),
        ({"USD_PER_SEASON_MAX": "1e9"}, "USD_PER_SEASON_MAX"),
        ({"USD_PER_CALL_MAX": "0.0000000001"}, "USD_PER_CALL_MAX"),
        ({"DAILY_TOKEN_BUDGET": -1}, "DAILY_TOKEN_BUDGET"),
    ],
)
def test_a_cap_that_is_no_amount_stops_with_its_name(changes: dict[str, object], name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        caps_of(settings(**changes))
