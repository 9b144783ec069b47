"""The kill switch in the admin: thrown for a reason, kept as history, public, and in force at the next order."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client

from portfolio.attempts import halt, standing_halt
from portfolio.exchange_models import TradingHalt

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
ADD, LIST = "/admin/portfolio/tradinghalt/add/", "/admin/portfolio/tradinghalt/"


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def test_it_is_thrown_by_whoever_is_logged_in_and_told_to_everybody(operator: Client) -> None:
    assert operator.post(ADD, {"halted": "on", "reason": "prices look wrong"}).status_code == 302
    thrown = standing_halt()
    assert thrown is not None
    assert (thrown.who, thrown.reason) == ("ada", "prices look wrong")
    page = Client().get("/status/").content.decode()
    assert "Something needs attention." in page
    assert "Trading was halted by ada" in page
    assert "prices look wrong" in page


def test_it_is_taken_back_by_another_row_and_both_stay(operator: Client) -> None:
    operator.post(ADD, {"halted": "on", "reason": "a look"})
    operator.post(ADD, {"reason": "looked"})
    assert standing_halt() is None
    assert list(TradingHalt.objects.order_by("id").values_list("halted", "reason")) == [
        (True, "a look"),
        (False, "looked"),
    ]
    row = TradingHalt.objects.latest()
    assert operator.post(f"{LIST}{row.pk}/change/", {"reason": "better"}).status_code == 403
    assert operator.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_it_is_not_thrown_without_a_reason(operator: Client) -> None:
    assert operator.post(ADD, {"halted": "on", "reason": ""}).status_code == 200
    assert standing_halt() is None


def test_thrown_by_the_executor_it_stays_as_it_was_thrown_first() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    halt("the key is refused", "the executor", now)
    halt("again", "the executor", now)
    assert TradingHalt.objects.count() == 1
