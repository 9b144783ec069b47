"""`manage.py backtest`: what it prints, what it knows already, and what it refuses, with what to do."""

import json
import time
import uuid
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agents.core.roster import house
from agents.models import Agent
from competition.backtest_models import Backtest, BacktestRun
from competition.management.backtest_flags import FLAGS
from competition.services.backtest_reads import result_of
from competition.services.backtests import claim, fail
from market.core.candles import Series, to_ms
from market.services import store_candles
from market.synthetic import synthetic_candles

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
JANUARY, MAY = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)
USUAL = {"agents": ["equal-weight"], "first": "2024-02-01", "last": "2024-04-01", "symbols": "BTCUSDT,ETHUSDT"}


def words(changed: dict) -> list[str]:
    """The usual arguments with changes, as they are typed."""
    found = []
    for name, value in {**USUAL, **changed}.items():
        values = value if isinstance(value, list) else [value]
        found += [word for one in values for word in (FLAGS[name], str(one))]
    return found


def backtest(capsys, *flags: str, **options) -> str:
    call_command("backtest", *words(options), *flags)
    return capsys.readouterr().out


def document(capsys, **options) -> dict:
    return json.loads(backtest(capsys, "--json", **options))


@pytest.fixture
def stored() -> None:
    """Hours from January to April of two symbols, without the two of one outage and without four days of ether."""
    for symbol, holes in (("BTCUSDT", [1500, 1501]), ("ETHUSDT", range(2500, 2596))):
        whole = synthetic_candles(1)((symbol,), JANUARY + HOUR, MAY)[symbol]
        kept = [row for row in range(len(whole)) if row not in set(holes)]
        columns = (whole.open_ms, whole.opens, whole.highs, whole.lows, whole.closes, whole.volumes)
        store_candles([Series(symbol, "1h", *([column[row] for row in kept] for column in columns))])


def test_it_plays_and_shows_at_once_what_was_played_before(capsys) -> None:
    first = backtest(capsys, source="synthetic", agents=["equal-weight", "ema-cross"])
    again = backtest(capsys, source="synthetic", agents=["equal-weight", "ema-cross"])
    assert "made up" in first
    assert ", played in" in first
    assert first.replace("played in", "played before in") == again
    assert Backtest.objects.count() == 1


def test_stored_and_synthetic_candles_that_are_the_same_give_the_same_postings(stored: None, capsys) -> None:
    short = {"first": "2024-02-02", "last": "2024-03-02", "every": "1d", "agents": ["equal-weight", "momentum"]}
    one, other = (document(capsys, source=source, **short) for source in ("stored", "synthetic"))
    hashes = [[agent["postings_sha256"] for agent in found["agents"]] for found in (one, other)]
    assert hashes[0] == hashes[1]
    assert len(one["agents"][1]["trades"]) > 2


def test_holes_are_told_and_not_filled(stored: None, capsys) -> None:
    told = document(capsys, last="2024-03-20")["market"]
    assert told["holes_count"] == 1
    assert told["holes"] == [{"from": "2024-03-03T12:00:00Z", "to": "2024-03-03T14:00:00Z", "candles": 2}]
    assert told["candles_alone"] == 2  # of ether, while bitcoin had none


