"""Weeks in which everything goes wrong at once: no order is executed twice, and none is lost."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from portfolio import testnet_broker
from portfolio.core.order_attempts import AttemptState
from portfolio.core.venue_answers import Outcome, Unknown
from portfolio.testnet_broker import TestnetBroker
from tests.schedules import hostile
from tests.schedules.hostile import HostileConnection
from tests.schedules.invariants import Violation
from tests.schedules.run import run, shape_of
from tests.schedules.world import Process, World

SEEDS = range(6)
STAMPING = "stamping"


@pytest.mark.parametrize("seed", SEEDS)
def test_no_order_is_executed_twice_or_lost(migrated_template: str, django_db_blocker, seed: int) -> None:
    with django_db_blocker.unblock():
        run(migrated_template, seed, **shape_of(seed))


# -- Bugs that the schedules must find, each planted where a guard is taken away --------------------------------------
#
# Each is looked for in the weather that brings it out: what a seed rolls changes with every query that the steps make.


def stamped_when_sent(patch: pytest.MonkeyPatch) -> None:
    """The instant of a request is that of its sending, so a process that slept sends something alive."""
    send = HostileConnection.send

    def stamping(self: HostileConnection, payload: str, client_order_id: str) -> Outcome:
        self._seam(f"before {STAMPING} {client_order_id}")
        start, _ = payload.rsplit("=", 1)
        return send(self, f"{start}={self.now_ms()}", client_order_id)

    patch.setattr(HostileConnection, "send", stamping)
    fate = World.fate

    def sleepy(self: World, process: Process, where: str) -> bool:
        if STAMPING in where and not self.is_calm and self.rng.random() < 0.3:
            process.wakes_at = self.stage.now + timedelta(seconds=self.rng.choice([700, 4000]))
            self.say(f"{process.name} is frozen {where}")
            return True
        return fate(self, process, where)

    patch.setattr(World, "fate", sleepy)


def sent_again_when_unknown(patch: pytest.MonkeyPatch) -> None:
    """A lost answer is taken for an order that was not placed."""
    record = TestnetBroker._record

    def recording(self: TestnetBroker, row, outcome: Outcome) -> None:
        if isinstance(outcome, Unknown):
            now = self._clock()
            testnet_broker.change(row, AttemptState.NOT_PLACED, "no answer, so it cannot be there", now, due_at=now)
            return
        record(self, row, outcome)

    patch.setattr(TestnetBroker, "_record", recording)


def short_of_patience(patch: pytest.MonkeyPatch) -> None:
    """Silence is taken for proof after seconds, while what the exchange tells lags by minutes."""
    patch.setattr(hostile, "LAG_MS_MAX", 500_000)
    patch.setattr(hostile, "Dice", partial(hostile.Dice, lost=0, late=0, refused=0, wiped=0, answer_lost=0.8, lag=1.0))
    patch.setattr(testnet_broker, "LOOKS_APART_S", 0)
    claim = testnet_broker.attempts.claim

    def claiming(*given):
        return claim(*given[:-1], 5)

    patch.setattr(testnet_broker.attempts, "claim", claiming)
    patch.setattr(testnet_broker, "remembers", lambda session, since: True)


@pytest.mark.parametrize(
    ("bug", "seeds"),
    [(sent_again_when_unknown, range(12)), (short_of_patience, range(12)), (stamped_when_sent, range(8))],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_a_planted_bug_is_found(
    migrated_template: str,
    django_db_blocker,
    monkeypatch: pytest.MonkeyPatch,
    bug: Callable[[pytest.MonkeyPatch], None],
    seeds: range,
) -> None:
    bug(monkeypatch)
    with django_db_blocker.unblock(), pytest.raises(Violation, match=r"was accepted 2 times|we know of 0"):
        for seed in seeds:
            run(migrated_template, seed, **shape_of(seed))
