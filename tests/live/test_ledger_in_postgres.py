"""The ledger's invariants hold against any client: these tests go past Django and speak SQL."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from portfolio.models import Portfolio
from tests.live.stage import Stage

FACTS = (
    "portfolio_journal",
    "portfolio_posting",
    "portfolio_fill",
    "portfolio_valuation",
    "portfolio_order",
    "competition_standing",
    "competition_cycle",
    "competition_turn",
    "agents_brief",
    "agents_attempt",
    "market_storedsnapshot",
)


@pytest.fixture
def psql(played_stage: Stage) -> Iterator[psycopg.Connection]:
    """A foreign client on a database in which one cycle was played."""
    params = connection.get_connection_params()
    keep = {key: params[key] for key in ("dbname", "host", "port", "user", "password") if params.get(key)}
    with psycopg.connect(**keep) as client:
        yield client
        client.rollback()


@pytest.mark.parametrize("table", FACTS)
def test_no_fact_can_be_deleted_or_truncated(psql: psycopg.Connection, table: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        psql.execute(f"DELETE FROM {table}")
    psql.rollback()
    with pytest.raises((psycopg.errors.RestrictViolation, psycopg.errors.FeatureNotSupported)):
        psql.execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE portfolio_posting SET amount = amount + 1",
        "UPDATE portfolio_journal SET reason = 'better'",
        "UPDATE portfolio_fill SET price = 1",
        "UPDATE portfolio_valuation SET value = 1000000",
        "UPDATE portfolio_order SET quantity = 1",
        "UPDATE portfolio_order SET state = 'new'",
        "UPDATE competition_standing SET rank = 1, unranked = ''",
        "UPDATE competition_turn SET verdict = 'hold'",
        "UPDATE competition_cycle SET state = 'asking', closed_at = NULL",
        "UPDATE agents_brief SET content = '{}'",
        "UPDATE agents_attempt SET reply = 'I said something else'",
        "UPDATE competition_season SET rules = '{}'",
        "UPDATE competition_season SET state = 'draft'",
        "UPDATE agents_agent SET parameters = '{}', model = 'baseline/momentum'",
        "UPDATE market_storedsnapshot SET content = '{}'",
    ],
)
def test_history_cannot_be_edited(psql: psycopg.Connection, change: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        psql.execute(change)


def journal(client: psycopg.Connection, postings: list[tuple[str, str, str]]) -> None:
    """Append a journal with these (account, asset, amount) to the first portfolio, and commit."""
    portfolio = Portfolio.objects.order_by("id").first()
    assert portfolio is not None
    row = client.execute(
        "INSERT INTO portfolio_journal (portfolio_id, sequence, key, kind, at, reason, hash) "
        "SELECT %(id)s, max(sequence) + 1, max(sequence) || ' by hand', 'correction', now(), '', repeat('0', 64) "
        "FROM portfolio_journal WHERE portfolio_id = %(id)s RETURNING id",
        {"id": portfolio.id},
    ).fetchone()
    assert row is not None
    for position, (account, asset, amount) in enumerate(postings):
        client.execute(
            "INSERT INTO portfolio_posting (journal_id, portfolio_id, position, account, asset, amount) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            [row[0], portfolio.id, position, account, asset, amount],
        )
    client.commit()


def test_a_balanced_journal_is_taken(psql: psycopg.Connection) -> None:
    journal(psql, [("entry", "USDT", "-1"), ("fees", "USDT", "1")])


@pytest.mark.parametrize(
    "postings",
    [
        pytest.param([("entry", "USDT", "5")], id="one leg"),
        pytest.param([("entry", "USDT", "5"), ("funding", "USDT", "-4")], id="unequal legs"),
        pytest.param([("entry", "BTC", "1"), ("venue", "USDT", "-1")], id="two assets that only look balanced"),
        pytest.param([], id="no legs"),
        pytest.param([("entry", "USDT", "-20000"), ("venue", "USDT", "20000")], id="more than is held"),
        pytest.param([("entry", "USDT", "NaN"), ("venue", "USDT", "NaN")], id="not a number"),
        pytest.param([("entry", "USDT", "0"), ("venue", "USDT", "0")], id="nothing moves"),
    ],
)
def test_a_journal_that_breaks_an_invariant_is_refused(
    psql: psycopg.Connection, postings: list[tuple[str, str, str]]
) -> None:
    with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.NumericValueOutOfRange)):
        journal(psql, postings)


def test_a_posting_cannot_claim_a_portfolio_that_is_not_its_journals(psql: psycopg.Connection) -> None:
    first, second = Portfolio.objects.order_by("id")[:2]
    row = psql.execute("SELECT id FROM portfolio_journal WHERE portfolio_id = %s LIMIT 1", [first.id]).fetchone()
    assert row is not None
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        psql.execute(
            "INSERT INTO portfolio_posting (journal_id, portfolio_id, position, account, asset, amount) VALUES "
            "(%(journal)s, %(portfolio)s, 8, 'fees', 'USDT', 1), (%(journal)s, %(portfolio)s, 9, 'venue', 'USDT', -1)",
            {"journal": row[0], "portfolio": second.id},
        )
        psql.commit()


def test_a_turn_without_a_valid_decision_cannot_have_traded(psql: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        psql.execute(
            "INSERT INTO competition_turn (cycle_id, entry_id, brief_id, state, verdict, verdict_reason, violations,"
            " over_budget, unwrapped, traded, fees, skipped, unresolved, trade_reason) SELECT cycle_id, entry_id,"
            " brief_id, 'decided', 'silent', '', '[]', '', '[]', 5, 0, '[]', '[]', '' FROM competition_turn LIMIT 1"
        )
