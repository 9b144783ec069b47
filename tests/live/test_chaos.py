"""`manage.py chaos`: a site of its own under kills and freezes. What its parts promise, and one short run of it all."""

import json
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from competition.models import ReliabilityRun
from config.chaos.deck import DECK, EVERYTHING, dealt
from config.chaos.exchange_log import OurAttempt, differences, read
from config.chaos.season import contestants, open_one
from config.chaos.witness import Witness
from tests.live.stage import START
from tests.support_engines import own_engines_folder

ONE, LOT = "oo-1-01", Decimal("0.5")


# -- The deck ---------------------------------------------------------------------------------------


def test_every_fault_falls_once_before_any_falls_again() -> None:
    first = [(fault.deed, fault.whom) for fault in islice(dealt(5), len(DECK))]
    assert sorted(first) == sorted(DECK)


def test_the_same_seed_deals_the_same_and_another_does_not() -> None:
    deals = [list(islice(dealt(seed), 60)) for seed in (5, 5, 6)]
    assert deals[0] == deals[1] != deals[2]


def test_the_whole_machine_goes_down_once_in_every_third_deck() -> None:
    faults = islice(dealt(5), 6 * len(DECK) + 2)
    places = [place for place, fault in enumerate(faults) if fault.whom == EVERYTHING]
    assert [place // len(DECK) for place in places] == [2, 5]


# -- The exchange's log beside ours -----------------------------------------------------------------


def attempt(name: str = ONE, order: str = "oo-1", executed: Decimal = LOT, *, is_live: bool = False) -> OurAttempt:
    trades = (("BTCUSDT", name, Decimal(100), executed, Decimal(0), "BTC"),) if executed else ()
    return OurAttempt(name, order, is_live, executed, trades)


def told(*names: str, trades: bool = True) -> dict[str, Any]:
    """What the double tells when it executed half a bitcoin for each of these client ids."""
    orders = {str(n): {"client_order_id": name, "executed": "0.5"} for n, name in enumerate(names)}
    amounts = {"price": "100", "quantity": "0.5", "commission": "0", "commission_asset": "BTC"}
    listed = [{"symbol": "BTCUSDT", "order_id": n, **amounts} for n in range(len(names))] if trades else []
    return {"sends": list(names), "accounts": {"key": {"orders": orders, "trades": listed}}}


def found(ours: tuple[OurAttempt, ...], theirs: dict[str, Any]) -> list[str]:
    return list(differences(ours, read(theirs)))


def test_two_records_that_say_the_same_do_not_differ() -> None:
    refused = attempt("oo-2-01", "oo-2", Decimal(0))
    assert found((attempt(), refused), told(ONE)) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "sentence"),
    [
        ((attempt(),), {**told(ONE), "sends": [ONE, ONE]}, "was executed 2 times"),
        ((), told(ONE), "is at the exchange and not on record"),
        ((attempt(executed=Decimal("0.4")),), told(ONE), "executed 0.5 at the exchange and 0.4 on record"),
        ((attempt(),), told(), "executed 0 at the exchange and 0.5 on record"),
        ((attempt(),), told(ONE, trades=False), "are not those the exchange lists"),
        ((attempt(), attempt("oo-1-02")), told(ONE, "oo-1-02"), "order oo-1 was executed by 2 attempts"),
    ],
)
def test_what_differs_is_told(ours: tuple[OurAttempt, ...], theirs: dict[str, Any], sentence: str) -> None:
    assert any(sentence in one for one in found(ours, theirs))


def test_an_order_under_way_may_be_there_or_not_but_once_at_most() -> None:
    under_way = (attempt(executed=Decimal(0), is_live=True),)
    assert found(under_way, told()) == found(under_way, told(ONE)) == []
    assert found(under_way, {**told(ONE), "sends": [ONE, ONE]}) == [f"{ONE} was executed 2 times"]


# -- The witness ------------------------------------------------------------------------------------


def test_a_witness_misses_what_was_committed_before_a_kill(db: None) -> None:
    witness = Witness()
    with transaction.atomic():
        season = open_one(seed=1, cycles=3, now=START)
        week = {"number": 1, "state": "missed", "due_at": START, "opened_at": START, "as_of": START}
        season.cycles.create(**week, deadline_at=START, closed_at=START)
        witness.look()
        transaction.set_rollback(True)  # as in a database that had forgotten it
    witness.compare()
    assert witness.findings == [
        f"{len(contestants(1))} journals that were on record are gone after PostgreSQL was killed",
        "week 1 was missed, and is not after PostgreSQL was killed",
    ]


# -- The command ------------------------------------------------------------------------------------


@pytest.fixture
def folder(settings: Any) -> Iterator[Path]:
    with own_engines_folder() as data:
        settings.DATA = data
        yield data


@pytest.mark.parametrize("minutes", [0, -1, 1e9, float("nan")])
def test_a_time_that_makes_no_sense_is_refused_in_words(db: None, minutes: float) -> None:
    with pytest.raises(CommandError, match="--minutes must be above 0"):
        call_command("chaos", minutes=minutes)
    assert not ReliabilityRun.objects.exists()


@pytest.mark.processes
def test_a_site_under_kills_and_freezes_loses_nothing_doubles_nothing_and_ends_every_week(
    own_database: str, folder: Path
) -> None:
    out, story = StringIO(), StringIO()
    call_command("chaos", minutes=0.25, seed=2, json=True, leave_unknown=True, stdout=out, stderr=story)
    kept = ReliabilityRun.objects.get()
    assert json.loads(out.getvalue())["violations"] == kept.violations == 0, story.getvalue()
    assert kept.counts["cycles ended"] == 2
    assert kept.counts["cycles closed"] >= 1, "a machine under load may miss those under faults"
    assert kept.faults["processes killed"] >= 1
    assert kept.faults["bursts of forged and repeated messages"] == 1
    assert sum(kept.faults.values()) >= 6, "half a deck, on a machine with nothing else to do"
    assert "is killed. The record is read" in story.getvalue()
    assert list((folder / "chaos").glob("*")) == [], "nothing is left of a clean run"
