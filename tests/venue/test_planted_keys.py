"""An exchange that says our own keys back to us, wherever it can: no row, log line or page may show them."""

import logging

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from competition.models import Cycle
from competition.services import ticking
from portfolio.exchange_models import Incident, OrderAttempt
from portfolio.testnet import Keys, Testnet
from tests.venue import faults
from tests.venue.exchange import KEY, SECRET, Venue
from tests.venue.executor import clock_ahead
from tests.venue.test_crash_points import LATER, cycle, venue  # noqa: F401

ECHO = f"key={KEY} secret={SECRET} signature"
PLACES = (
    *("GET /api/v3/time", "GET /api/v3/exchangeInfo", "GET /api/v3/account", "GET /api/v3/order"),
    *("GET /api/v3/myTrades", "GET /api/v3/allOrders", "GET /api/v3/openOrders"),
)
pytestmark = pytest.mark.filterwarnings("ignore:No directory at")  # collected static files: a matter of deployment


def all_rows() -> str:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        texts = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT string_agg(t::text, chr(10)) FROM "{table}" t')
            texts.append(cursor.fetchone()[0] or "")
    return "\n".join(texts)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        pytest.param(faults.gateway(502, body=f"<html>{ECHO}</html>"), OrderAttempt, id="a gateway's page"),
        pytest.param(faults.gateway(502, body=f"<html>{ECHO}</html>", executed=True), OrderAttempt, id="executed"),
        pytest.param(faults.says(-1013, ECHO), OrderAttempt, id="a refusal"),
        pytest.param(faults.says(-9999, ECHO), OrderAttempt, id="a code nobody knows"),
        pytest.param(faults.says(-2015, ECHO, 401), Incident, id="a refused key"),
    ],
)
def test_keys_that_the_exchange_says_back_are_seen_nowhere(
    cycle: Cycle,
    venue: Venue,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    settings,
    answer: faults.Fault,
    kept: type,
) -> None:
    venue.script("POST /api/v3/order", answer, answer)
    for place in PLACES:
        venue.script(place, faults.gateway(502, body=ECHO), faults.says(-1000, ECHO))
    with caplog.at_level(logging.DEBUG):
        for minutes in (0, *LATER):
            ticking.advance(cycle.id, clock_ahead(minutes), lambda: Testnet(Keys(KEY, SECRET), venue.url))
    assert kept.objects.exists()
    settings.BINANCE_API_KEY, settings.BINANCE_API_SECRET = KEY, SECRET
    week = f"/s/{cycle.season.slug}/c/1/"
    weeks = [week, *(f"{week}e/{entry.slug}/" for entry in cycle.season.entries.all())]
    answers = [Client().get(path) for path in ("/status/", *weeks)]
    call_command("audit")
    told = capsys.readouterr()
    said = "\n".join([*(page.content.decode() for page in answers), caplog.text, told.out, told.err, all_rows()])
    assert [page.status_code for page in answers] == [200] * (1 + len(weeks))
    assert KEY not in said
    assert SECRET not in said
    assert "[withheld]" in said
