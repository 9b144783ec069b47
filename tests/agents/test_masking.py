"""Behind the mask: nothing tells the date or the name, and what is said is understood of the right symbol."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.answers import Answer, Decided, NoAnswer
from agents.core.brief import Brief, Place, build_brief
from agents.core.masking import Mask, mask_of
from market.core.canonical import sha256_of
from market.core.snapshot import HISTORY, build_snapshot
from market.core.symbols import DEFAULT_SYMBOLS, pick
from portfolio.core.decisions import Action, Violation
from tests.notation import B, D, at, hourly, rules, some

LISTED = pick([symbol.name for symbol in DEFAULT_SYMBOLS], DEFAULT_SYMBOLS)
NAMES = tuple(LISTED)
WITHOUT_ANY = re.compile(r"20\d\d|\d\d:\d\d|stored|synthetic|Z$|" + "|".join(symbol.base for symbol in LISTED.values()))


def brief_at(as_of: datetime, names: tuple[str, ...], level: str = "1", holdings: str = "") -> Brief:
    """A brief of a market whose symbols move alike at any instant: closes are `level` times a number of the hour."""
    symbols = pick(list(names), DEFAULT_SYMBOLS)

    def close(symbol: str, moment: datetime) -> Decimal | None:
        hours = (as_of - moment) // timedelta(hours=1)
        if symbol == names[-1] and hours < 24:
            return None  # too old to be priced
        return D(level) * (names.index(symbol) + 1) * (1000 + hours * 37 % 101)

    snapshot = build_snapshot(
        as_of, hourly(close)(names, as_of - HISTORY, as_of), symbols, "stored", timedelta(hours=6)
    )
    return build_brief(Place(3, 52, "entry-01"), snapshot, B(holdings), symbols, (), rules().brief_summary)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


WHOLE = brief_at(at("2021-05-10 00:00"), NAMES, holdings="1 BTC, 500 USDT")
MASK = mask_of(NAMES, "USDT", "salt")


def test_nothing_in_a_masked_brief_tells_the_date_or_a_name() -> None:
    assert any(WITHOUT_ANY.search(text) for text in texts(dict(WHOLE.content))), "the test sees nothing"
    masked = MASK.brief(WHOLE)
    told = [text for text in texts(dict(masked.content)) if WITHOUT_ANY.search(text)]
    assert told == []
    assert masked.sha256 == sha256_of(masked.content) != WHOLE.sha256


@some
@given(
    st.integers(0, 100_000),
    st.permutations(NAMES[:4]),
    st.sampled_from(["0.00032", "1", "8", "40000"]),
)
def test_another_date_other_symbols_and_another_level_of_prices_give_the_same_masked_brief(
    hours: int, names: list[str], level: str
) -> None:
    """What is the same for two markets that differ in all of these cannot tell one from the other."""
    as_of = at("2018-01-01 00:00") + timedelta(hours=hours)
    here = brief_at(at("2021-05-10 00:00"), NAMES[:4])
    there = brief_at(as_of, tuple(names), level)
    called = [f"COIN{n}USDT" for n in range(1, 5)]
    masked = Mask(dict(zip(NAMES[:4], called, strict=True)), "USDT").brief(here)
    assert Mask(dict(zip(names, called, strict=True)), "USDT").brief(there).content == masked.content


def test_prices_are_told_in_hundredths_of_the_present_one_and_holdings_keep_their_value() -> None:
    shown, hidden = WHOLE.content, MASK.brief(WHOLE).content
    coin = MASK.names["BTCUSDT"]
    row = hidden["market"]["symbols"][coin]
    assert row["price"] == row["closes_1d"][-1] == "100"
    assert (row["volume_24h"], row["step"], row["priced_at"]) == (None, None, None)
    holding, before = hidden["portfolio"]["holdings"][coin], shown["portfolio"]["holdings"]["BTCUSDT"]
    assert D(holding["quantity"]) * 100 == D(before["value"]) == D(holding["value"])
    assert hidden["portfolio"]["value"] == shown["portfolio"]["value"]
    assert all(len(close.replace(".", "").lstrip("0").rstrip("0")) <= 4 for close in row["closes_1d"])
    assert set(row) == set(shown["market"]["symbols"]["BTCUSDT"])


def test_a_symbol_without_a_price_is_missing_without_the_hour() -> None:
    assert MASK.brief(WHOLE).content["market"]["missing"] == {MASK.names[NAMES[-1]]: "no candle that is fresh"}


def test_the_order_of_the_masks_says_nothing_and_is_the_same_every_time() -> None:
    assert mask_of(NAMES[::-1], "USDT", "salt") == MASK
    assert len({tuple(sorted(mask_of(NAMES, "USDT", str(n)).names.items())) for n in range(30)}) > 10


def test_what_is_said_is_understood_of_the_symbol_that_was_meant() -> None:
    said = json.dumps({"action": "rebalance", "allocations": {MASK.names["ETHUSDT"]: 0.3, "USDT": 0.7}})
    understood = MASK.answer(Answer(said))
    assert isinstance(understood, Decided)
    assert understood.decision.weights == {"ETHUSDT": D("0.3"), "USDT": D("0.7")}
    hold = MASK.answer(Answer('{"action": "hold"}'))
    assert isinstance(hold, Decided)
    assert hold.decision.action is Action.HOLD


def test_a_name_behind_the_mask_stands_for_no_symbol() -> None:
    guessed = MASK.answer(Answer('{"action": "rebalance", "allocations": {"BTCUSDT": 1}}'))
    assert isinstance(guessed, Decided)
    assert list(guessed.decision.weights) == ["not shown: BTCUSDT"]


@pytest.mark.parametrize("answer", [Answer("no JSON"), Answer('{"action": "hold"}', truncated=True), NoAnswer("late")])
def test_what_cannot_be_read_is_left_to_be_judged(answer: Answer | NoAnswer) -> None:
    assert MASK.answer(answer) is answer


def test_objections_speak_of_the_names_that_were_shown() -> None:
    (told,) = MASK.objections([Violation("weight", "BTCUSDT has 0.9, more than 0.5; ETHUSDT too")])
    assert told.detail == f"{MASK.names['BTCUSDT']} has 0.9, more than 0.5; {MASK.names['ETHUSDT']} too"
