"""Dozens of weeks in which everything goes wrong at once: no order is executed twice, and none is lost."""

import pytest

from tests.schedules.run import run


@pytest.mark.parametrize("seed", range(3))
def test_no_order_is_executed_twice_or_lost(migrated_template: str, django_db_blocker, seed: int) -> None:
    with django_db_blocker.unblock():
        run(migrated_template, seed)
