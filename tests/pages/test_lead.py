"""Who leads, who finished first, and who is highest, in sentences."""

from decimal import Decimal

import pytest

from competition.core.ranking import StandingRow
from competition.pages.lead import extremes_of, lead_of
from competition.pages.names import EntryName
from tests.pages.seasons import rules_of

NAMES = {
    slug: EntryName(slug, slug.title(), "model", is_simulated=False) for slug in ("ada", "bob", "cleo", "dan", "eve")
}
RULES = rules_of(26)
ZERO = Decimal(0)


def standing(entry: str, value: str, rank: int | None = 1) -> StandingRow:
    net = Decimal(value) / RULES.capital - 1
    unranked = "" if rank else "too few decisions"
    return StandingRow(entry, rank, unranked, Decimal(value), net, None, ZERO, ZERO, ZERO, ZERO, Decimal(1), 26, 26)


def headline(*board: StandingRow, is_over: bool = False) -> str:
    return lead_of(board, NAMES, RULES, 26, (), is_over=is_over).headline


def test_who_is_first_leads_while_the_season_runs_and_has_finished_first_after_it() -> None:
    board = standing("ada", "11000"), standing("bob", "9000", 2)
    assert headline(*board) == "Ada leads after 26 weeks with +10.0%"
    assert headline(*board, is_over=True) == "Ada finished first after 26 weeks with +10.0%"


def test_those_who_share_the_first_rank_are_all_named() -> None:
    board = standing("ada", "11000"), standing("bob", "11000")
    assert headline(*board) == "Ada and Bob lead after 26 weeks with +10.0%"
    assert headline(*board, is_over=True) == "Ada and Bob finished first after 26 weeks with +10.0%"


def test_without_ranks_nobody_leads_and_nobody_finished_first() -> None:
    assert headline(standing("ada", "11000", None)) == "Nobody leads yet"
    assert headline(standing("ada", "11000", None), is_over=True) == "Nobody finished first"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "Nobody has entered."),
        ({"ada": "10000", "bob": "10000"}, "All stand at 100.0."),
        ({"ada": "11000", "bob": "9000"}, "Highest is Ada at 110.0, lowest Bob at 90.0."),
        ({"ada": "11000", "bob": "11000", "cleo": "9000"}, "Highest are Ada and Bob at 110.0, lowest Cleo at 90.0."),
        ({"ada": "11000", "bob": "10999", "cleo": "9000"}, "Highest are Ada and Bob at 110.0, lowest Cleo at 90.0."),
        (
            {"ada": "11000", "bob": "9000", "cleo": "9000", "dan": "9000", "eve": "9000"},
            "Highest is Ada at 110.0, lowest 4 entries at 90.0.",
        ),
    ],
)
def test_the_chart_names_everybody_who_shares_its_highest_and_lowest_value(
    values: dict[str, str], sentence: str
) -> None:
    assert extremes_of([standing(entry, value) for entry, value in values.items()], NAMES, RULES) == sentence


def test_the_chart_says_where_the_benchmark_is() -> None:
    names = {**NAMES, RULES.benchmark: EntryName(RULES.benchmark, "Buy and hold", "baseline", is_simulated=False)}
    board = standing("ada", "11000"), standing(RULES.benchmark, "10000"), standing("bob", "9000")
    assert extremes_of(board, names, RULES).endswith("; the benchmark (Buy and hold) at 100.0.")
