"""A year on the made-up clock: weeks at the exchange, which is wiped again and again, and a backup that is put back.

python -m tests.simulation.year [--weeks 52] [--wipes 12] [--seed 1]
"""

import argparse
import json
import logging
import random
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal

if __name__ == "__main__":
    import tests.conftest  # noqa: F401 - engines and settings

# isort: split
from django.db.models import Exists, OuterRef

from competition.core.schedule import boundary
from competition.core.states import CycleState
from competition.models import Season, Turn
from competition.services.recovering import recover_by_night
from portfolio.core.order_attempts import QUIET_S
from portfolio.models import FoundOrder, Journal, OrderAttempt
from portfolio.queries import books_of
from tests.simulation import points
from tests.simulation.actors import Actor, end_all
from tests.simulation.connection import CountingConnection
from tests.simulation.dump import dump, restore
from tests.simulation.lines import Lines
from tests.simulation.run import Played, Shape, Theatre
from tests.simulation.world import LOOKS_MAX, World

ENTRIES = 3
KEPT = 0.2  # at each statement between the orders of the week
CALMER = 3  # than the weeks of schedules: most of a year goes well


@dataclass(frozen=True, slots=True)
class Plan:
    """In which weeks what happens; a backup is kept and put back while these weeks trade, or at their end."""

    weeks: int
    wipes: frozenset[int]
    kept_in: int
    put_back_in: int

    @classmethod
    def of(cls, weeks: int, wipes: int, seed: int, weeks_lost: int = 1) -> "Plan":
        """The backup is put back so much later in the middle of the year; no wipe hides what happened between."""
        middle = weeks // 2
        free = [week for week in range(1, weeks + 1) if week not in (middle, middle + 1, middle + 2)]
        return cls(weeks, frozenset(random.Random(seed).sample(free, wipes)), middle, middle + weeks_lost)


class Year(World):
    """A long schedule with its plan."""

    def __init__(self, seed: int, season: Season, lines: Lines, plan: Plan) -> None:
        super().__init__(seed, season, lines)
        self.plan = plan
        self.number = 0
        self.backup = b""
        self.is_to_keep = self.is_put_back = self.has_caught_up = False
        for name in (field.name for field in fields(self.chances)):
            setattr(self.chances, name, getattr(self.chances, name) / CALMER)
        self.exchange.dice.wiped = 0.0
        self.voices.moods.talk_sense()

    def _week(self, number: int) -> None:
        self.number = number
        super()._week(number)
        if self.backup and number == self.plan.put_back_in:  # nothing was on its way any more when it could have been
            self._put_back()
        if self.is_put_back and not self.has_caught_up:
            self._catch_up()
        self.start("night", self._recover)
        if number in self.plan.wipes:
            self.exchange.wipe()
        if number == self.plan.kept_in:
            self._keep()

    def _catch_up(self) -> None:
        """What should have ended long ago by the calendar does, before anybody judges that."""
        self.has_caught_up = True
        for _ in range(LOOKS_MAX):
            super().look()
            self.go_on(self.stage.now + timedelta(seconds=61))

    def _recover(self, actor: Actor) -> None:
        """As beat has it done every night, for weeks in which nobody trades."""
        recover_by_night(
            self.clock, lambda: closing(CountingConnection(self.exchange, self._seam_of_exchange(actor), self._event))
        )

    def _calm(self) -> None:
        self.start("night", self._recover)
        super()._calm()

    def look(self) -> None:
        """While something trades, if it does: then orders are under way that the backup does not have."""
        if self.backup and self.number >= self.plan.put_back_in and self._is_trading(self.number):
            self._put_back()
        super().look()

    def before_statement(self, actor: Actor, sql: str) -> None:
        """Between two orders of a turn, its decision is in the backup and what it sends is not."""
        if self.number == self.plan.kept_in and self._trades(actor) and self.rng.random() < KEPT:
            self.is_to_keep = True
            actor.give_turn_back()
        super().before_statement(actor, sql)

    def _trades(self, actor: Actor) -> bool:
        is_now = self.stage.now > boundary(self.rules, self.number)
        return is_now and points.is_within("trade_cycle") and not actor.line.is_in_transaction()

    def arrivals(self) -> datetime | None:
        """On the stage's own connection, while nobody has the turn."""
        if self.is_to_keep:
            self._keep()
        return super().arrivals()

    def _keep(self) -> None:
        self.is_to_keep = False
        if not self.backup and not self.is_put_back:
            self.say("a backup is made")
            self.backup = dump()

    def _put_back(self) -> None:
        """Everybody is stopped, the backup is put back, and nobody begins before the runbook's pause is over."""
        self.is_put_back = True
        end_all(self.stage.actors)
        self.messages.clear()
        self.voices.log.clear()
        restore(self.backup)
        self.backup = b""
        known = set(OrderAttempt.objects.values_list("client_order_id", flat=True))
        self.exchange.deliver()
        self.stage.now += timedelta(seconds=QUIET_S)
        self.exchange.deliver()
        self.lost = {one.client_order_id for one in self.exchange.log} - known
        self.say(f"the backup is put back; {len(self.lost)} orders are lost with what came after it")


