"""Rows that tags draw: what others wrote is escaped in each, and they lead where their pages are."""

import pytest
from django.urls import reverse, set_script_prefix

from competition.pages.addresses import address
from competition.pages.charts import Chart, Line
from competition.pages.compare import Deeds
from competition.pages.costs import BudgetLine
from competition.pages.figures import Figure, Moment
from competition.pages.history import DecisionLine, TradeLine
from competition.pages.latest import EntryDeed
from competition.pages.market import Held
from competition.pages.names import EntryName
from competition.pages.pictures import Segment, Spark
from competition.pages.spend_tables import SpendLine
from competition.pages.table import BoardRow
from competition.pages.words import Deed, Mark
from competition.templatetags.board_rows import deeds, legend, standings
from competition.templatetags.compare_rows import entry_choices, week_rows
from competition.templatetags.cost_rows import budget_rows, spend_row, spend_rows
from competition.templatetags.entry_rows import decision_lines, trade_rows
from competition.templatetags.market_rows import entry_options, everybodys_trades, holder_rows

EVIL, ESCAPED = '<b title="\'">&', "&lt;b title=&quot;&#x27;&quot;&gt;&amp;"
WHO = EntryName("vandal", EVIL, "model", is_simulated=True)
FIGURES = ("calls", "failed", "prompt", "cached", "completion", "reasoning", "tokens", "usd", "worst")
AT = Moment("2026-01-05T00:00:00Z", "5 Jan 2026, 00:00")
MARK = Mark(EVIL, "bar", "calm")
DEED = Deed(MARK, EVIL, EVIL)
FLAT = Figure("0.0%")
STANDING = BoardRow(
    *("–", EVIL, WHO, "1.00", FLAT, FLAT, "0.0%", "0.00", "0.00", "0.00", "1/1"),
    bar=(Segment(EVIL, "100.0%", "0", "100", 1),),
    spark=Spark("m0 1l1 1", 1, 1),
)
TRADE = TradeLine(3, WHO, AT, "buy", EVIL, "1", "2.00", "0.0 bp", "2.00", f"0.01 {EVIL}")
SPENT = SpendLine(EVIL, "", WHO, is_simulated=False, **dict.fromkeys(FIGURES, "1"))
LEFT = BudgetLine(WHO, "season", *["1"] * 8)
DECISION = DecisionLine(3, AT, DEED, EVIL, "1.00", "0.01", "–", "1.00")
LINES = (Line(EVIL, EVIL, "model", 1, "100.0", "", None), Line("vandal", EVIL, "model", 2, "100.0", "", WHO))
CHART = Chart("", "", "", LINES, 320, "m0 0", (), (), ())

DRAWN = {
    "a row of the board": (lambda: standings([STANDING], "s"), 3),
    "the legend of a chart": (lambda: legend(CHART, "s"), 3),
    "a deed of the latest week": (lambda: deeds([EntryDeed(WHO, DEED)], "s", 3), 4),
    "a choice of whom to compare": (lambda: entry_choices([(WHO, True)]), 1),
    "a week side by side": (lambda: week_rows([Deeds(3, ((MARK, EVIL), None), differ=False)], "s"), 2),
    "a decision": (lambda: decision_lines([DECISION], "s", WHO, has_cost=True), 4),
    "a trade of an entry": (lambda: trade_rows([TRADE], "s", "vandal"), 2),
    "an option": (lambda: entry_options([WHO], "vandal"), 1),
    "a trade of anybody": (lambda: everybodys_trades([TRADE], "s"), 2),
    "what was spent on something": (lambda: spend_rows([SPENT]), 1),
    "what was spent on all": (lambda: spend_row(SPENT), 1),
    "what may still be spent": (lambda: budget_rows([LEFT], "s"), 1),
    "a holder": (lambda: holder_rows([Held(WHO, ("1%",))], "s"), 1),
}


@pytest.mark.parametrize("what", DRAWN)
def test_what_others_wrote_is_escaped(what: str) -> None:
    draw, times = DRAWN[what]
    drawn = draw()
    assert EVIL not in drawn
    assert "<b" not in drawn
    assert drawn.count(ESCAPED) >= times


def test_an_address_is_that_of_its_page_under_whatever_prefix_the_site_stands() -> None:
    parts = ("season-one", 3, "vandal")
    assert address("turn", *parts) == address("turn", *parts) == reverse("turn", args=parts)
    set_script_prefix("/below/")
    try:
        assert address("turn", *parts) == reverse("turn", args=parts) == "/below/s/season-one/c/3/e/vandal/"
    finally:
        set_script_prefix("/")
