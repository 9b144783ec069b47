"""A few weeks with wipes and a backup that is put back while orders are under way."""

from tests.simulation.run import Theatre
from tests.simulation.year import Plan, play_year, told

SEED = 3


def test_every_week_ends_and_the_ledgers_hold_what_the_exchange_executed(stage: Theatre) -> None:
    plan = Plan.of(weeks=6, wipes=1, seed=SEED)
    played, year = play_year(stage, plan, SEED)
    result = told(played, year)
    assert not played.violation, played.violation
    assert (result["wipes"], year.is_put_back) == (1, True)
    assert year.lost
    assert result["ledgers equal the exchange"], result