def play_year(stage: Theatre, plan: Plan, seed: int) -> tuple[Played, Year]:
    """The whole year; what it broke is in what was played."""
    years: list[Year] = []

    def year(seed: int, season: Season, lines: Lines) -> World:
        years.append(Year(seed, season, lines, plan))
        return years[0]

    played = stage.play(seed, Shape("venue", plan.weeks, ENTRIES), kind=year)
    return played, years[0]


def told(played: Played, year: Year) -> dict[str, object]:
    """What came of it, with what the ledgers hold beside what the exchange executed for them."""
    cycles = year.season.cycles
    held, executed = _held(year.season), _executed(year)
    return {
        "weeks": {state.value: cycles.filter(state=state.value).count() for state in CycleState},
        "wipes": sum(line.endswith("exchange: wiped") for line in year.log),
        "orders accepted by the exchange": len(year.exchange.log),
        "orders lost with the record": len(year.lost),
        "of them executed and found again": FoundOrder.objects.count(),
        "corrections": Journal.objects.filter(kind="correction").count(),
        "orders forgotten by the exchange before their end was known": len(_forgotten()),
        "orders set aside with their turn": len(_set_aside()),
        "held by the ledgers": {asset: str(amount) for asset, amount in held.items()},
        "executed by the exchange": {asset: str(amount) for asset, amount in executed.items()},
        "ledgers equal the exchange": held == executed,
        "violation": played.violation,
    }


def _held(season: Season) -> Mapping[str, Decimal]:
    """What all ledgers hold together, but for the quote."""
    sums: dict[str, Decimal] = {}
    for book in books_of(list(season.entries.values_list("portfolio_id", flat=True))).values():
        for asset, amount in book.balances.items():
            sums[asset] = sums.get(asset, Decimal(0)) + amount
    return {asset: amount for asset, amount in sorted(sums.items()) if amount and asset != season.rule_book.quote}


def _executed(year: Year) -> Mapping[str, Decimal]:
    """The same by the exchange's own log, without orders that count in no ledger, as their pages say."""
    left_out = _forgotten() | _set_aside()
    sums: dict[str, Decimal] = {}
    for order in year.exchange.log:
        base = order.symbol.removesuffix(year.rules.quote)
        for trade in order.trades if order.client_order_id not in left_out else ():
            moved = trade.quantity if order.side == "buy" else -trade.quantity
            moved -= trade.fee if trade.fee_asset == base else Decimal(0)
            sums[base] = sums.get(base, Decimal(0)) + moved
    return {asset: amount for asset, amount in sorted(sums.items()) if amount}


def _forgotten() -> set[str]:
    """Attempts that a wipe took away before anybody could learn of their end."""
    return set(OrderAttempt.objects.filter(state="wiped").values_list("client_order_id", flat=True))


def _set_aside() -> set[str]:
    """Executed attempts of turns that were set aside: on record, posted nowhere."""
    turn = Turn.objects.filter(
        entry__portfolio=OuterRef("order__portfolio"),
        cycle__number=OuterRef("order__cycle_number"),
        state="quarantined",
    )
    executed = OrderAttempt.objects.filter(Exists(turn), executed__gt=0)
    return set(executed.values_list("client_order_id", flat=True))


def main() -> int:
    parser = argparse.ArgumentParser(description="Play a year with wipes of the exchange and a backup put back.")
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--wipes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    from tests.simulation.rehearsal import scratch_theatre

    with scratch_theatre() as stage:
        result = told(*play_year(stage, Plan.of(given.weeks, given.wipes, given.seed), given.seed))
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return bool(result["violation"]) or not result["ledgers equal the exchange"]


if __name__ == "__main__":
    sys.exit(main())
