"""The commands as a user types them: what they print, and what a wrong input gets."""

import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from competition.models import Season
from competition.services import demo
from competition.services.ticking import tick
from portfolio.models import Journal
from tests.live.stage import START

YEAR = ["--source", "synthetic", "--from", "2024-01-01", "--to", "2024-03-25"]


def play_season(*arguments: str) -> str:
    out = io.StringIO()
    call_command("play_season", *arguments, stdout=out)
    return out.getvalue()


# -- play_season ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_same_season_played_twice_is_the_same_to_the_byte() -> None:
    assert play_season(*YEAR, "--seed", "4", "--json") == play_season(*YEAR, "--seed", "4", "--json")


@pytest.mark.django_db
def test_another_seed_is_another_season() -> None:
    first, second = (json.loads(play_season(*YEAR, "--seed", seed, "--json")) for seed in ("4", "5"))
    assert first["postings_sha256"] != second["postings_sha256"]


@pytest.mark.django_db
def test_the_json_tells_standings_cycles_and_the_hash_over_all_postings() -> None:
    told = json.loads(play_season(*YEAR, "--json"))
    assert told["cycles"] == 13
    assert len(told["postings_sha256"]) == 64
    assert len(told["standings"]) == 13
    cash = next(row for row in told["standings"] if row["entry"] == "all-cash")
    assert (cash["net_asset_value"], cash["coverage"]) == ("10000", "1")
    refuser = next(row for row in told["standings"] if row["entry"] == "refuser")
    assert (refuser["rank"], refuser["coverage"], refuser["turnover"]) == (None, "0", "0")


@pytest.mark.django_db
def test_playing_a_season_writes_nothing() -> None:
    play_season(*YEAR)
    assert not Season.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--symbols", "BTCUSDT,DOGEUSDT"], "Unknown symbol 'DOGEUSDT'. Listed: ADAUSDT"),
        (["--symbols", "BTCUSDT,BTCUSDT"], "a symbol is listed twice"),
        (["--symbols", "BTCUSDT,FOO"], "Unknown symbol 'FOO'. Listed: ADAUSDT"),
        (["--symbols", ","], "--symbols must name at least 1"),
        (["--source", "stored"], "BTCUSDT has no 1h candles at all"),
        (["--capital", "0"], "must be above zero"),
        (["--capital", "-5"], "must be above zero"),
        (["--capital", "NaN"], "must be above zero"),
        (["--capital", "lots"], "is not a number"),
        (["--capital", "0.000000001"], "--capital must have at most 8 decimals"),
        (["--max-weight", "0.8", "--min-cash", "0.4"], "--max-weight 0.8 and --min-cash 0.4 contradict each other"),
        (["--max-weight", "1.4"], "--max-weight must be at most 1."),
        (["--max-weight", "0.12345678901"], "--max-weight must have at most 10 decimals"),
        (["--min-cash", "-1"], "--min-cash must be at least 0."),
        (["--drift-band", "0.0001"], "--drift-band 0.0001 is too narrow for these costs"),
        (["--fee-bps", "abc"], "--fee-bps must be a number."),
        (["--from", "2024-13-01"], "is not a date"),
        (["--from", "01.02.2024"], "write it as 2021-01-04"),
        (["--to", "2023-01-01"], "is before --from"),
        (["--from", "0001-01-01"], "--from 0001-01-01 is out of reach; choose a date from 2009-01-01 to 2100-01-01."),
        (["--to", "2999-01-01"], "--to 2999-01-01 is out of reach"),
    ],
)
def test_a_season_that_cannot_be_played_is_refused_with_what_to_change(arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError) as refusal:
        play_season(*YEAR, *arguments)
    assert says in str(refusal.value)
    assert refusal.value.returncode == 1


def test_a_database_that_does_not_answer_is_one_sentence_and_status_1(repository: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "SECRET_KEY": "test"}
    done = subprocess.run(
        [sys.executable, "manage.py", "play_season", *YEAR],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "The database cannot be reached" in done.stderr
    assert "DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


# -- load_demo ------------------------------------------------------------------------------------


def test_loading_the_demo_twice_loads_it_once(own_database: str) -> None:
    out = io.StringIO()
    call_command("load_demo", stdout=out)
    journals = Journal.objects.count()
    call_command("load_demo", stdout=out)
    assert Journal.objects.count() == journals
    assert "Going on with Running demo season 1." in out.getvalue()
    finished = Season.objects.get(slug=demo.FINISHED_SLUG)
    assert (finished.state, finished.cycles.count()) == ("closed", 26)


def test_a_running_season_that_stood_still_for_hours_is_closed_and_followed(own_database: str) -> None:
    first, _ = demo.ensure_running(START)
    tick(first.rule_book.starts_at, lambda step, cycle_id: None)  # a cycle opened, and everything was killed
    same, is_new = demo.ensure_running(START + timedelta(minutes=30))
    assert (same, is_new) == (first, False)

    second, is_new = demo.ensure_running(START + timedelta(minutes=300))
    assert is_new
    first.refresh_from_db()
    assert first.state == "closed"
    assert "the demo was off" in first.close_reason
    assert {cycle.state for cycle in first.cycles.all()} == {"held"}
    assert second.state == "open"


def test_the_season_at_the_exchange_double_is_there_with_the_double_and_ends_without_it(
    own_database: str,
) -> None:
    season, is_new = demo.ensure_exchange(START)
    assert is_new
    assert (season.rule_book.execution, season.rule_book.exchange) == ("testnet", "double")
    assert demo.ensure_exchange(START + timedelta(minutes=2)) == (season, False)
    demo.end_exchange(START + timedelta(minutes=3))
    season.refresh_from_db()
    assert (season.state, season.close_reason) == ("closed", "the demo was started without its exchange")
    assert demo.ensure_exchange(START + timedelta(minutes=4))[0].slug == "demo-exchange-2"
