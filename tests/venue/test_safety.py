"""No order can reach the live exchange, and no key or signature the log, whatever is set and whatever goes wrong."""

import json
import logging
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from market.core.answers import ExchangeError
from market.core.hosts import TESTNET, ForbiddenHost
from portfolio.core.venue_orders import market_order, payload_of, signature_of
from portfolio.testnet import Keys, Testnet
from tests.market.test_binance_hosts import ELSEWHERE
from tests.portfolio.venue_notation import bought
from tests.test_architecture import content
from tests.venue import faults
from tests.venue.exchange import KEY, SECRET, Venue
from tests.venue.server import venue_double

ROOT = Path(__file__).resolve().parents[2]
LIVE = "https://api.binance.com"
# Sets one variable after the other to the live exchange, reads the settings anew, and says where an order would go.
TRY_THEM_ALL = """
import json, os, runpy, sys
from market.core.hosts import ForbiddenHost
from portfolio.testnet import Keys, Testnet
names, live = json.loads(sys.argv[1]), sys.argv[2]
found = {}
for name in names:
    before = os.environ.get(name)
    os.environ[name] = live
    try:
        settings = runpy.run_path("config/settings.py")
        found[name] = Testnet(Keys("key", "secret"), settings["EXCHANGE_DOUBLE"])._base
    except ForbiddenHost:
        found[name] = "refused by the hosts"
    except Exception as error:
        found[name] = f"refused by the settings: {type(error).__name__}"
    if before is None:
        del os.environ[name]
    else:
        os.environ[name] = before
print(json.dumps(found))
"""
OF_OTHER_LIBRARIES = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
]
OF_OTHER_LIBRARIES += [
    "BINANCE_URL",
    "BINANCE_API_URL",
    "BINANCE_TESTNET",
    "API_URL",
    "API_TESTNET_URL",
    "BASE_URL",
    "TLD",
]


@pytest.fixture
def venue() -> Iterator[Venue]:
    with venue_double() as venue:
        yield venue


def test_no_variable_of_the_environment_sends_an_order_to_the_live_exchange() -> None:
    names = sorted(set(re.findall(r"\"([A-Z][A-Z0-9_]+)\"", (ROOT / "config/settings.py").read_text())))
    names += OF_OTHER_LIBRARIES
    told = subprocess.run(
        [sys.executable, "-c", TRY_THEM_ALL, json.dumps(names), LIVE], cwd=ROOT, capture_output=True, check=False
    )
    assert told.returncode == 0, told.stderr.decode()
    found = json.loads(told.stdout)
    assert set(found) == set(names) > {"EXCHANGE_DOUBLE", "DATABASE_URL"}
    reached = {name: where for name, where in found.items() if not where.startswith("refused by")}
    assert set(reached.values()) == {TESTNET}
    assert found["EXCHANGE_DOUBLE"] == "refused by the hosts"


@pytest.mark.parametrize("url", [*ELSEWHERE, LIVE, "https://api.binance.com:443", "https://www.binance.com"])
def test_an_account_cannot_be_opened_elsewhere(url: str) -> None:
    with pytest.raises(ForbiddenHost):
        Testnet(Keys("key", "secret"), url)


def test_neither_the_database_nor_the_settings_are_within_reach_of_what_sends_orders() -> None:
    path = "portfolio/testnet.py"
    imported = {name: name.split(".")[0] for _, name in content(path, (ROOT / path).read_text()).imports}
    assert set(imported.values()) - set(sys.stdlib_module_names) == {"aiohttp", "yarl", "market", "portfolio"}
    own = [name for name, top in imported.items() if top in ("market", "portfolio")]
    assert all(name.split(".")[1] == "core" for name in own), "only what is pure"


def test_a_proxy_of_the_environment_sees_no_order(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    with venue_double() as proxy, Testnet(Keys(KEY, SECRET), venue.url) as testnet:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        testnet.balances()
        assert sum(venue.asked.values()) == 1
        assert not proxy.asked


def test_a_redirect_is_not_followed(venue: Venue) -> None:
    with venue_double() as elsewhere, Testnet(Keys(KEY, SECRET), venue.url) as testnet:
        venue.script("POST /api/v3/order", faults.redirect(f"{elsewhere.url}/api/v3/order"))
        venue.script("GET /api/v3/account", faults.redirect(f"{elsewhere.url}/api/v3/account"))
        testnet.send(payload_of(market_order(bought(), "oo-1", testnet.now_ms())), "oo-1")
        with pytest.raises(ExchangeError):
            testnet.balances()
        assert not elsewhere.asked


TROUBLES = [
    faults.gateway(502),
    faults.reset(),
    faults.cut_off(),
    faults.firewall(),
    faults.limited(),
    faults.silent(),
    faults.says(-2015, f"Invalid API-key {KEY}"),
    faults.endless(),
]


def test_no_key_and_no_signature_is_logged_or_told(venue: Venue, caplog: pytest.LogCaptureFixture) -> None:
    told = [repr(Keys(KEY, SECRET)), str(Keys(KEY, SECRET)), f"{Keys(KEY, SECRET)!r}"]
    with caplog.at_level(logging.DEBUG), Testnet(Keys(KEY, SECRET), venue.url, timeout_s=0.3) as testnet:
        told += [repr(testnet), str(vars(testnet))]
        for fault in TROUBLES:
            venue.script("POST /api/v3/order", fault)
            venue.script("GET /api/v3/account", fault)
            payload = payload_of(market_order(bought("0.5"), "oo-1", testnet.now_ms()))
            told.append(str(testnet.send(payload, "oo-1")))
            try:
                testnet.balances()
            except ExchangeError as error:
                told += ["".join(traceback.format_exception(error)), repr(error)]
        testnet.sync()
        told.append(str(testnet.balances()))
    said = " ".join([*told, caplog.text, *(str(record.__dict__) for record in caplog.records)])
    assert SECRET not in said
    assert "signature=" not in said
    assert KEY not in said
    assert "Invalid API-key [withheld]" in said


def test_a_signature_that_is_sent_back_is_withheld_like_the_keys(venue: Venue) -> None:
    with Testnet(Keys(KEY, SECRET), venue.url) as testnet:
        payload = payload_of(market_order(bought("0.5"), "oo-1", testnet.now_ms()))
        signature = signature_of(payload, SECRET)
        venue.script("POST /api/v3/order", faults.says(-1013, f"You sent {signature} for {KEY} with {SECRET}"))
        told = str(testnet.send(payload, "oo-1"))
    assert "You sent [withheld] for [withheld] with [withheld]" in told


def test_a_request_leaves_no_trace_in_the_errors_it_ends_with(venue: Venue) -> None:
    venue.script("GET /api/v3/account", faults.reset())
    with Testnet(Keys(KEY, SECRET), venue.url) as testnet, pytest.raises(ExchangeError) as caught:
        testnet.balances()
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
