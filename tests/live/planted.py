"""Faults planted in a played season, past everything that the database would refuse. One plant for every check."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from competition.services.auditing import audit
from portfolio.core.book import GENESIS, journal_hash
from portfolio.core.orders import client_order_id
from portfolio.models import Journal
from portfolio.queries import journals_of

MINUTE = timedelta(minutes=1)
KEY = "sk-" + "abcdefghijklmnop0123"


@dataclass(frozen=True)
class Plant:
    """What is done to the record, and the checks that must see it: `check` and, where it cannot be alone, `also`."""

    check: str
    does: Callable[[datetime], None]
    also: tuple[str, ...] = ()


def sql(statement: str, *values: Any) -> None:
    """One statement with every trigger and foreign key switched off, that has to change something."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, values)
        assert cursor.rowcount, "nothing was planted"
        cursor.execute("SET LOCAL session_replication_role = origin")  # for what follows in the same transaction


def planted(statement: str, *values: Any) -> Callable[[datetime], None]:
    return lambda now: sql(statement, *values)


def of(entry: str) -> str:
    """SQL for the id of an entry's portfolio."""
    return f"(SELECT portfolio_id FROM competition_entry WHERE slug = '{entry}')"


def turn_of(entry: str, week: int) -> str:
    return (
        "(SELECT turn.id FROM competition_turn AS turn JOIN competition_entry AS entry ON entry.id = entry_id"
        " JOIN competition_cycle AS cycle ON cycle.id = cycle_id"
        f" WHERE entry.slug = '{entry}' AND cycle.number = {week})"
    )


def brief_of(entry: str, week: int) -> str:
    return f"(SELECT brief_id FROM competition_turn WHERE id = {turn_of(entry, week)})"


