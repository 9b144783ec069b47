"""What a book is worth at the end of a week: the last revision counts, and the first is number one."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError

from portfolio.models import Portfolio, Valuation

AT = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def book(db: None) -> Portfolio:
    return Portfolio.objects.create(key="p", quote="USDT")


def valued(book: Portfolio, week: int, value: int, **revision: int) -> Valuation:
    return Valuation.objects.create(portfolio=book, cycle_number=week, at=AT, value=Decimal(value), **revision)


def test_a_later_revision_takes_the_place_of_those_before_it_in_its_week_alone(book: Portfolio) -> None:
    valued(book, 1, 100)
    for number in (1, 2, 3):
        valued(book, 2, 100 + number, revision=number)
    now = Valuation.objects.current().order_by("cycle_number")
    assert list(now.values_list("cycle_number", "value")) == [(1, 100), (2, 103)]


def test_there_is_no_revision_before_the_first(book: Portfolio) -> None:
    with pytest.raises(IntegrityError, match="valuation_revision_from_one"):
        valued(book, 1, 100, revision=0)
