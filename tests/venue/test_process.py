"""The exchange as a process of its own: killed at any moment, it goes on from what it had told."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portfolio.core.venue_answers import Acknowledged, Unknown
from portfolio.core.venue_orders import market_order, payload_of
from portfolio.testnet import Keys, Testnet
from tests.portfolio.venue_notation import bought, sold
from tests.venue import faults
from tests.venue.exchange import KEY, SECRET
from tests.venue.server import Remote

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.processes


@contextmanager
def running(state: Path) -> Iterator[tuple[Remote, subprocess.Popen[str]]]:
    argv = [sys.executable, "-m", "tests.venue", "--port", "0", "--state", str(state)]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Remote(process.stdout.readline().strip()), process
    finally:
        process.kill()
        process.communicate()


def test_killed_and_started_again_it_knows_what_it_had_answered(tmp_path: Path) -> None:
    state = tmp_path / "venue.json"
    with running(state) as (remote, process):
        remote.call("set", prices={"BTCUSDT": "100"})
        with Testnet(Keys(KEY, SECRET), remote.url) as testnet:
            remote.call("script", "POST /api/v3/order", faults.partly("0.5"))
            first = testnet.send(payload_of(market_order(sold("0.2"), "oo-1", testnet.now_ms())), "oo-1")
            assert isinstance(first, Acknowledged)
            before = (testnet.balances(), testnet.order("BTCUSDT", "oo-1"), testnet.trades("BTCUSDT", 1))
        process.send_signal(signal.SIGKILL)
        process.wait()
    with running(state) as (remote, _), Testnet(Keys(KEY, SECRET), remote.url) as testnet:
        assert (testnet.balances(), testnet.order("BTCUSDT", "oo-1"), testnet.trades("BTCUSDT", 1)) == before
        remote.call("script", "POST /api/v3/order", faults.gateway(502, executed=True))
        again = testnet.send(payload_of(market_order(bought("0.2"), "oo-2", testnet.now_ms())), "oo-2")
        assert isinstance(again, Unknown)
        assert remote.call("told")["sends"] == ["oo-1", "oo-2"]
        assert remote.call("told")["asked"]["POST /api/v3/order"] == 1
        remote.call("wipe")
        assert testnet.all_orders("BTCUSDT") == ()
