"""The board: equal returns share a rank, and who decided too rarely or too briefly is shown but not ranked."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.core.ranking import Result, StandingRow, coverage, net_return, rank
from competition.core.rules import Rules
from tests.notation import D, rules, some

SEASON = rules(capital="1000", ranked_after_cycles=2, ranked_coverage="0.75", benchmark="btc")


def result(entry: str, values: str, valid: int = 4, due: int = 4, ai_cost: str = "0") -> Result:
    """`values` are whole valuations after the start capital of 1000: `1100 1200`."""
    curve = (D(1000), *(Decimal(value) for value in values.split()))
    return Result(entry, curve, D(0), D(0), D(ai_cost), due, valid)


def board(results: Sequence[Result], season: Rules = SEASON) -> list[str]:
    """`1 alice 0.1` for every row, a dash for who is not ranked."""
    return [f"{row.rank or '-'} {row.entry} {row.net_return.normalize():f}" for row in rank(results, season)]


def row(one: Result, season: Rules = SEASON) -> StandingRow:
    return rank([one], season)[0]


def test_the_board_is_sorted_by_net_return() -> None:
    assert board([result("low", "900"), result("high", "1200"), result("middle", "1100")]) == [
        "1 high 0.2",
        "2 middle 0.1",
        "3 low -0.1",
    ]


def test_equal_returns_share_a_rank_and_the_next_one_is_behind_all_of_them() -> None:
    tied = [result(name, "1100") for name in ("carol", "alice", "bob")]
    assert board([*tied, result("dave", "1050"), result("best", "1200")]) == [
        "1 best 0.2",
        "2 alice 0.1",
        "2 bob 0.1",
        "2 carol 0.1",
        "5 dave 0.05",
    ]


def test_returns_that_differ_beyond_six_places_are_equal() -> None:
    # 0.0000004 of a return is no lead
    assert board([result("a", "1100"), result("b", "1100.0004")]) == ["1 a 0.1", "1 b 0.1"]
    assert board([result("a", "1100"), result("b", "1100.001")]) == ["1 b 0.100001", "2 a 0.1"]


def test_what_the_models_calls_cost_is_taken_off() -> None:
    assert net_return(result("a", "1100", ai_cost="50"), D(1000)) == D("0.05")  # (1100 - 50) / 1000 - 1
    assert board([result("costly", "1100", ai_cost="60"), result("cheap", "1050")]) == ["1 cheap 0.05", "2 costly 0.04"]


@pytest.mark.parametrize(
    ("valid", "due", "why"),
    [
        (3, 4, ""),  # 0.75, the gate itself
        (2, 3, "decided validly in 2 of 3 weeks, below 75%"),
        (74, 99, "decided validly in 74 of 99 weeks, below 75%"),
        (0, 4, "decided validly in 0 of 4 weeks, below 75%"),
        (1, 1, "ranked from week 2 on"),
        (0, 0, "ranked from week 2 on"),
        (2, 2, ""),
    ],
)
def test_who_decided_too_rarely_or_too_briefly_is_not_ranked_with_the_reason(valid: int, due: int, why: str) -> None:
    assert row(result("a", "5000", valid, due)).unranked == why
    assert row(result("a", "5000", valid, due)).rank == (None if why else 1)


def test_a_third_is_enough_where_a_third_is_asked_for() -> None:
    assert row(result("a", "1100", 1, 3), rules(ranked_after_cycles=1, ranked_coverage="0.3333333333")).rank == 1


def test_the_gate_is_told_as_it_is() -> None:
    told = row(result("a", "1100", 3, 4), rules(ranked_after_cycles=1, ranked_coverage="0.755")).unranked
    assert told.endswith("below 75.5%")


def test_the_unranked_stand_below_the_ranked_however_rich_they_are() -> None:
    rich, richer = result("rich", "5000", 1, 4), result("richer", "6000", 1, 4)
    assert board([rich, result("poor", "500"), richer]) == ["1 poor -0.5", "- richer 5", "- rich 4"]


def test_before_anything_was_due_nobody_is_ranked_and_nobody_missed_anything() -> None:
    start = [result(name, "", 0, 0) for name in "ba"]
    assert board(start) == ["- a 0", "- b 0"]
    assert coverage(0, 0) == 1
    assert rank([], SEASON) == ()


def test_excess_is_over_the_benchmark_of_the_season() -> None:
    rows = rank([result("btc", "1050"), result("a", "1100"), result("late", "1010", 1, 4)], SEASON)
    assert {row.entry: row.excess_return for row in rows} == {"a": D("0.05"), "btc": D(0), "late": D("-0.04")}


def test_an_unranked_benchmark_is_a_benchmark_still() -> None:
    rows = rank([result("btc", "1050", 0, 4), result("a", "1100")], SEASON)
    assert {row.entry: row.excess_return for row in rows} == {"a": D("0.05"), "btc": D(0)}


def test_without_the_benchmark_there_is_no_excess() -> None:
    assert row(result("a", "1100")).excess_return is None


def test_a_row_tells_drawdown_turnover_fees_and_coverage() -> None:
    traded = replace(result("a", "1200 900 1000", 3, 4, ai_cost="1.5"), traded=D(2050), fees=D("2.05"))
    shown = row(traded)
    assert shown.max_drawdown == D("0.25")  # 1200 -> 900
    assert shown.turnover == 2  # 2050 / ((1000 + 1200 + 900 + 1000) / 4)
    assert (shown.fees, shown.ai_cost) == (D("2.05"), D("1.5"))
    assert (shown.coverage, shown.due, shown.valid, shown.value) == (D("0.75"), 4, 3, 1000)


def test_a_fund_that_lost_everything_has_a_row_too() -> None:
    lost = row(result("a", "0 0"))
    assert (lost.net_return, lost.max_drawdown, lost.turnover, lost.rank) == (-1, 1, 0, 1)


results = st.lists(
    st.builds(
        lambda entry, values, due, missed: Result(
            entry, (D(1000), *values), D(0), D(0), D(0), due, max(0, due - missed)
        ),
        st.text("abcdefgh", min_size=1, max_size=3),
        st.lists(st.sampled_from([D(900), D(1000), D(1100)]) | st.decimals(1, 9999, places=2), max_size=3),
        st.integers(0, 9),
        st.integers(0, 3),
    ),
    max_size=8,
    unique_by=lambda one: one.entry,
)


@some
@given(results, st.randoms(use_true_random=False))
def test_the_order_in_which_results_come_does_not_matter(results: list[Result], dice: object) -> None:
    shuffled = list(results)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank(shuffled, SEASON) == rank(results, SEASON)


@some
@given(results)
def test_everybody_is_shown_once_and_a_rank_is_one_more_than_those_who_are_better(results: list[Result]) -> None:
    rows = rank(results, SEASON)
    assert sorted(row.entry for row in rows) == sorted(result.entry for result in results)
    ranked = [row for row in rows if row.rank]
    for row in ranked:
        assert row.rank == 1 + sum(other.net_return > row.net_return for other in ranked)
    assert list(rows[: len(ranked)]) == ranked
    assert all((row.rank is None) == bool(row.unranked) for row in rows)
