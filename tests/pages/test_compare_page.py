"""Entries side by side: how far apart, whether that means anything, and what each decided."""

import pytest
from django.test import Client

from tests.pages.reading import Page
from tests.pages.seasons import Played


def test_without_a_choice_there_is_one_to_make(played: Played) -> None:
    page = Page(played.get("compare/"))
    assert len(page.all("input", type="checkbox")) == played.season.entries.count()
    assert not page.all("script", id="chart-data")


def test_two_are_compared_and_few_weeks_are_said_to_be_few(played: Played) -> None:
    page = Page(played.get("compare/?e=swinger&e=btc-hold"))
    assert page.texts("h1") == ["Swinger against Bitcoin, held"]
    assert "6 weeks are too few" in played.get("compare/?e=swinger&e=btc-hold")
    assert "checked" in page.all("input", value="swinger")[0].attributes


def test_an_entry_has_all_of_its_holdings_in_common_with_itself_in_other_clothes(played: Played) -> None:
    markup = played.get("compare/?e=all-cash&e=refuser")
    assert "100%" in markup
    assert "the same" not in Page(markup).texts("span", class_="note")  # one holds, the other is silent


@pytest.mark.parametrize("query", ["e=nobody&e=swinger", "e=a", "e=%00", "&".join(f"e={i}" for i in range(5))])
def test_whom_there_is_not_is_not_compared(played: Played, client: Client, query: str) -> None:
    assert client.get(f"/s/played/compare/?{query}").status_code == 404
