"""Backtests on real workers: one that is killed loses its lease, and another finishes what it had begun."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone
from tqdm import tqdm

from competition.backtest_models import Backtest, BacktestRun
from competition.core.states import BacktestState
from competition.management.commands import sweep as sweeping
from competition.models import Cycle, Season, Standing
from competition.services import backtest_requests, backtests
from competition.services.backtest_reads import result_of
from competition.services.backtest_requests import data_of
from competition.services.backtest_runs import run_backtest, run_due
from competition.services.backtests import Asker, cancel, claim, request_backtest
from competition.services.sweeps import ask_for_sweep, waiting_in
from competition.tasks import play_backtest, play_backtests
from config.celery import app
from portfolio.models import Journal
from tests.competition.backtested import EQUAL, parameters

ROOT = Path(__file__).resolve().parents[2]
PLAY = """
import sys, uuid
import django
django.setup()
from django.utils import timezone
from competition.services.backtest_runs import run_backtest
run_backtest(sys.argv[1], timezone.now, uuid.uuid4(), lambda done, total: print(done, flush=True))
"""
MOMENTUM = EQUAL.model_copy(update={"slug": "momentum", "model": "baseline/momentum"})


def asked(**changes) -> Backtest:
    wanted = parameters(**changes)
    return request_backtest(wanted, data_of(wanted), "no_model", Asker("command"), timezone.now())[0]


def hashes(key: str) -> list[str]:
    found = result_of(key, timezone.now())
    assert found is not None
    return [result.postings_sha256 for result in found.agents]


@pytest.mark.processes
def test_a_worker_that_is_killed_loses_its_lease_and_another_ends_the_backtest_the_same(own_database: str) -> None:
    wanted = {"agents": (MOMENTUM,), "every": "candle", "last": parameters().first + timedelta(days=20)}
    backtest = asked(**wanted)
    environment = {**os.environ, "DATABASE_URL": _address_of(own_database)}
    with subprocess.Popen(
        [sys.executable, "-c", PLAY, backtest.key], cwd=ROOT, env=environment, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline()  # it has begun, and told so
        worker.send_signal(signal.SIGKILL)
    backtest.refresh_from_db()
    assert (backtest.state, BacktestRun.objects.count()) == (BacktestState.RUNNING, 0)

    assert run_due(timezone.now, uuid.uuid4) == 0  # the lease may still be somebody's
    later = timezone.now() + backtests.LEASE + timedelta(seconds=1)
    assert run_due(lambda: later, uuid.uuid4) == 1
    backtest.refresh_from_db()
    assert (backtest.state, backtest.attempts) == (BacktestState.DONE, 2)
    undisturbed = asked(**wanted, seed=1, capital=10_000, max_usd=1)  # other parameters, the same play
    run_backtest(undisturbed.key, timezone.now, uuid.uuid4())
    assert hashes(undisturbed.key) == hashes(backtest.key)


def _address_of(name: str) -> str:
    address, _, options = os.environ["DATABASE_URL"].partition("?")
    return f"{address.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")


@pytest.mark.django_db
def test_what_is_cancelled_while_it_is_played_leaves_nothing() -> None:
    backtest = asked(agents=(MOMENTUM,))

    def cancelling(done: int, total: int) -> None:
        cancel(backtest.key, timezone.now())

    assert run_backtest(backtest.key, timezone.now, uuid.uuid4(), cancelling) is False
    backtest.refresh_from_db()
    assert (backtest.state, BacktestRun.objects.count()) == (BacktestState.CANCELLED, 0)


@pytest.mark.django_db
def test_messages_may_be_repeated_or_lost() -> None:
    first, second = asked(), asked(seed=2)
    play_backtest(key=first.key)
    play_backtest(key=first.key)
    assert BacktestRun.objects.count() == 1
    play_backtests()  # no message ever came of the second
    second.refresh_from_db()
    assert second.state == BacktestState.DONE


@pytest.mark.django_db
def test_a_backtest_stands_on_no_board() -> None:
    play_backtest(key=asked().key)
    assert BacktestRun.objects.count() == 1
    assert [model.objects.count() for model in (Season, Cycle, Standing, Journal)] == [0, 0, 0, 0]


@pytest.mark.django_db
def test_candles_that_changed_since_it_was_asked_for_end_it_with_a_sentence() -> None:
    wanted = parameters()
    other = {**data_of(wanted), "engine": -1}
    backtest, _ = request_backtest(wanted, other, "no_model", Asker("command"), timezone.now())
    run_backtest(backtest.key, timezone.now, uuid.uuid4())
    backtest.refresh_from_db()
    assert backtest.state == BacktestState.FAILED
    assert "ask again" in backtest.error


@pytest.mark.django_db
def test_candles_that_change_while_it_is_played_are_told_and_their_result_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = parameters()
    backtest, _ = request_backtest(wanted, data_of(wanted), "no_model", Asker("command"), timezone.now())

    def at_once(done: int, total: int) -> None:
        monkeypatch.setattr(backtest_requests, "ENGINE_VERSION", -1)  # the one part that changes without a market

    run_backtest(backtest.key, timezone.now, uuid.uuid4(), at_once)
    backtest.refresh_from_db()
    assert (backtest.state, "changed while this was played" in backtest.error) == (BacktestState.FAILED, True)
    assert not BacktestRun.objects.exists()


@pytest.mark.django_db
def test_a_sweep_without_a_queue_asks_for_nothing() -> None:
    with pytest.raises(CommandError, match="No queue answers"), closed_queue():
        call_command("sweep", *SWEEP, "--source", "synthetic")
    assert Backtest.objects.count() == 0


@contextmanager
def closed_queue() -> Iterator[None]:
    """The queue at an address where nobody listens."""
    before = app.conf.broker_write_url
    app.conf.broker_write_url = "redis://127.0.0.1:1/0"
    app.pool.force_close_all()
    try:
        yield
    finally:
        app.conf.broker_write_url = before


SWEEP = ["--agent", "equal-weight", "--agent", "random", "--window", "2024-01-01:2024-02-01", "--seeds", "1,2"]


@pytest.mark.django_db
def test_a_sweep_plays_each_agent_over_each_window_with_each_seed(capsys) -> None:
    call_command("sweep", *SWEEP, "--source", "synthetic", "--symbols", "BTCUSDT,ETHUSDT", "--here")
    told = capsys.readouterr().out
    assert [line.split()[:4] for line in told.splitlines()[1:5]] == [
        [agent, "2024-01-01", "2024-02-01", seed] for agent in ("equal-weight", "random") for seed in ("1", "2")
    ]
    assert told.count("done") == 4
    assert Backtest.objects.count() == 4


@pytest.mark.django_db
def test_a_sweep_whose_only_worker_died_half_way_says_so_and_does_not_wait_for_ever(monkeypatch) -> None:
    common = {"agents": ("equal-weight",), "symbols": ("BTCUSDT",), "source": "synthetic"}
    sweep = ask_for_sweep(common, [("2024-01-01", "2024-02-01")], (1, 2), timezone.now())
    done, died = waiting_in(sweep)
    run_backtest(done, timezone.now, uuid.uuid4())
    claim(died, uuid.uuid4(), timezone.now() - backtests.LEASE)
    monkeypatch.setattr(sweeping, "PATIENCE_S", sweeping.LOOK_EVERY_S / 2)
    with tqdm(total=2, disable=True) as unseen, pytest.raises(CommandError, match="No worker has played any of 1"):
        sweeping._wait(sweep, 2, unseen)


def test_two_workers_share_a_sweep_and_begin_nothing_twice(own_database: str) -> None:
    common = {"agents": ("equal-weight", "random"), "symbols": ("BTCUSDT", "ETHUSDT"), "source": "synthetic"}
    sweep = ask_for_sweep(common, [("2024-01-01", "2024-02-01")], (1, 2, 3), timezone.now())
    keys, together = waiting_in(sweep), Barrier(2, timeout=60)
    assert len(keys) == 6

    def work() -> None:
        try:
            for key in keys:
                together.wait()  # both reach for the same one
                run_backtest(key, timezone.now, uuid.uuid4())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as workers:
        for worker in [workers.submit(work) for _ in range(2)]:
            worker.result()
    assert waiting_in(sweep) == []
    assert set(sweep.backtests.values_list("state", "attempts")) == {(BacktestState.DONE, 1)}
    assert BacktestRun.objects.count() == 6


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (["--window", "2024-01-01"], "no window"),
        (["--seeds", "1,x"], "no whole numbers"),
        (["--agent", "nobody"], "--agent: There is no agent nobody"),
        (["--window", "2024-02-01:2024-01-01"], "--to"),
    ],
)
def test_a_sweep_that_cannot_be_played_writes_nothing(changed: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("sweep", *SWEEP, "--source", "synthetic", *changed, "--here")
    assert Backtest.objects.count() == 0
