"""Guards of the product, and how each is taken away.

What one guard protects is often protected by a second. Where taking one away changes nothing that anybody could see,
its companions go with it, and the name says so.
"""

from tests.simulation.removals import VENUE, Change, Guard


def constraint(table: str, name: str) -> str:
    return f"ALTER TABLE {table} DROP CONSTRAINT {name}"


def index(name: str) -> str:
    return f"DROP INDEX {name}"


def trigger(table: str, name: str) -> str:
    return f"DROP TRIGGER {name} ON {table}"


P, A = "portfolio", "agents"
S = "competition.services"
GUARDS = (
    # -- cycles
    Guard(
        "a cycle is moved only out of the state it is in",
        (Change(f"{S}.cycles:_locked", ', state=Given("state"))', ")"),),
    ),
    Guard(
        "row lock on the cycle",
        (Change(f"{S}.cycles:_locked", 'Cycle.objects.select_for_update(of=("self",))', "Cycle.objects"),),
    ),
    Guard(
        "lock on the season, and one cycle of a number",
        (Change(f"{S}.cycles:open_due", "select_for_update(skip_locked=True).", ""),),
        (constraint("competition_cycle", "cycle_number_unique"),),
    ),
    Guard(
        "a cycle opens only when all before it have ended",
        (Change(f"{S}.cycles:is_due", "newest.state not in TERMINAL_CYCLES", "False"),),
        weeks=2,
    ),
    Guard(
        "late window: a boundary long past is missed",
        (Change(f"{S}.cycles:_due_cycle", "if too_late_to_open(rules, number, now):", "if False:"),),
    ),
    Guard(
        "a cycle without a snapshot is held at the deadline",
        (Change(f"{S}.cycles:brief_cycle", "if now >= cycle.deadline_at:", "if False:"),),
    ),
    Guard(
        "a cycle trades on only when all its turns have ended",
        (Change(f"{S}.settling:end_trading", "if unsettled.exists():", "if False:"),),
    ),
    Guard(
        "what is not terminal is looked at again",
        (
            Change(
                f"{S}.ticking:tick",
                "due = _UNFINISHED.rows()",
                'due = [one for one in _UNFINISHED.rows() if one[1] != "trading"]',
            ),
        ),
    ),
    # -- asking
    Guard(
        "lease: nobody is asked while somebody is",
        (
            Change(f"{S}.leasing:_free", '.exclude(lease_until__gt=Given("now"))', ""),
            Change(f"{S}.leasing:_still_free", '.exclude(lease_until__gt=Given("now"))', ""),
        ),
    ),
    Guard(
        "row lock on a leased turn, and one attempt of a number",
        (
            Change(
                f"{S}.leasing:_still_free",
                'Turn.objects.select_for_update(of=("self",), skip_locked=True).',
                "Turn.objects.",
            ),
        ),
        (constraint("agents_attempt", "attempt_number_unique"),),
    ),
    Guard(
        "deadline: an answer that comes after it does not count",
        (
            Change(f"{S}.asking:_store", "now < asked.cycle.deadline_at", "True"),
            Change(f"{S}.asking:_judge", "if now >= asked.cycle.deadline_at:", "if False:"),
        ),
    ),
    Guard(
        "run token: an answer counts only under the lease the turn has now",
        (
            Change(f"{S}.asking:_store", " and turn.token == attempt.run_token", ""),
            Change(f"{S}.asking:_judge", "str(turns[lease.turn_id].token) == lease.question.run_token", "True"),
        ),
    ),
    Guard(
        "the first answer of an attempt stands, in code and by trigger",
        (Change(f"{S}.asking:_store", ", outcome=AttemptOutcome.PENDING)", ")"),),
        (trigger("agents_attempt", "attempt_ends_once"), trigger("competition_turn", "verdict_is_final")),
    ),
    Guard(
        "replies are asked for until the deadline",
        (Change(f"{S}.asking:end_asking", " or now < cycle.deadline_at", ""),),
    ),
    Guard(
        "the rules hold for a reply",
        (Change("competition.core.engine:_ruled", "if violations:", "if False:"),),
    ),
    # -- budget
    Guard(
        "caps: what does not fit is not asked, in code and by constraint",
        (
            Change(f"{A}.budget:_added", "if scope.tokens_cap is not None:", "if False:"),
            Change(f"{A}.budget:_added", "if scope.usd_cap is not None:", "if False:"),
        ),
        (constraint("agents_budget", "budget_tokens_within_cap"), constraint("agents_budget", "budget_usd_within_cap")),
        is_poor=True,
    ),
    Guard(
        "reservation before asking",
        (Change(f"{S}.leasing:_Offer.is_affordable", "if self.allowed.scopes else None", "if False else None"),),
    ),
    Guard(
        "a reservation is settled once, in code and by trigger",
        (
            Change(f"{A}.budget:_close", ", settled_at=None)", ")"),
            Change(f"{A}.budget:open_reservations", ", settled_at=None)", ")"),
            Change(
                f"{S}.spending:settle_attempts", "if reservation and reservation.settled_at is None:", "if reservation:"
            ),
        ),
        (trigger("agents_reservation", "reservation_settles_once"),),
    ),
    Guard(
        "who is given up is charged",
        (Change(f"{S}.spending:charge_lost", "lost = {", "return\n    lost = {"),),
    ),
    # -- trading
    Guard(
        "a turn is settled once: state and token, journal keys, book checks, trigger",
        (
            Change(f"{S}.settling:settle", "if turn.state != TurnState.DECIDED or turn.token != token:", "if False:"),
            Change(f"{S}.settling:_check_book", "if dict(", "if False and dict("),
            Change("competition.core.states:check_transition", "if type(old)", "return\n    if type(old)"),
        ),
        (
            constraint("portfolio_journal", "journal_key_unique"),
            constraint("portfolio_valuation", "valuation_unique"),
            trigger("competition_turn", "turn_terminal_is_frozen"),
            trigger("competition_turn", "provisional_turn_is_settled"),
        ),
    ),
    Guard(
        "one carries a turn out, and an order ends once: leases, compare and set, fill key, trigger",
        (
            Change(f"{S}.trading:_trade", ".exclude(lease_until__gt=now)", ""),
            Change(f"{P}.services:RecordingBroker._check_mine", "if not self._still_mine():", "if False:"),
            Change(
                f"{P}.services:record_execution",
                "is_new = OrderRow.objects.filter(id=row.id, state=OrderState.NEW)",
                "is_new = OrderRow.objects.filter(id=row.id)",
            ),
        ),
        (constraint("portfolio_fill", "fill_trade_unique"), trigger("portfolio_order", "order_ends_once")),
    ),
    Guard(
        "an order that has ended is answered from the record",
        (
            Change(
                f"{P}.services:RecordingBroker.place",
                "if row.state in FINAL_ORDER_STATES:",
                "if False:",
            ),
            Change(
                f"{P}.services:record_execution",
                "is_new = OrderRow.objects.filter(id=row.id, state=OrderState.NEW)",
                "is_new = OrderRow.objects.filter(id=row.id)",
            ),
        ),
        (constraint("portfolio_fill", "fill_trade_unique"), trigger("portfolio_order", "order_ends_once")),
    ),
    Guard(
        "an unknown outcome makes a turn provisional",
        (
            Change(
                f"{S}.settling:settle",
                "TurnState.PROVISIONAL if record.unresolved else",
                "TurnState.SETTLED if True else",
            ),
        ),
        venue=VENUE,
    ),
    # -- the exchange
    Guard(
        "claim: lock, number and state of the last request, unique keys, trigger",
        (
            Change(f"{P}.attempts:claim", "Portfolio.objects.select_for_update()", "Portfolio.objects"),
            Change(f"{P}.attempts:claim", "if (last.number if last else 0) != number - 1:", "if False:"),
            Change(f"{P}.attempts:claim", "if waiting is not None:", "if False:"),
            Change(
                f"{P}.attempts:claim",
                "if last is not None and not may_be_followed(A(last.state), last.refusal):",
                "if False:",
            ),
        ),
        (
            constraint("portfolio_orderattempt", "order_attempt_number_unique"),
            index("order_attempt_one_is_live"),
            constraint("portfolio_orderattempt", "portfolio_orderattempt_client_order_id_key"),
            trigger("portfolio_orderattempt", "order_attempt_begins"),
        ),
        venue=VENUE,
    ),
    Guard(
        "stored timestamp: what is sent is what was written",
        (
            Change(
                f"{P}.testnet_broker:TestnetBroker._send",
                "return self._session.exchange.send(attempt.payload, attempt.client_order_id)",
                "self._session.exchange._seam('before stamping'); return self._session.exchange.send("
                "attempt.payload.rsplit('=', 1)[0] + f'={self._session.exchange.now_ms()}', attempt.client_order_id)",
            ),
        ),
        venue=VENUE,
    ),
    Guard(
        "silence is not a refusal: an unknown outcome is asked for",
        (
            Change(
                f"{P}.testnet_broker:TestnetBroker._record",
                "change(row, A.UNKNOWN, reason, now)",
                "change(row, A.NOT_PLACED, reason, now, due_at=now)",
            ),
        ),
        venue=VENUE,
    ),
    Guard(
        "quiet period, two looks, and an exchange that remembers",
        (
            Change(f"{P}.attempts:claim", "timedelta(seconds=quiet_s)", "timedelta(seconds=2)"),
            Change(f"{P}.testnet_broker:TestnetBroker._not_found", "if row.not_found_at is None:", "if False:"),
            Change(f"{P}.testnet_broker:TestnetBroker._not_found", "remembers(self._session, row.claimed_at)", "True"),
        ),
        venue=VENUE,
    ),
    Guard(
        "trades are booked only when they add up",
        (
            Change(f"{P}.core.venue_fills:execution_of", "if traded != found.executed:", "if False:"),
            Change(f"{P}.core.venue_fills:quote_amounts", "if abs(rest) >", "if False and abs(rest) >"),
        ),
        (trigger("portfolio_orderattempt", "order_attempt_adds_up"),),
        venue=VENUE,
    ),
    Guard(
        "a request changes only out of the state it is known in",
        (Change(f"{P}.attempts:change", "filter(id=row.id, state=row.state)", "filter(id=row.id)"),),
        venue=VENUE,
    ),
    Guard(
        "a wiped exchange is noticed",
        (
            Change(f"{P}.venue_session:look_for_a_wipe", "if known and not any(", "if False and not any("),
            Change(f"{P}.testnet_broker:TestnetBroker._epoch_of", "if known.filter(", "if False and known.filter("),
            Change(
                f"{P}.testnet_broker:TestnetBroker._gone",
                "if row.epoch != self._session.epoch or not remembers(self._session, since):",
                "if False:",
            ),
        ),
        venue=VENUE,
        weeks=2,
    ),
    # -- a backup that is put back
    Guard(
        "what the exchange did for us since the backup is looked for before anything is sent",
        (
            Change(
                f"{P}.testnet_desk:TestnetDesk._open",
                "recover(session, self._terms.symbols, self._turns, self._clock())",
                "pass",
            ),
        ),
        is_restored=True,
    ),
    Guard(
        "a week that was carried out before the backup was put back sends no more",
        (
            Change(
                f"{P}.restoring:why_its_week_is_over", "found.filter(goes_on=False) | found.booked()", "found.none()"
            ),
        ),
        is_restored=True,
    ),
    Guard(
        "an order that goes on is taken from the exchange, and not sent again",
        (
            Change(
                f"{P}.testnet_broker:TestnetBroker._send", "if is_there_already(attempt.client_order_id):", "if False:"
            ),
        ),
        is_restored=True,
    ),
    Guard(
        "what was found is posted once, in code and by key",
        (
            Change(f"{P}.restoring:_book", "if FoundOrder.objects.waiting().filter(id=found.id).exists():", "if True:"),
            Change(f"{P}.restoring:book_what_waits", "FoundOrder.objects.waiting()", "FoundOrder.objects"),
        ),
        (constraint("portfolio_journal", "journal_key_unique"),),
        is_restored=True,
    ),
)
