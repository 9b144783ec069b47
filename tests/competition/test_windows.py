"""The board over its last weeks, or without what models cost: the same entries, by another figure."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from competition.core.ranking import StandingRow
from competition.core.windows import Stretch, over_stretch, without_ai_cost

CAPITAL = Decimal(100)
money = st.decimals(min_value=Decimal(1), max_value=Decimal(10_000), places=2)


def standing(entry: str, value: str, rank: int | None = 1, ai_cost: str = "0") -> StandingRow:
    """After eight weeks, of which six had a valid decision."""
    net = (Decimal(value) - Decimal(ai_cost)) / CAPITAL - 1
    unranked = "" if rank else "too young"
    zero = Decimal(0)
    return StandingRow(
        entry,
        rank,
        unranked,
        Decimal(value),
        net,
        None,
        zero,
        zero,
        Decimal(5),
        Decimal(ai_cost),
        Decimal("0.75"),
        8,
        6,
    )


def stretch(*values: str, traded: str = "0", cost: str = "0") -> Stretch:
    return Stretch(tuple(map(Decimal, values)), Decimal(traded), Decimal(2), Decimal(cost), 4, 3)


def test_gross_returns_leave_out_what_models_cost_and_may_turn_the_order() -> None:
    # net: 120 - 15 = +5 %, 110 = +10 %; gross: +20 %, +10 %
    board = [standing("plain", "110", rank=1), standing("dear", "120", rank=2, ai_cost="15")]
    dear, plain = without_ai_cost(board, CAPITAL, "plain")
    assert (dear.entry, dear.rank, dear.net_return, dear.excess_return) == ("dear", 1, Decimal("0.2"), Decimal("0.1"))
    assert (plain.rank, plain.excess_return) == (2, 0)


def test_a_stretch_starts_from_what_an_entry_was_worth_then() -> None:
    # 90 / 120 - 1 = -25 %, though it is -10 % since the season began; from 125 down to 90 is 28 %
    (row,) = over_stretch([standing("a", "90")], {"a": stretch("120", "125", "90", traded="67")}, "", gross=False)
    assert row.net_return == Decimal("-0.25")
    assert row.max_drawdown == Decimal("0.28")
    assert row.turnover == Decimal("0.6")  # 67 of an average of 111.67
    assert (row.fees, row.due, row.valid, row.coverage) == (3, 4, 3, Decimal("0.75"))


def test_a_net_stretch_counts_what_was_spent_in_it_and_a_gross_one_does_not() -> None:
    # (132 - 22) / (110 - 10) - 1 = +10 %; 132 / 110 - 1 = +20 %
    board, stretches = [standing("a", "132", ai_cost="22")], {"a": stretch("110", "132", cost="10")}
    assert over_stretch(board, stretches, "", gross=False)[0].net_return == Decimal("0.1")
    assert over_stretch(board, stretches, "", gross=True)[0].net_return == Decimal("0.2")


def test_what_was_worth_less_than_it_had_cost_is_a_total_loss() -> None:
    stretches = {"a": stretch("10", "20", cost="10")}
    assert over_stretch([standing("a", "20", ai_cost="11")], stretches, "", gross=False)[0].net_return == -1


@given(st.lists(st.tuples(money, money, st.booleans()), min_size=1, max_size=8))
def test_no_view_drops_anybody_or_ranks_whom_the_season_does_not(
    entries: list[tuple[Decimal, Decimal, bool]],
) -> None:
    board = [standing(f"e{i}", str(value), 1 if ranked else None) for i, (value, _, ranked) in enumerate(entries)]
    stretches = {f"e{i}": stretch(str(then), str(value)) for i, (value, then, _) in enumerate(entries)}
    for seen in (without_ai_cost(board, CAPITAL, "e0"), over_stretch(board, stretches, "e0", gross=False)):
        assert {row.entry for row in seen} == {row.entry for row in board}
        assert {row.entry for row in seen if row.rank} == {row.entry for row in board if row.rank}
        ranked = [row for row in seen if row.rank]
        assert ranked == sorted(ranked, key=lambda row: (row.rank, row.entry))
        assert all(
            (one.rank == other.rank) == (one.net_return == other.net_return) for one in ranked for other in ranked
        )
