"""No setting can name another host than the two of the exchange that cost nothing, or this machine."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.binance import Binance
from market.core import hosts
from market.core.hosts import (
    FUTURES_QUESTIONS,
    MARKET_DATA,
    TESTNET,
    ForbiddenHost,
    futures_question,
    market_data_url,
    orders_url,
)
from tests.market.exchange import exchange_double

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = [
    "https://api.binance.com",
    "http://api.binance.com",
    "https://api1.binance.com",
    "https://api.binance.us",
    "https://testnet.binance.vision",
    "http://localhost:8000",
    "http://127.0.0.1",
    "http://127.0.0.1:0",
    "http://127.0.0.1:65536",
    "http://127.0.0.1:80 ",
    " http://127.0.0.1:80",
    "http://127.0.0.1:80\n",
    "http://127.0.0.1:80/",
    "http://127.0.0.1:80/api",
    "http://127.0.0.1:80@api.binance.com",
    "http://user@127.0.0.1:80",
    "http://127.0.0.1.nip.io:80",
    "http://127.0.0.1:٨٠",
    "http://127.0.0.2:80",
    "http://0.0.0.0:80",
    "http://2130706433:80",
    "http://[::ffff:127.0.0.1]:80",
    "https://127.0.0.1:443",
    "HTTP://127.0.0.1:80",
    "file:///etc/passwd",
    "127.0.0.1:80",
]


def test_without_a_double_data_come_from_the_public_host_and_orders_go_to_the_testnet() -> None:
    assert market_data_url() == MARKET_DATA == "https://data-api.binance.vision"
    assert orders_url() == TESTNET == "https://testnet.binance.vision"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:65535", "http://[::1]:8080"])
def test_a_double_on_this_machine_is_taken(url: str) -> None:
    assert (market_data_url(url), orders_url(url)) == (url, url)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_any_other_address_is_refused(url: str) -> None:
    for choose in (market_data_url, orders_url):
        with pytest.raises(ForbiddenHost, match=r"EXCHANGE_DOUBLE=.* is refused"):
            choose(url)
    with pytest.raises(ForbiddenHost):
        Binance(url)


@given(st.text(min_size=1) | st.from_regex(r"http://(127\.0\.0\.1|\[::1\]):[0-9]+.{0,3}", fullmatch=True))
def test_whatever_is_typed_only_this_machine_is_reached(text: str) -> None:
    try:
        found = orders_url(text)
    except ForbiddenHost:
        return
    host, _, port = found.removeprefix("http://").rpartition(":")
    assert host in ("127.0.0.1", "[::1]")
    assert 1 <= int(port) <= 65_535


def test_the_hosts_are_named_in_one_file_and_the_live_exchange_in_none() -> None:
    named = {
        str(path.relative_to(ROOT))
        for app in ("market", "portfolio", "agents", "competition", "config")
        for path in (ROOT / app).rglob("*.py")
        if ".binance.vision" in path.read_text() or "binance.com" in path.read_text()
    }
    assert named == {"market/core/hosts.py"}
    assert re.findall(r"[a-z0-9.]*binance\.(?:com|us)", Path(hosts.__file__).read_text()) == ["fapi.binance.com"]


@pytest.mark.parametrize(
    "path", ["/fapi/v1/order", "", "/", "/fapi/v1/premiumIndex/../order", "/fapi/v1/openInterest?x=1"]
)
def test_about_futures_four_questions_have_an_address_and_nothing_else(path: str) -> None:
    with pytest.raises(ForbiddenHost, match="is no question"):
        futures_question(path)
    assert {futures_question(known) for known in FUTURES_QUESTIONS} == {
        "https://fapi.binance.com/fapi/v1/premiumIndex",
        "https://fapi.binance.com/fapi/v1/openInterest",
        "https://fapi.binance.com/futures/data/globalLongShortAccountRatio",
        "https://fapi.binance.com/futures/data/takerlongshortRatio",
    }


def test_no_public_name_gives_the_host_of_futures_away() -> None:
    public = {name: value for name, value in vars(hosts).items() if not name.startswith("_")}
    assert not [name for name, value in public.items() if "fapi.binance" in str(value)]


def test_no_variable_of_the_environment_moves_the_market_data() -> None:
    names = [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "BINANCE_URL",
        "API_URL",
        "BASE_URL",
    ]
    program = "from market.binance import Binance; print(Binance()._base)"
    environment = {**os.environ, **dict.fromkeys(names, "https://api.binance.com")}
    told = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, check=True)
    assert told.stdout.decode().strip() == MARKET_DATA


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    with exchange_double(noon) as exchange, exchange_double(noon) as proxy, Binance(exchange.url) as client:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert client.server_time() == noon
        assert (len(exchange.requests), len(proxy.requests)) == (1, 0)
