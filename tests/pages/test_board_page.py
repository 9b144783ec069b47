"""The leaderboard: who is on it, in which order, and what a link or htmx gets of it."""

import json
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from django.test import Client

from competition.core.ranking import StandingRow
from competition.models import Season
from competition.pages.columns import COLUMNS, wish_of
from competition.pages.frame import NotThere
from competition.pages.names import EntryName, vendor_of
from competition.pages.table import board_row, shown_of, standing_columns
from tests.pages.reading import Page
from tests.pages.seasons import Played, play_season, running_season

NAME = EntryName("swinger", "Swinger", "model", is_simulated=True)
HTMX = {"HX-Request": "true"}


def slugs(markup: str) -> list[str]:
    table = markup.partition('class="leaderboard"')[2].partition("</table>")[0]
    links = (str(tag.attributes["href"]) for tag in Page(table).all("a"))
    return [link.split("/")[-2] for link in links if "/e/" in link]


def test_the_board_lists_everybody_ranked_first_and_the_unranked_with_their_reason(played: Played) -> None:
    markup = played.get()
    standings = list(played.season.cycles.get(number=6).standings.order_by("position").select_related("entry"))
    assert slugs(markup) == [row.entry.slug for row in standings]
    reasons = Page(markup).texts("span", class_="why")
    assert reasons == [row.unranked for row in standings if row.rank is None]
    assert reasons


def test_the_figures_on_the_board_are_those_of_the_last_closed_cycle(played: Played) -> None:
    row = played.season.cycles.get(number=6).standings.get(entry__slug="swinger")
    markup = played.get()
    assert f"{row.value:,.2f}" in markup
    assert f"{row.valid}/{row.due}" in markup


def test_what_this_is_comes_first_and_says_that_the_money_is_not_real(played: Played) -> None:
    page = Page(played.get())
    first = page.all("main")[0], page.texts("p", class_="what")[0]
    assert "play-money" in first[1]
    assert "week 6 of 6" in first[1]


def test_the_lead_is_followed_by_how_little_it_means(played: Played) -> None:
    markup = played.get()
    assert "cannot tell skill from luck" in markup
    assert "drawn by lot" in markup


@pytest.mark.parametrize("column", [column.key for column in COLUMNS])
@pytest.mark.parametrize("sign", ["", "-"])
def test_every_column_sorts_both_ways_and_says_so(played: Played, column: str, sign: str) -> None:
    page = Page(played.get(f"?sort={sign}{column}"))
    sorted_by = [tag for tag in page.all("th") if tag.attributes.get("aria-sort") in ("ascending", "descending")]
    assert [tag.attributes["class"].split()[0] for tag in sorted_by] == [f"col-{column}"]  # type: ignore[union-attr]


def test_sorting_by_fees_puts_the_dearest_trader_first_within_each_group(played: Played) -> None:
    rows = played.season.cycles.get(number=6).standings.select_related("entry")
    fees = {row.entry.slug: row.fees for row in rows}
    ranked = [slug for slug in slugs(played.get("?sort=fees")) if slug in {r.entry.slug for r in rows if r.rank}]
    assert [fees[slug] for slug in ranked] == sorted((fees[slug] for slug in ranked), reverse=True)
    turned = [slug for slug in slugs(played.get("?sort=-fees")) if slug in ranked]
    assert [fees[slug] for slug in turned] == sorted(fees[slug] for slug in turned)


def test_only_models_or_only_baselines_are_shown_when_asked_for(played: Played) -> None:
    everybody = set(slugs(played.get()))
    models, baselines = set(slugs(played.get("?kind=model"))), set(slugs(played.get("?kind=baseline")))
    assert "swinger" in models
    assert "all-cash" in baselines
    assert models | baselines == everybody
    assert not models & baselines


def test_a_kind_of_which_there_is_nobody_leads_back_to_everyone(played: Played) -> None:
    markup = played.get("?kind=firm")
    assert slugs(markup) == []
    assert "Show everyone" in markup


def test_a_sorting_link_keeps_the_filter_and_a_filter_link_the_sorting(played: Played) -> None:
    page = Page(played.get("?kind=model&sort=fees"))
    assert page.all("a", id="sort-value", href="?kind=model&sort=value")
    assert page.all("a", id="kind-baseline", href="?kind=baseline&sort=fees")
    assert page.all("a", id="kind-all", href="?sort=fees")


