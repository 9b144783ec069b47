"""`manage.py fetch_symbols`: symbols are listed with the filters of the day, all of them or none."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from market.models import ListedSymbol
from tests.market import exchange as double
from tests.market.exchange import INFO, Exchange, exchange_double, info_row

pytestmark = pytest.mark.django_db

MAY = datetime(2025, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def exchange(settings) -> Iterator[Exchange]:
    with exchange_double(MAY) as running:
        settings.EXCHANGE_DOUBLE = running.url
        running.info["DOGEUSDT"] = info_row("DOGEUSDT", "DOGE")
        yield running


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("fetch_symbols", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().splitlines()


def why_refused(*arguments: str) -> str:
    before = list(ListedSymbol.objects.order_by("name").values())
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert list(ListedSymbol.objects.order_by("name").values()) == before
    message = str(refused.value)
    assert message.endswith("\nNothing was listed.")
    return message


def test_a_new_symbol_is_listed_with_its_filters_and_their_date(exchange: Exchange) -> None:
    assert run("--symbols", "dogeusdt") == ["DOGEUSDT: added, as of 2025-05-01"]
    doge = ListedSymbol.objects.get(name="DOGEUSDT")
    assert (doge.base, doge.quote, doge.filters_as_of) == ("DOGE", "USDT", date(2025, 5, 1))
    assert (doge.step, doge.tick, doge.min_notional) == (Decimal("0.0001"), Decimal("0.01"), 5)
    assert (doge.min_quantity, doge.max_quantity) == (Decimal("0.0001"), 9000)


def test_a_listed_symbol_gets_the_new_filters_and_what_changed_is_told(exchange: Exchange) -> None:
    told = run("--symbols", "ETHUSDT,BTCUSDT")
    assert told == [
        "ETHUSDT: the same filters, as of 2025-05-01",
        "BTCUSDT: step 0.00001 → 0.0001, min_quantity 0.00001 → 0.0001, as of 2025-05-01",
    ]
    btc = ListedSymbol.objects.get(name="BTCUSDT")
    assert (btc.step, btc.filters_as_of) == (Decimal("0.0001"), date(2025, 5, 1))


def test_without_names_the_five_usual_symbols_are_asked_for_in_one_request(exchange: Exchange) -> None:
    assert len(run()) == 5
    assert exchange.asked(INFO) == [{"symbols": '["BTCUSDT","ETHUSDT","SOLUSDT","BNBUSDT","ADAUSDT"]'}]


def test_filters_of_a_later_day_are_kept(exchange: Exchange) -> None:
    ListedSymbol.objects.filter(name="ETHUSDT").update(filters_as_of=date(2026, 1, 1))
    assert "ETHUSDT has filters of 2026-01-01, later than 2025-05-01" in why_refused("--symbols", "DOGEUSDT,ETHUSDT")


def test_the_one_unknown_symbol_is_named_and_none_is_listed(exchange: Exchange) -> None:
    assert "The exchange does not know NOPEUSDT." in why_refused("--symbols", "DOGEUSDT,NOPEUSDT")


def test_a_halted_symbol_is_refused(exchange: Exchange) -> None:
    exchange.info["DOGEUSDT"] = info_row("DOGEUSDT", "DOGE", status="HALT")
    assert "DOGEUSDT is not traded now: the exchange says HALT." in why_refused("--symbols", "DOGEUSDT")


def test_a_blocked_region_gets_a_sentence(exchange: Exchange) -> None:
    exchange.script(INFO, double.status(451))
    assert "does not serve this region" in why_refused("--symbols", "DOGEUSDT")


def test_another_refusal_than_of_a_symbol_is_told_as_it_is(exchange: Exchange) -> None:
    exchange.script(INFO, double.error(-1100, "Illegal characters found in a parameter."))
    assert "Illegal characters found in a parameter. (code -1100)" in why_refused("--symbols", "DOGEUSDT")
