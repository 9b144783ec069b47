"""What the status page tells of the account on the exchange."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portfolio.models import Reconciliation

pytestmark = pytest.mark.django_db
UNEXPLAINED = ["unexplained", "USDT", "the account moved by -1 USDT beyond <b>our</b> trades"]


def looked(**found: Any) -> Reconciliation:
    """A look of an hour ago."""
    at = timezone.now() - timedelta(hours=1)
    return Reconciliation.objects.create(**{"at": at, "epoch": 1, "seconds": 1, "is_still": True, **found})


def status(client: Client) -> str:
    response: Any = client.get("/status/")
    assert response.status_code == 200
    return response.content.decode()


def test_where_nothing_trades_there_is_nothing_to_tell(client: Client) -> None:
    assert "The account on the exchange" not in status(client)


def test_an_account_that_agrees_is_told_in_one_line(client: Client) -> None:
    looked(orders=1234)
    body = status(client)
    assert "it agrees with the record, with 1,234 orders compared in epoch 1." in body
    assert "All is well." in body


def test_what_differs_is_in_the_headline_and_in_words_that_are_escaped(client: Client) -> None:
    looked(orders=1, findings_count=1, findings=[UNEXPLAINED])
    body = status(client)
    assert "The account on the exchange has one difference from the record." in body
    assert "beyond &lt;b&gt;our&lt;/b&gt; trades" in body
    assert "Something needs attention." in body


def test_a_wipe_is_told_and_alarms_nobody(client: Client) -> None:
    looked(epoch=2, is_wipe=True)
    body = status(client)
    assert "it had been wiped. Epoch 2 began, and the seasons go on from their ledgers." in body
    assert "All is well." in body


def test_a_look_that_failed_says_why(client: Client) -> None:
    looked(orders=1)
    looked(is_still=False, trouble="The exchange gave no answer: HTTP 502.")
    body = status(client)
    assert "it could not be looked at: The exchange gave no answer: HTTP 502." in body
    assert "The account on the exchange could not be looked at." in body


def test_orders_under_way_are_named(client: Client) -> None:
    looked(orders=3, under_way=2, is_still=False)
    assert "3 orders compared in epoch 1; balances not judged, as 2 were under way." in status(client)