def test_a_search_finds_an_entry_by_part_of_its_name_and_keeps_to_it_when_sorting(played: Played) -> None:
    assert slugs(played.get("?find=%20SWING%20")) == ["swinger"]
    page = Page(played.get("?find=swing&sort=-fees&kind=model"))
    assert page.all("input", type="search", value="swing")
    kept = {tag.attributes["name"]: tag.attributes["value"] for tag in page.all("input", type="hidden")}
    assert {"sort": "-fees", "kind": "model"}.items() <= kept.items()
    assert page.all("a", id="sort-value", href="?find=swing&sort=value&kind=model")


def test_a_vendor_is_who_makes_the_model_and_one_of_whom_there_is_nothing_is_refused(
    played: Played, client: Client
) -> None:
    assert set(slugs(played.get("?vendor=offline"))) == set(slugs(played.get("?kind=model")))
    assert set(slugs(played.get("?vendor=house"))) == set(slugs(played.get("?kind=baseline")))
    response = client.get("/s/played/?vendor=nobody")
    assert response.status_code == 404
    assert "There are: house, offline." in response.content.decode()


@pytest.mark.parametrize(
    ("model", "vendor"),
    [
        ("baseline/momentum", "house"),
        ("openai/gpt-4o-mini", "openai"),
        ("openrouter/deepseek/deepseek-chat", "deepseek"),
        ("openrouter/auto", "openrouter"),
    ],
)
def test_a_reseller_is_not_the_vendor(model: str, vendor: str) -> None:
    assert vendor_of(model) == vendor


def test_the_last_weeks_alone_are_measured_from_where_they_began(played: Played) -> None:
    season, entry = played.season, played.season.entries.get(slug="swinger")
    then, now = (
        season.cycles.get(number=week).standings.get(entry=entry).value for week in (6 - 4, 6)
    )  # costs nothing to ask, so net and gross are the same
    page = Page(played.get("?weeks=4&find=swinger"))
    assert f"{now / then * 100 - 100:+.1f}%".replace("-", "−") in [tag.text for tag in page.all("td")]
    assert "Seen over the last 4 weeks" in page.texts("p", role="status")[0]


def test_weeks_that_a_season_does_not_have_yet_are_all_it_has(played: Played) -> None:
    assert slugs(played.get("?weeks=12")) == slugs(played.get())
    assert "this is all of it" in Page(played.get("?weeks=12")).texts("p", role="status")[0]


def test_those_who_share_a_place_are_shown_to_share_it(played: Played) -> None:
    twice = {"rank": 1, "unranked": "", "net_return": Decimal("0.5")}
    row = _standing(played)
    shown = board_row(replace(row, **twice), NAME, (), None, shares=True)
    assert (shown.rank, board_row(replace(row, **twice), NAME, (), None, shares=False).rank) == ("=1", "1")


def test_every_link_that_htmx_follows_has_the_same_address_without_it(played: Played) -> None:
    links = [tag for tag in Page(played.get()).all("a") if "hx-get" in tag.attributes]
    assert links
    assert all(tag.attributes["hx-get"] == tag.attributes["href"] for tag in links)


def test_htmx_gets_only_the_table(played: Played) -> None:
    page = Page(played.get("?sort=fees", **HTMX, **{"HX-Target": "board"}))
    assert page.tags[0].attributes["id"] == "board"
    assert not page.is_whole
    assert not page.all("h1")


def test_htmx_gets_only_the_clock_when_that_is_its_target(played: Played) -> None:
    page = Page(played.get(**HTMX, **{"HX-Target": "clock"}))
    assert page.tags[0].attributes["id"] == "clock"


def test_going_back_in_history_gets_the_whole_page(played: Played) -> None:
    restored = {"HX-History-Restore-Request": "true"}
    assert Page(played.get("?sort=fees", **HTMX, **restored)).is_whole
    assert Page(played.get("?sort=fees", **restored)).is_whole


