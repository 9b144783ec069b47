"""Longer bars out of candles, and the holes that are told and never filled."""

from decimal import Decimal

from competition.core.bars import Bar, Hole, bars_of, holes_of
from market.core.candles import Series

HOUR = 3_600_000


def series(*closes: str, hours: tuple[int, ...] = ()) -> Series:
    """Each candle opens where the one before closed, reaches 1 above and 1 below."""
    at = hours or tuple(range(len(closes)))
    ends = tuple(map(Decimal, closes))
    starts = (ends[0], *ends[:-1])
    highs = tuple(max(pair) + 1 for pair in zip(starts, ends, strict=True))
    lows = tuple(min(pair) - 1 for pair in zip(starts, ends, strict=True))
    return Series(
        "BTCUSDT", "1h", tuple(hour * HOUR for hour in at), starts, highs, lows, ends, (Decimal(1),) * len(at)
    )


def test_a_bar_opens_with_the_first_and_closes_with_the_last_of_its_candles() -> None:
    first, second = bars_of(series("5", "9", "2", "7"), 2 * HOUR, 4 * HOUR)
    assert first == Bar(0, Decimal(5), Decimal(10), Decimal(4), Decimal(9))
    assert second == Bar(2 * HOUR, Decimal(9), Decimal(10), Decimal(1), Decimal(7))


def test_a_candle_that_had_not_closed_is_in_no_bar() -> None:
    (bar,) = bars_of(series("5", "9", "2"), 24 * HOUR, 2 * HOUR)
    assert (bar.close, bar.low) == (9, 4)
    assert bars_of(series("5"), HOUR, HOUR - 1) == ()


def test_holes_are_counted_in_candles() -> None:
    assert holes_of(series("5", "9", "2", hours=(0, 1, 5))) == [Hole(2 * HOUR, 3)]
    assert holes_of(series("5", "9")) == []