def portfolio_id(entry: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {of(entry)}")
        return int(cursor.fetchone()[0])


def rehashed(entry: str, statement: str = "") -> Callable[[datetime], None]:
    """A forger who knows of the chain, and writes it anew behind what was changed."""

    def plant(now: datetime) -> None:
        if statement:
            sql(statement)
        rehash(entry)

    return plant


def rehash(entry: str) -> None:
    head, owner = GENESIS, portfolio_id(entry)
    for row, journal in zip(
        Journal.objects.filter(portfolio=owner).order_by("sequence"), journals_of(owner), strict=True
    ):
        head = journal_hash(head, journal)
        sql("UPDATE portfolio_journal SET hash = %s WHERE id = %s", head, row.pk)


def journal(entry: str, key: str, kind: str, *postings: tuple[str, int]) -> None:
    """One more journal at the end of the chain, in USDT."""
    last = Journal.objects.filter(portfolio=portfolio_id(entry)).order_by("-sequence")[0]
    row = (last.portfolio_id, last.sequence + 1, key, kind, last.at)
    sql("INSERT INTO portfolio_journal (portfolio_id, sequence, key, kind, at, reason, hash)"
        " VALUES (%s, %s, %s, %s, %s, 'planted', '')", *row)  # fmt: skip
    made = Journal.objects.get(portfolio=last.portfolio_id, key=key)
    for position, (account, amount) in enumerate(postings):
        posting(made.pk, last.portfolio_id, position, account, amount)


def posting(journal_id: int, owner: int, position: int, account: str, amount: int) -> None:
    sql("INSERT INTO portfolio_posting (journal_id, portfolio_id, position, account, asset, amount)"
        " VALUES (%s, %s, %s, %s, 'USDT', %s)", journal_id, owner, position, account, amount)  # fmt: skip


def overdraw_for_a_moment(now: datetime) -> None:
    journal("steady", "lent", "correction", ("entry", -100_000), ("venue", 100_000))
    journal("steady", "returned", "correction", ("venue", -100_000), ("entry", 100_000))
    rehash("steady")


def post_a_ghost(now: datetime) -> None:
    journal("steady", "fill:BTCUSDT:ghost", "fill", ("venue", -1), ("fees", 1))
    rehash("steady")


def post_into_another_book(now: datetime) -> None:
    foreign = Journal.objects.filter(portfolio=portfolio_id("all-cash")).first()
    assert foreign is not None
    for position, (account, amount) in enumerate((("entry", 5), ("venue", -5)), start=90):
        posting(foreign.pk, portfolio_id("steady"), position, account, amount)


def order(entry: str, state: str, leg: int) -> Callable[[datetime], None]:
    """An order of the first week under the id that belongs to this leg."""
    return planted(
        "INSERT INTO portfolio_order (portfolio_id, cycle_number, client_order_id, symbol, side, quantity,"
        f" reference_price, state, reason) VALUES ({of(entry)}, 1, %s, 'BTCUSDT', 'buy', 1, 1, %s, '')",
        client_order_id(f"stage/{entry}", 1, leg),
        state,
    )


def shift_a_value_everywhere(now: datetime) -> None:
    """A forger who changes a valuation, the turn and the board alike."""
    more = "+ 0.000001"
    sql(f"UPDATE portfolio_valuation SET value = value {more} WHERE cycle_number = 2 AND portfolio_id = {of('steady')}")
    sql(f"UPDATE competition_turn SET value_after = value_after {more} WHERE id = {turn_of('steady', 2)}")
    sql(
        f"UPDATE competition_standing SET value = value {more} WHERE (cycle_id, entry_id) ="
        f" (SELECT cycle_id, entry_id FROM competition_turn WHERE id = {turn_of('steady', 2)})"
    )


def forget_a_settlement(now: datetime) -> None:
    """The reservation is open again, and the accounts say so."""
    settled = "SELECT * FROM agents_reservation WHERE settled_at IS NOT NULL ORDER BY id LIMIT 1"
    sql(
        f"UPDATE agents_budget SET tokens_spent = tokens_spent - one.tokens_charged, usd_spent = usd_spent -"
        f" one.usd_charged, tokens_reserved = one.tokens, usd_reserved = one.usd FROM ({settled}) AS one"
        " WHERE one.scopes ? agents_budget.scope"
    )
    sql(
        "UPDATE agents_reservation SET settled_at = NULL, tokens_charged = NULL, usd_charged = NULL"
        f" WHERE id = (SELECT id FROM ({settled}) AS one)"
    )


def change_a_sealed_week(now: datetime) -> None:
    audit(lambda: now)
    sql("UPDATE competition_cycle SET reason = 'another reason' WHERE number = 1")


def answer_again(now: datetime) -> None:
    sql(
        "INSERT INTO agents_attempt (brief_id, number, run_token, objections, started_at, lease_until, ended_at,"
        " outcome, reason, reply, truncated, cost_usd) SELECT brief_id, number + 1, gen_random_uuid(),"
        " objections, started_at, lease_until, ended_at, outcome, reason, reply, truncated, 0 FROM agents_attempt"
        f" WHERE brief_id = {brief_of('all-cash', 1)}"
    )


BUY = '{"action": "rebalance", "allocations": {"BTCUSDT": 1}}'
FUNDING = f"journal_id = (SELECT id FROM portfolio_journal WHERE key = 'funding' AND portfolio_id = {of('steady')})"


def sent(
    *attempts: tuple[int, str, str, int], history: str = "", traded: str = "1", due_hours: int = 0
) -> Callable[[datetime], None]:
    """Requests of one order at an exchange, each (number, state, refusal, minute of its last change)."""

    def plant(now: datetime) -> None:
        for number, state, refusal, minute in attempts:
            executed = "1" if state == "filled" else "0"
            sql(
                "INSERT INTO portfolio_orderattempt (order_id, number, epoch, client_order_id, claimed_at, payload,"
                " timestamp_ms, recv_window_ms, state, changed_at, reason, refusal, due_at, exchange_order_id,"
                " executed, quote_amount) SELECT min(id), %s, 1, %s, %s, 'x', 1, 5000, %s, %s, '', %s, %s, %s, %s, 1"
                " FROM portfolio_order",
                *(number, f"planted-{number}", now + number * MINUTE, state, now + minute * MINUTE, refusal),
                *(now + timedelta(hours=due_hours), number, executed),
            )
            sql(
                "INSERT INTO portfolio_attemptchange (attempt_id, before, after, at, reason)"
                " SELECT max(id), '', %s, %s, '' FROM portfolio_orderattempt",
                *(history or state, now),
            )
            if state == "filled":
                sql(
                    "INSERT INTO portfolio_exchangetrade (attempt_id, symbol, trade_id, quantity, price, quote_amount,"
                    " fee, fee_asset, at) SELECT max(id), 'BTCUSDT', %s, %s, 1, 1, 0, 'BTC', %s"
                    " FROM portfolio_orderattempt",
                    *(f"1-{number}", traded, now),
                )

    return plant


PLANTS = (
    Plant(
        "journals_sum_to_zero",
        rehashed("steady", f"UPDATE portfolio_posting SET amount = -9999 WHERE account = 'funding' AND {FUNDING}"),
    ),
    Plant(
        "chain_is_unbroken",
        planted(
            f"UPDATE portfolio_journal SET reason = 'another' WHERE sequence = 2 AND portfolio_id = {of('steady')}"
        ),
    ),
    Plant("book_is_the_fold_of_postings", post_into_another_book),
    Plant(
        "it_was_funded_once",
        rehashed(
            "all-cash",
            f"UPDATE portfolio_journal SET kind = 'correction' WHERE portfolio_id = {of('all-cash')}",
        ),
    ),
    Plant("nothing_was_ever_overdrawn", overdraw_for_a_moment),
    Plant(
        "fills_of_settled_turns_are_posted",
        rehashed(
            "steady",
            f"UPDATE portfolio_posting SET account = 'venue' WHERE account = 'fees' AND portfolio_id = {of('steady')}",
        ),
    ),
    Plant("journals_of_fills_have_their_fill", post_a_ghost),
    Plant(
        "orders_have_the_ids_of_their_legs",
        planted(
            "UPDATE portfolio_order SET client_order_id = 'oo-000000000000-00001-01'"
            f" WHERE id = (SELECT min(id) FROM portfolio_order WHERE portfolio_id = {of('steady')})"
        ),
    ),
    Plant(
        "orders_ended_as_their_fills_say",
        planted(f"UPDATE portfolio_order SET quantity = quantity + 1 WHERE portfolio_id = {of('steady')}"),
    ),
    Plant(
        "turns_end_with_their_cycle",
        planted(f"UPDATE competition_turn SET state = 'decided' WHERE id = {turn_of('all-cash', 1)}"),
        also=("valuations_are_the_book_at_trade_prices",),
    ),
    Plant("orders_end_with_their_turn", order("btc-hold", "new", 2)),
    Plant("orders_follow_from_a_decision", order("all-cash", "expired", 1)),
    Plant(
        "fills_are_within_the_trade_window",
        planted(
            "UPDATE portfolio_fill SET at = at + interval '3 days' WHERE id = (SELECT min(id) FROM portfolio_fill)"
        ),
    ),
    Plant(
        "amounts_of_turns_add_up",
        planted(f"UPDATE competition_turn SET traded = traded + 0.000001 WHERE id = {turn_of('steady', 1)}"),
    ),
    Plant("valuations_are_the_book_at_trade_prices", shift_a_value_everywhere),
    Plant(
        "verdicts_follow_from_the_replies",
        planted(f"UPDATE agents_attempt SET reply = '{BUY}' WHERE brief_id = {brief_of('all-cash', 1)}"),
    ),
    Plant("verdicts_follow_from_the_replies", answer_again),
    Plant(
        "replies_that_counted_came_in_time",
        planted(
            "UPDATE agents_attempt SET ended_at = ended_at + interval '1 day'"
            f" WHERE brief_id = {brief_of('all-cash', 1)}"
        ),
    ),
    Plant(
        "replies_that_counted_came_in_time",
        planted(
            "UPDATE competition_turn SET decided_at = decided_at - interval '1 hour'"
            " WHERE id = (SELECT min(id) FROM competition_turn WHERE verdict = 'silent')"
        ),
    ),
    Plant(
        "cycles_are_one_for_each_week",
        planted("UPDATE competition_cycle SET due_at = due_at + interval '1 second' WHERE number = 2"),
    ),
    Plant(
        "one_cycle_is_played_at_a_time",
        planted("UPDATE competition_season SET state = 'closed', closed_at = opened_at"),
    ),
    Plant(
        "cycles_have_what_their_state_needs",
        planted("UPDATE competition_cycle SET trade_as_of = as_of WHERE number = 3"),
    ),
    Plant(
        "rules_are_those_it_was_opened_with",
        planted("UPDATE competition_season SET rules = jsonb_set(rules, '{on_time_s}', '121')"),
    ),
    Plant(
        "symbols_are_those_of_its_rules",
        planted(
            "UPDATE competition_season SET symbols = symbols ||"
            ' jsonb_build_array(symbols -> 0 || \'{"name": "DOGEUSDT", "base": "DOGE"}\')'
        ),
    ),
    Plant(
        "snapshots_have_their_hash",
        planted(
            "UPDATE market_storedsnapshot SET content = jsonb_set(content, '{source}', '\"elsewhere\"')"
            " WHERE id = (SELECT trade_snapshot_id FROM competition_cycle WHERE number = 1)"
        ),
    ),
    Plant(
        "snapshots_have_their_hash",
        planted("UPDATE competition_season SET symbols = jsonb_set(symbols, '{0,min_notional}', '\"1\"')"),
    ),
    Plant(
        "briefs_have_their_hash",
        planted(
            "UPDATE agents_brief SET content = jsonb_set(content, '{cycles}', '99')"
            f" WHERE id = {brief_of('steady', 2)}"
        ),
    ),
    Plant(
        "calls_have_their_hashes",
        planted("UPDATE agents_call SET reply = reply || ' ' WHERE id = (SELECT min(id) FROM agents_call)"),
    ),
    Plant("ended_cycles_are_as_they_were_sealed", change_a_sealed_week),
    Plant(
        "boards_are_those_of_their_turns",
        planted("UPDATE competition_standing SET turnover = turnover + 0.5 WHERE position = 1"),
    ),
    Plant("reservations_end_with_their_attempt", forget_a_settlement),
    Plant(
        "charges_are_the_sum_of_their_calls",
        planted("DELETE FROM agents_call WHERE id = (SELECT min(id) FROM agents_call)"),
    ),
    Plant(
        "calls_cost_tokens_times_price",
        planted("UPDATE agents_call SET prompt_tokens = 900000 WHERE id = (SELECT min(id) FROM agents_call)"),
    ),
    Plant(
        "budgets_are_the_sums_of_reservations",
        planted("UPDATE agents_budget SET usd_spent = usd_spent + 0.01 WHERE scope LIKE 'season %%'"),
    ),
    Plant(
        "nothing_stored_has_the_shape_of_a_key",
        planted(f"UPDATE agents_attempt SET reason = 'refused {KEY}' WHERE id = (SELECT min(id) FROM agents_attempt)"),
    ),
    Plant(
        "nothing_stored_has_the_shape_of_a_key",
        planted(
            "UPDATE agents_attempt SET deliberation = jsonb_build_object('roles', jsonb_build_array(%s::text))"
            " WHERE id = (SELECT min(id) FROM agents_attempt)",
            f"it said:\n{KEY}",
        ),
    ),
    Plant("attempts_follow_only_the_dead", sent((1, "filled", "", 1), (2, "expired", "", 2))),
    Plant("attempts_follow_only_the_dead", sent((1, "refused", "late", 9), (2, "expired", "", 2))),
    Plant("attempts_have_their_history", sent((1, "expired", "", 1), history="unknown")),
    Plant("executions_are_their_trades", sent((1, "filled", "", 1), traded="0.5")),
    Plant(
        "found_orders_count_once",
        planted(
            "WITH renamed AS (UPDATE portfolio_journal SET key = 'found:oo-1-001-01' WHERE key = 'funding'"
            f" AND portfolio_id = {of('steady')})"
            " INSERT INTO portfolio_foundorder (portfolio_id, cycle_number, order_id, client_order_id, symbol, side,"
            " epoch, exchange_order_id, quantity, executed, quote_amount, trades, goes_on, found_at)"
            f" SELECT {of('steady')}, 1, 'oo-1', 'oo-1-001-01', 'BTCUSDT', 'buy', 1, 7, 2, 2, 20,"
            " jsonb_build_array(jsonb_build_object('trade_id', '1-1', 'quantity', '2', 'price', '10',"
            " 'quote_amount', '20', 'fee', '0', 'fee_asset', 'USDT', 'at', '2024-01-01T00:00:00+00:00')), false, now()"
        ),
        ("chain_is_unbroken",),
    ),
    Plant("long_unknown_orders_are_told_of", sent((1, "unknown", "", 1), due_hours=9)),
    Plant("it_can_be_read", planted(f"UPDATE portfolio_posting SET account = 'nobody' WHERE {FUNDING}")),
)
