"""How the admin names rows and writes instants."""

import pytest
from django.db.models import Model
from django.test import Client

from competition.models import Cycle, Entry, Season, Standing, Turn
from tests.pages.conftest import kept  # noqa: F401 - a fixture
from tests.test_admin import operator, page, played, played_once  # noqa: F401 - fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (Entry, "all-cash in Winter"),
        (Cycle, "week 1 of Winter"),
        (Turn, "all-cash in week 1 of Winter"),
        (Standing, "all-cash after week 1 of Winter"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_row_is_called_by_names_and_not_by_the_ids_of_others(
    operator: Client, played: Season, model: type[Model], name: str
) -> None:
    (row,) = (row for row in model._default_manager.all() if str(row) == name)
    assert name in operator.get(page(model, "change", row.pk)).content.decode()


def test_times_are_shown_to_the_second_in_utc(operator: Client, played: Season) -> None:
    text = operator.get(page(Cycle, "changelist")).content.decode()
    assert "2024-01-08 00:00:00 UTC" in text
    assert "midnight" not in text