def test_the_command_that_is_told_asks_for_the_same(capsys) -> None:
    found = document(capsys, source="synthetic", every="1d", fee_bps="7.5", fill="next_open")
    call_command("backtest", *found["command_line"].split()[2:], "--json")
    assert json.loads(capsys.readouterr().out)["backtest"] == found["backtest"]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"agents": ["nobody"]}, "--agent: There is no agent nobody. There are: all-cash, "),
        ({"timeframe": "2h"}, "--timeframe: Candles of 2h are not kept; choose one of 1m, 5m, 15m"),
        ({"symbols": "BTCUSDT,FOO"}, "--symbols: Unknown symbol 'FOO'"),
        ({"symbols": ","}, "--symbols: Name at least one symbol"),
        ({"first": "2024-04-01"}, "--to: 2024-04-01 is not after 2024-04-01"),
        ({"first": "2024-04-02"}, "--to: 2024-04-01 is not after 2024-04-02"),
        ({"first": "April"}, "--from: 'April' is no date; write it as"),
        ({"first": "0001-01-01"}, "--from: 0001-01-01 is out of reach"),
        ({"capital": "0"}, "--capital: 0 leaves nothing to invest"),
        ({"capital": "-5"}, "--capital: -5 leaves nothing to invest"),
        ({"capital": "0.01"}, "--capital: 0.01 buys nothing: the smallest order of BTCUSDT is 5 USDT"),
        ({"capital": "much"}, "--capital: 'much' is not a number"),
        ({"capital": "NaN"}, "--capital: 'NaN' is not a number"),
        ({"fee_bps": "-1"}, "--fee-bps: fee_bps must be at least 0"),
        ({"fee_bps": "1e999999999"}, "--fee-bps: 1e999999999 is too far from zero"),
        ({"capital": "1e-999999999"}, "--capital: 1e-999999999 is too far from zero or too near"),
        ({"first": "0001-01-01T00:00+14:00"}, "--from: 0001-01-01T00:00.14:00 is out of reach"),
        ({"drift_band": "0.001"}, "drift_band 0.001 is too narrow"),
        ({"max_candles": 100}, "--to: These are 2,880 candles, more than the 100"),
        ({"timeframe": "1d"}, "have no 1d candle from 2024-02-01 to 2024-04-01 .only 1h"),
        ({"timeframe": "1d", "source": "synthetic"}, "--timeframe: The synthetic market has candles of 1h only"),
        ({"last": "2024-06-01"}, "have no 1h candles from 2024-05-01 00:00 to 2024-06-01 00:00"),
        ({"first": "2023-12-30"}, "have no 1h candles from 2023-12-30 00:00 to 2024-01-01 00:00"),
        ({"symbols": "SOLUSDT"}, "SOLUSDT has no 1h candle from 2024-02-01 to 2024-04-01. Choose other"),
        ({"last": "2024-02-01T01:00"}, "fewer than two candles"),
    ],
)
def test_what_cannot_be_played_is_refused_beside_its_flag_and_nothing_is_written(
    stored: None, changed: dict, complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("backtest", *words(changed))
    assert Backtest.objects.count() == 0


def test_an_agent_that_buys_only_what_is_not_played_is_refused(stored: None) -> None:
    held = next(one for one in house(1, ("BTCUSDT",)) if one.slug == "btc-hold")
    Agent.objects.create(**asdict(held))
    with pytest.raises(CommandError, match="--agent: btc-hold buys BTCUSDT alone, which is not among the symbols"):
        call_command("backtest", *words({"agents": ["btc-hold"], "symbols": "ETHUSDT"}))
    assert Backtest.objects.count() == 0


def test_days_that_somebody_forgot_to_load_are_no_outage(stored: None) -> None:
    with pytest.raises(CommandError, match="missing from 2024-04-14 04:00 to 2024-04-18 04:00, 96 in a row"):
        call_command("backtest", *words({"last": "2024-04-25"}))
    (row,) = Backtest.objects.all()
    found = result_of(row.key, MAY)
    assert found is not None
    assert (found.status.state, found.agents) == ("failed", ())


def test_the_fixture_ends_where_its_name_says() -> None:
    assert to_ms(JANUARY) + 2500 * 3_600_000 == to_ms(datetime(2024, 4, 14, 4, tzinfo=UTC))


@pytest.mark.parametrize(
    ("agent", "verdict"), [("ema-cross", "does not look ahead"), ("momentum", "does not look ahead")]
)
def test_the_look_ahead_check_gives_a_verdict(agent: str, verdict: str, capsys) -> None:
    call_command("lookahead_check", *words({"agents": [agent], "every": "1d", "source": "synthetic"}), "--times", "2")
    assert f"{agent}: {verdict}" in capsys.readouterr().out


def test_of_whoever_is_asked_through_a_runner_the_briefs_are_checked_and_nobody_is_asked(capsys) -> None:
    Agent.objects.create(slug="gpt", version=1, name="GPT", kind="single", model="own/gpt")
    call_command("lookahead_check", *words({"agents": ["gpt"], "source": "synthetic"}), "--times", "1")
    told = capsys.readouterr().out
    assert "gpt: is shown nothing of the future. 9 briefs, and in 2 replaced futures" in told
    assert "It was not asked itself" in told


def test_what_another_worker_plays_is_waited_for_and_taken_when_that_worker_is_gone(capsys, monkeypatch) -> None:
    key = document(capsys, source="synthetic")["backtest"]
    Backtest.objects.filter(key=key).update(state="queued", attempts=0, finished_at=None, seconds=None)
    BacktestRun.objects.all().delete()
    held = claim(key, uuid.uuid4(), timezone.now())
    assert held is not None
    waits = []

    def the_worker_dies(seconds: float) -> None:
        waits.append(seconds)
        Backtest.objects.filter(key=key).update(lease_until=timezone.now())

    monkeypatch.setattr(time, "sleep", the_worker_dies)
    assert ", played in" in backtest(capsys, source="synthetic")
    assert len(waits) == 1
    assert Backtest.objects.get().attempts == 2


def test_what_fails_while_it_is_waited_for_is_told(capsys, monkeypatch) -> None:
    key = document(capsys, source="synthetic")["backtest"]
    Backtest.objects.filter(key=key).update(state="queued", attempts=0, finished_at=None, seconds=None)
    held = claim(key, uuid.uuid4(), timezone.now())
    assert held is not None
    monkeypatch.setattr(time, "sleep", lambda seconds: fail(held, "The candles were taken away.", timezone.now()))
    with pytest.raises(CommandError, match="The candles were taken away"):
        backtest(capsys, source="synthetic")
