"""A query that is put together once answers as the one it is made of, whatever it is asked with."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from pytest_django import DjangoAssertNumQueries

from portfolio.models import Portfolio, Valuation
from portfolio.one_of import OneOf
from portfolio.prepared import Given, Prepared, PreparedObjects

AT = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def books(db: None) -> list[Portfolio]:
    """Two portfolios, worth 1 and 2 in week 0, and 11 and 12 in week 1."""
    books = [Portfolio.objects.create(key=f"p{n}", quote="USDT") for n in (1, 2)]
    for week in (0, 1):
        for number, book in enumerate(books, 1):
            Valuation.objects.create(portfolio=book, cycle_number=week, at=AT, value=Decimal(10 * week + number))
    return books


def test_it_is_asked_with_other_values_each_time(
    books: list[Portfolio], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    worth = Prepared(
        lambda: (
            Valuation.objects.filter(portfolio=Given("book"), cycle_number__range=(Given("first"), 1))
            .order_by("cycle_number")
            .values_list("cycle_number", "at", "value")
        )
    )
    with django_assert_num_queries(2):
        assert worth.rows(book=books[0].id, first=0) == [(0, AT, Decimal(1)), (1, AT, Decimal(11))]
        assert worth.rows(book=books[1].id, first=1) == [(1, AT, Decimal(12))]


def test_a_lock_is_taken_in_a_transaction_or_refused(own_database: str) -> None:
    locked = PreparedObjects(lambda: Portfolio.objects.select_for_update().filter(key=Given("key")))
    with transaction.atomic():
        assert locked.first(key="nobody") is None
    with pytest.raises(transaction.TransactionManagementError):
        locked.first(key="nobody")


def test_a_list_of_texts_names_who_is_meant_and_who_is_not(books: list[Portfolio]) -> None:
    among = Prepared(lambda: Portfolio.objects.filter(OneOf("key", Given("keys"))).values_list("id"))
    others = Prepared(lambda: Portfolio.objects.exclude(OneOf("key", Given("keys"))).order_by("id").values_list("id"))
    assert among.rows(keys=["p2", "nobody"]) == [(books[1].id,)]
    assert others.rows(keys=["p2", "nobody"]) == [(books[0].id,)]
    assert (among.rows(keys=[]), len(others.rows(keys=[]))) == ([], 2)


def test_it_is_put_together_once(books: list[Portfolio]) -> None:
    built = []

    def build():  # type: ignore[no-untyped-def]
        built.append(1)
        return Portfolio.objects.filter(key=Given("key")).values_list("id")

    ids = Prepared(build)
    assert [ids.rows(key=key) for key in ("p1", "p2", "'; --")] == [[(books[0].id,)], [(books[1].id,)], []]
    assert built == [1]


def test_sums_and_lists_of_numbers_are_what_django_makes_of_them(books: list[Portfolio]) -> None:
    def sums(among: list[int] | Given):  # type: ignore[no-untyped-def]
        rows = Valuation.objects.filter(OneOf("portfolio", among)).values_list("cycle_number")
        return rows.annotate(total=Sum("value")).order_by("cycle_number")

    prepared = Prepared(lambda: sums(Given("among")))
    for among in ([book.id for book in books], [books[1].id], []):
        assert prepared.rows(among=among) == list(sums(among))


def test_a_value_that_is_not_told_is_an_error(books: list[Portfolio]) -> None:
    ids = Prepared(lambda: Portfolio.objects.filter(key=Given("key")).values_list("id"))
    with pytest.raises(KeyError, match="key"):
        ids.rows(name="p1")


def test_objects_come_with_what_is_selected_as_related(
    books: list[Portfolio], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def of_week(week: int | Given):  # type: ignore[no-untyped-def]
        return Valuation.objects.filter(cycle_number=week).select_related("portfolio").order_by("-portfolio__key")

    prepared = PreparedObjects(lambda: of_week(Given("week")))
    for week in (1, 0, 7):
        with django_assert_num_queries(1):
            found = [(row, row.value, row.portfolio.key) for row in prepared.all(week=week)]
        assert found == [(row, row.value, row.portfolio.key) for row in of_week(week)]


@pytest.mark.parametrize("at_once", [True, False])
def test_rows_and_objects_can_be_read_in_chunks(
    books: list[Portfolio], monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", at_once)

    def worth(above: int | Given):  # type: ignore[no-untyped-def]
        return Valuation.objects.filter(value__gt=above).order_by("value")

    rows = Prepared(lambda: worth(Given("above")).values_list("value", "portfolio__key"))
    objects = PreparedObjects(lambda: worth(Given("above")).select_related("portfolio").defer("at"))
    for above in (1, 0, 99):
        wanted = [(row.value, row.portfolio.key) for row in worth(above)]
        for chunk in (1, 3, 100):
            assert list(rows.each(chunk, above=above)) == wanted
            assert [(row.value, row.portfolio.key) for row in objects.each(chunk, above=above)] == wanted
    first = next(objects.each(1, above=0))
    assert first.get_deferred_fields() == {"at"}
    assert first.at == AT


def test_what_it_would_drop_is_refused(books: list[Portfolio]) -> None:
    with pytest.raises(TypeError, match="no annotations"):
        PreparedObjects(lambda: Portfolio.objects.annotate(worth=Sum("valuations__value"))).all()
    with pytest.raises(TypeError, match="among its columns"):
        Prepared(lambda: Valuation.objects.order_by("at").distinct().values_list("value")).rows()


def test_an_object_can_be_saved_like_any_other(books: list[Portfolio]) -> None:
    book = PreparedObjects(lambda: Portfolio.objects.filter(key=Given("key"))).get(key="p1")
    book.quote = "EUR"
    book.save()
    assert Portfolio.objects.get(key="p1").quote == "EUR"


def test_that_nothing_is_found_is_none_or_an_error_of_its_model(books: list[Portfolio]) -> None:
    book = PreparedObjects(lambda: Portfolio.objects.filter(key=Given("key")).order_by("id")[:1])
    assert book.first(key="p2") == books[1]
    assert book.first(key="p3") is None
    with pytest.raises(Portfolio.DoesNotExist, match="p3"):
        book.get(key="p3")