def test_the_chart_starts_everybody_at_a_hundred_and_has_its_figures_at_addresses(played: Played) -> None:
    page = Page(played.get())
    (plot,) = page.all("div", class_="chart-plot")
    (link,) = [tag for tag in page.all("a") if tag.text == "The same figures as a table"]
    assert (plot.attributes["data-figures"], link.attributes["href"]) == ("/s/played/equity.json", "/s/played/equity/")
    data = json.loads(played.get("equity.json"))
    assert len(data["seconds"]) == 7
    assert {Decimal(line["values"][0]) for line in data["lines"]} == {Decimal(100)}
    assert len(data["lines"]) == played.season.entries.count()
    table = Page(played.get("equity/"))
    assert table.is_whole
    assert table.texts("caption", id="chart-table") == ["Equity, start = 100, by week"]
    assert not Page(played.get("equity/", **HTMX)).is_whole


def test_the_newest_open_season_is_the_one_at_home(played: Played, client: Client) -> None:
    assert "The played season" in client.get("/").content.decode()
    running_season()
    assert "The running season" in client.get("/").content.decode()
    assert "The played season" in client.get("/s/played/").content.decode()


def test_a_draft_is_not_public(played: Played, client: Client) -> None:
    Season.objects.create(slug="draft", name="A draft", rules=played.season.rules)
    assert client.get("/s/draft/").status_code == 404
    assert "A draft" not in client.get("/seasons/").content.decode()


@pytest.mark.django_db
def test_before_the_first_week_everybody_stands_at_the_start_unranked() -> None:
    season = running_season()
    page = Page(Played(season, "running", 4).get())
    assert page.texts("h1") == ["Nobody leads yet."]
    assert set(page.texts("span", class_="why")) == {"ranked from week 4 on"}


@pytest.mark.django_db
def test_nobody_leads_before_ranks_begin() -> None:
    page = Page(play_season("short", weeks=2).get())
    assert page.texts("h1") == ["Nobody finished first."]


def test_who_leads_a_season_that_is_over_has_finished_first(played: Played) -> None:
    (headline,) = Page(played.get()).texts("h1")
    assert " finished first after 6 weeks with " in headline


def test_the_board_and_the_page_of_its_week_are_priced_at_the_same_instant(played: Played) -> None:
    pages = [Page(played.get(path)) for path in ("", "c/6/")]
    board, cycle = ([tag.text for tag in page.all("time")][-1] for page in pages)
    assert board == cycle
    assert all("Trade prices as of" in " ".join(page.texts("li")) for page in pages)


def test_a_large_board_is_shown_fifty_at_a_time_in_one_order_and_each_entry_once(played: Played) -> None:
    first = _standing(played)
    board = [replace(first, entry=f"entry-{n:03}", rank=n + 1) for n in range(120)]
    names = {row.entry: replace(NAME, slug=row.entry, name=row.entry) for row in board}
    pages = [shown_of(board, names, wish_of({"page": page, "sort": "-entry"})) for page in ("1", "2", "3")]
    assert [row.entry for page in pages for row in page.rows] == [f"entry-{n:03}" for n in reversed(range(120))]
    assert [(page.newer, page.older) for page in pages] == [
        (None, {"page": 2}),
        ({"page": None}, {"page": 3}),
        ({"page": 2}, None),
    ]
    for page in ("4", "0", "x"):
        with pytest.raises(NotThere):
            shown_of(board, names, wish_of({"page": page}))


def test_sorting_or_filtering_begins_at_the_first_page(played: Played) -> None:
    page = Page(played.get("?page=1&sort=fees"))
    assert page.all("a", id="sort-value", href="?sort=value")
    assert page.all("a", id="kind-model", href="?sort=fees&kind=model")


def _standing(played: Played) -> StandingRow:
    """The first row of the board of week 6."""
    rows = played.season.cycles.get(number=6).standings.order_by("position")
    entry_id, *figures = standing_columns(rows)[0]
    return StandingRow(played.season.entries.get(id=entry_id).slug, *figures)


def test_the_form_waits_in_a_noscript_so_that_no_control_makes_the_browser_lay_out_a_page_it_is_still_loading(
    played: Played,
) -> None:
    markup = played.get()
    assert 'type="search"' in markup
    assert not re.search(r"<(input|select|textarea)", re.sub(r"<noscript>.*?</noscript>", "", markup, flags=re.DOTALL))


def test_what_htmx_puts_into_the_page_has_the_form_as_it_is(played: Played) -> None:
    markup = played.get("?kind=model", **HTMX, **{"HX-Target": "board"})
    assert 'type="search"' in markup
    assert "<noscript>" not in markup
