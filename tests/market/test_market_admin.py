"""Operators list symbols; what happened can only be looked at."""

from datetime import UTC, date, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from market.models import ListedSymbol, StoredSnapshot

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # collected static files are a matter of deployment
]

FILTERS = {
    "name": "DOGEUSDT",
    "base": "DOGE",
    "quote": "USDT",
    "step": "1",
    "min_quantity": "1",
    "max_quantity": "900000",
    "tick": "0.00001",
    "min_notional": "5",
    "filters_as_of": "2024-09-08",
}


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def snapshot() -> StoredSnapshot:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    return StoredSnapshot.objects.create(sha256="a" * 64, as_of=at, source="stored", content={"symbols": {}})


def test_an_operator_can_list_another_symbol_and_correct_it(operator: Client) -> None:
    operator.post(reverse("admin:market_listedsymbol_add"), FILTERS)
    row = ListedSymbol.objects.get(name="DOGEUSDT")
    assert row.filters_as_of == date(2024, 9, 8)
    operator.post(reverse("admin:market_listedsymbol_change", args=[row.pk]), {**FILTERS, "min_notional": "1"})
    row.refresh_from_db()
    assert row.min_notional == 1


def test_symbols_show_their_filters_without_trailing_zeros_and_their_candles(operator: Client) -> None:
    page = operator.get(reverse("admin:market_listedsymbol_changelist"), {"q": "BTC"}).content.decode()
    assert ">0.00001<" in page
    row = ListedSymbol.objects.get(name="BTCUSDT")
    page = operator.get(reverse("admin:market_listedsymbol_change", args=[row.pk])).content.decode()
    assert "none; import some with manage.py import_candles" in page


def test_snapshots_can_be_looked_at_and_found(operator: Client, snapshot: StoredSnapshot) -> None:
    assert operator.get(reverse("admin:market_storedsnapshot_changelist"), {"q": "aaaa"}).status_code == 200
    assert operator.get(reverse("admin:market_storedsnapshot_change", args=[snapshot.pk])).status_code == 200


def test_snapshots_can_be_neither_added_nor_changed_nor_deleted(operator: Client, snapshot: StoredSnapshot) -> None:
    at = ("admin:market_storedsnapshot_change", "admin:market_storedsnapshot_delete")
    assert operator.get(reverse("admin:market_storedsnapshot_add")).status_code == 403
    for name in at:
        answer = operator.post(reverse(name, args=[snapshot.pk]), {"source": "made up", "post": "yes"})
        assert answer.status_code == 403
    snapshot.refresh_from_db()
    assert snapshot.source == "stored"
