"""A backtest in memory: the engine of seasons, decision by decision; between them, the curve of what was held."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.deciders import decider
from agents.core.roster import house
from agents.core.signals import Floats, Market, View
from competition.core.backtest import SLUG, play_briefs, wishes_of
from competition.core.backtest_curve import curve_of, held_curve, kept_curve
from competition.core.backtest_parameters import rules_of
from competition.core.backtest_past import moments_of, past_of
from competition.core.backtest_report import (
    YARDSTICK_POINTS_MAX,
    kept_yardsticks,
    postings_sha256,
    result_of,
    yardsticks,
)
from competition.core.backtest_result import POINTS_MAX
from competition.core.backtest_stage import Played
from competition.core.play import Contestant
from competition.core.play import play as play_season
from competition.services.backtest_market import columns_from
from market.core.candles import Series, from_ms, to_ms
from market.core.symbols import DEFAULT_SYMBOLS, pick
from market.synthetic import synthetic_candles
from portfolio.core.book import value_of
from tests.competition.backtested import EQUAL, Scripted, parameters, play, stage
from tests.notation import steady_market

DAYS = timedelta(days=1)
HOUR_MS = 3_600_000
WEEKLY = parameters()


def traded(played: Played) -> list[str]:
    return [
        f"{one.order.side} {one.order.symbol} {one.order.quantity} at {one.order.reference_price}"
        for turn in played.turns
        for one in turn.record.executions
    ]


@pytest.mark.parametrize("profile", house(1, WEEKLY.symbols), ids=lambda profile: profile.slug)
def test_a_backtest_leaves_the_postings_of_a_season_with_the_same_calendar(profile) -> None:
    on, rules = stage(), rules_of(WEEKLY)
    symbols = pick(WEEKLY.symbols, DEFAULT_SYMBOLS)
    weeks = len(on.moments.rows)
    contestant = Contestant(profile.slug, 1, decider(profile.model, profile.parameters))
    season = rules.model_copy(update={"cycles": weeks})
    lived = play_season(SLUG, season, symbols, [contestant], synthetic_candles(1))
    backtested = play_briefs(profile.slug, on, decider(profile.model, profile.parameters))
    assert weeks == 9
    assert postings_sha256(backtested) == lived.postings_sha256()


def test_weights_as_arrays_leave_the_postings_of_the_same_weights_in_replies() -> None:
    on = stage()
    told = play_briefs(
        "alice", on, decider("baseline/fixed-rebalanced", {"weights": {"BTCUSDT": "0.6", "ETHUSDT": "0.4"}})
    )
    shown = play(Scripted(dict.fromkeys(range(len(on.moments.rows)), (0.6, 0.4))), on)
    assert postings_sha256(shown) == postings_sha256(told)
    assert len(shown.journals) > 5


def test_what_was_decided_at_one_close_is_filled_at_the_close_or_the_open_of_the_next_candle() -> None:
    closes, opens = stage(), stage(fill="next_open")
    for on, price_of, later in ((closes, "closes", timedelta(hours=1)), (opens, "opens", timedelta(0))):
        played = play(Scripted({3: (1.0, 0.0)}), on)
        (turn,) = played.turns
        (execution,) = turn.record.executions
        row = int(on.moments.rows[3]) + 1
        expected = getattr(on.past.market["BTCUSDT"], price_of)[row]
        assert float(execution.order.reference_price) == expected
        assert execution.fills[0].at == turn.as_of + later
        assert turn.as_of == from_ms(int(on.moments.at_ms[3]))


def test_the_curve_is_the_book_at_every_close() -> None:
    on = stage(every="1d")
    played = play(Scripted({0: (0.5, 0.5), 10: (0.2, 0.1), 30: (0.0, 1.0)}), on)
    curve = curve_of(played, on)
    books = {turn.row + 1: turn.record.book_after for turn in played.turns}
    book = None
    for row, value in enumerate(curve.values, start=int(on.moments.rows[0])):
        book = books.get(row, book)
        exact = value_of(book, on.close_at(row), on.symbols, "USDT") if book else on.rules.capital
        assert value == pytest.approx(float(exact), rel=1e-12)
    assert len(curve) == len(on.past) - on.moments.rows[0]


def test_a_wish_that_breaks_a_rule_is_rejected_and_nothing_is_traded() -> None:
    played = play(Scripted({0: (0.9, 0.9), 1: (-0.1, 0.5), 2: (np.nan, 0.5)}), stage())
    assert [turn.verdict.kind for turn in played.turns] == ["rejected"] * 3
    assert traded(played) == []


def test_an_agent_that_wants_everything_in_cash_sells_all_that_the_filters_let_go() -> None:
    played = play(Scripted({0: (0.5, 0.5), 4: (0.0, 0.0)}), stage())
    assert [line.split()[0] for line in traded(played)] == ["buy", "buy", "sell", "sell"]
    assert set(played.book.balances) == {"USDT"}


wish = st.tuples(st.floats(0, 0.6), st.floats(0, 0.5)) | st.sampled_from(
    [(0.5, 0.5), (0.25, 0.25), (1.0, 0.0), (0.0, 0.0)]
)


@settings(max_examples=12, deadline=None)
@given(wishes=st.lists(wish, min_size=1, max_size=4), lasting=st.integers(1, 200))
def test_passing_over_quiet_stretches_changes_no_posting(wishes: list, lasting: int) -> None:
    on = stage(every="candle", last=WEEKLY.first + 12 * DAYS)
    count = len(on.moments.rows)
    agent = Scripted({moment: wishes[moment // lasting % len(wishes)] for moment in range(count)})
    one, other = play(agent, on), play(agent, on, look=False)
    assert postings_sha256(one) == postings_sha256(other)
    assert len(one.turns) + one.quiet == len(other.turns) == count
    assert other.quiet == 0


class Called:
    """Wants half in bitcoin whenever it rose over the last day, else nothing; called candle by candle."""

    def figures(self, market: Market) -> Mapping[str, Floats]:
        closes = market["BTCUSDT"].closes
        return {"rose": np.concatenate((np.full(24, np.nan), closes[24:] - closes[:-24]))}

    def decide(self, index: int, view: View) -> Mapping[str, float] | None:
        return {"BTCUSDT": 0.5} if view.figure("rose", index) > 0 else None


class AsArray:
    """The same, said all at once."""

    def weights(self, market: Market, asked: np.ndarray) -> Floats:
        rose = Called().figures(market)["rose"]
        return np.where((rose > 0)[:, None], (0.5, 0.0), np.nan)


def test_an_agent_called_on_every_candle_does_what_the_same_agent_does_as_an_array() -> None:
    on = stage(every="candle")
    called, at_once = play(Called(), on), play(AsArray(), on)
    assert postings_sha256(called) == postings_sha256(at_once)
    assert called.held == at_once.held > 0


class Strange(Called):
    def decide(self, index: int, view: View) -> Mapping[str, float] | None:
        return {"DOGEUSDT": 1.0}


def test_a_symbol_that_was_not_shown_cannot_be_wanted() -> None:
    with pytest.raises(ValueError, match="DOGEUSDT"):
        wishes_of(Strange(), stage(), lambda looked_at: None)


def without(series: Series, hours: Sequence[int]) -> Series:
    """The series with holes at these rows."""
    kept = [row for row in range(len(series)) if row not in hours]
    columns = (series.open_ms, series.opens, series.highs, series.lows, series.closes, series.volumes)
    return Series(series.symbol, series.timeframe, *([column[row] for row in kept] for column in columns))


def test_rows_are_instants_at_which_every_symbol_has_a_candle() -> None:
    whole = synthetic_candles(1)(("BTCUSDT", "ETHUSDT"), WEEKLY.first, WEEKLY.first + DAYS)
    cut = {
        "BTCUSDT": columns_from(without(whole["BTCUSDT"], [5, 6])),
        "ETHUSDT": columns_from(without(whole["ETHUSDT"], [6, 7])),
    }
    past = past_of(cut, HOUR_MS, to_ms(WEEKLY.first), to_ms(WEEKLY.first + DAYS))
    assert past.open_ms.tolist() == [
        open_ms for n, open_ms in enumerate(whole["BTCUSDT"].open_ms) if n not in (5, 6, 7)
    ]
    assert past.alone == 2


def test_a_moment_without_a_fresh_candle_is_missed() -> None:
    whole = synthetic_candles(1)(("BTCUSDT",), WEEKLY.first - DAYS, WEEKLY.first + 21 * DAYS)["BTCUSDT"]
    second_week = whole.open_ms.index(to_ms(WEEKLY.first + 7 * DAYS))
    cut = {"BTCUSDT": columns_from(without(whole, range(second_week - 7, second_week)))}
    first_ms, last_ms = to_ms(WEEKLY.first), to_ms(WEEKLY.first + 21 * DAYS)
    moments = moments_of(past_of(cut, HOUR_MS, first_ms, last_ms), first_ms, last_ms, 7 * 24 * HOUR_MS)
    assert [from_ms(int(at_ms)) for at_ms in moments.at_ms] == [WEEKLY.first, WEEKLY.first + 14 * DAYS]
    assert moments.missed == 1


def test_what_is_decided_at_every_candle_is_not_traded_after_a_long_outage_either() -> None:
    whole = synthetic_candles(1)(("BTCUSDT",), WEEKLY.first + timedelta(hours=1), WEEKLY.first + 2 * DAYS)["BTCUSDT"]
    cut = {"BTCUSDT": columns_from(without(whole, range(10, 30)))}
    first_ms, last_ms = to_ms(WEEKLY.first), to_ms(WEEKLY.first + 2 * DAYS)
    past = past_of(cut, HOUR_MS, first_ms, last_ms)
    moments = moments_of(past, first_ms, last_ms, HOUR_MS)
    assert 9 not in moments.rows.tolist()  # its price to trade at comes 21 hours later
    assert (len(moments.rows), moments.missed) == (len(past) - 2, 1)


def test_a_row_that_is_nan_in_part_orders_nothing_and_is_counted_as_refused() -> None:
    on = stage(every="1d", last=WEEKLY.first + 7 * DAYS)
    played = play(Scripted({0: (0.5, float("nan"))}), on)
    (turn,) = played.turns
    assert (turn.verdict.kind.value, turn.record.executions) == ("rejected", ())


def test_without_a_candle_before_the_window_the_first_decision_waits_for_its_first_close() -> None:
    first, last = WEEKLY.first, WEEKLY.first + 15 * DAYS
    candles = synthetic_candles(1)(WEEKLY.symbols, first + timedelta(hours=1), last)
    arrays = {name: columns_from(series) for name, series in candles.items()}
    moments = moments_of(
        past_of(arrays, HOUR_MS, to_ms(first), to_ms(last)), to_ms(first), to_ms(last), 7 * 24 * HOUR_MS
    )
    assert from_ms(int(moments.at_ms[0])) == first + timedelta(hours=1)


def test_a_kept_curve_has_its_first_and_last_point_and_no_more_than_fit() -> None:
    on = stage(every="1d", last=WEEKLY.first + 400 * DAYS)
    curve = curve_of(play(Scripted({0: (0.5, 0.5)}), on), on)
    kept = kept_curve(curve, HOUR_MS)
    assert len(curve) > POINTS_MAX > len(kept.at_ms)
    assert (kept.at_ms[0], kept.values[0]) == (curve.at_ms[0], 10_000)
    assert (kept.at_ms[-1], kept.values[-1]) == (curve.at_ms[-1], curve.values[-1])
    assert {(at - kept.at_ms[-2]) % (4 * HOUR_MS) for at in kept.at_ms[1:-1]} == {0}


def test_yardsticks_pay_for_their_one_purchase() -> None:
    flat = steady_market("BTC 50000, ETH 2500")
    on = stage(flat(WEEKLY.symbols, WEEKLY.first, WEEKLY.last))
    values = held_curve(on, ("BTCUSDT",)).values
    assert values[0] == 10_000
    # 10000 / (1.0005 * 1.001) at a price that never moves
    assert values[-1] == pytest.approx(9985.017, abs=0.001)


def test_a_yardstick_is_kept_with_few_points_and_both_of_its_ends() -> None:
    two_years = stage(last=WEEKLY.first + 730 * DAYS)
    curves = yardsticks(two_years)
    kept = kept_yardsticks(curves, two_years.past.step_ms)["equal_weight"]
    whole = curves["equal_weight"]
    assert len(kept["at_ms"]) == len(kept["values"]) <= YARDSTICK_POINTS_MAX
    assert (kept["at_ms"][0], kept["at_ms"][-1]) == (whole.at_ms[0], whole.at_ms[-1])
    assert kept["total_return"] == pytest.approx(whole.values[-1] / whole.values[0] - 1)


def test_the_result_has_figures_of_the_whole_curve_and_a_line_for_every_decision() -> None:
    on = stage()
    played = play(Scripted({0: (0.5, 0.5), 4: (0.0, 0.0)}), on)
    result = result_of(EQUAL, 1, played, on, yardsticks(on))
    assert result.metrics["final_value"] == pytest.approx(float(played.book.of("USDT")))
    assert set(result.metrics["excess_returns"]) == {"btc_hold", "equal_weight"}
    assert (result.trades_count, len(result.trades), result.decisions_count) == (4, 4, 2)
    assert [line.weights for line in result.decisions] == [{"BTCUSDT": "0.5", "ETHUSDT": "0.5"}, {"USDT": "1"}]
    assert Decimal(result.decisions[0].traded) > 9_900
