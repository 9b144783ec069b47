"""The golden test: one season through the live services and through memory must leave the same ledger."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from agents.core.roster import house
from competition.core.play import PlayedSeason
from competition.models import Season, Standing, Turn
from competition.services.closing import results_of
from competition.services.loading import save_played_season
from competition.services.playing import play_rules
from competition.services.seasons import draft_season
from portfolio.core.book import head_of, postings_text
from portfolio.models import Journal, Order, Portfolio
from portfolio.queries import journals_of
from tests.databases import fresh_copy
from tests.live.stage import SEED, SYMBOLS, Stage, weekly_rules


def ledger_text(slug: str) -> dict[str, str]:
    """Every journal of every portfolio of a season as it is hashed, by portfolio key."""

    return {
        p.key: postings_text(p.key, journals_of(p.id)) for p in Portfolio.objects.filter(key__startswith=f"{slug}/")
    }


def played_text(played: PlayedSeason) -> dict[str, str]:
    return {f"{played.slug}/{slug}": postings_text(f"{played.slug}/{slug}", j) for slug, j in played.journals.items()}


def board(cycle_number: int, slug: str) -> list[tuple]:
    rows = Standing.objects.filter(cycle__season__slug=slug, cycle__number=cycle_number).order_by("position")
    return [
        (r.entry.slug, r.rank, r.value, r.net_return, r.excess_return, r.max_drawdown, r.turnover, r.fees, r.coverage)
        for r in rows.select_related("entry")
    ]


@pytest.fixture(scope="module")
def lived(migrated_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Season]:
    """A season that went through the live services from its opening to its end."""
    with django_db_blocker.unblock(), fresh_copy(migrated_template):
        stage = Stage.set()
        stage.play_season()
        yield stage.season


@pytest.fixture(scope="module")
def played() -> PlayedSeason:
    """The same season, played in memory."""
    return play_rules("stage", weekly_rules(), SEED)


def test_live_services_and_memory_leave_the_same_postings_and_the_same_boards(
    lived: Season, played: PlayedSeason
) -> None:
    assert ledger_text("stage") == played_text(played)
    for cycle in played.cycles:
        expected = [
            (r.entry, r.rank, r.value, r.net_return, r.excess_return, r.max_drawdown, r.turnover, r.fees, r.coverage)
            for r in cycle.standings
        ]
        assert board(cycle.number, "stage") == expected
    assert Order.objects.filter(portfolio__key__startswith="stage/").count() == sum(
        len(turn.record.executions) for cycle in played.cycles for turn in cycle.turns.values() if turn.record
    )


def test_the_stored_hash_chain_is_that_of_the_journals_in_memory(lived: Season, played: PlayedSeason) -> None:
    for slug, journals in played.journals.items():
        last = Journal.objects.filter(portfolio__key=f"stage/{slug}").order_by("-sequence").first()
        assert last is not None
        assert last.hash == head_of(journals)
        assert last.sequence == len(journals)


def test_a_season_written_in_one_go_is_the_season_that_was_lived(lived: Season) -> None:
    rules = weekly_rules()
    written = save_played_season(
        draft_season("written", "Written", rules, house(SEED, SYMBOLS)),
        play_rules("written", rules, SEED),
        "the calendar has ended",
    )
    assert results_of(lived, rules.cycles) == results_of(written, rules.cycles)
    for number in range(1, rules.cycles + 1):
        assert board(number, "stage") == board(number, "written")
    lived.refresh_from_db()
    assert (lived.state, lived.rules_sha256) == (written.state, written.rules_sha256)
    assert turns_of(lived) == turns_of(written)


def turns_of(season: Season) -> list[tuple[object, ...]]:
    """What was decided and done in every turn of a season."""
    rows = Turn.objects.filter(cycle__season=season).order_by("cycle__number", "entry__number")
    return list(rows.values_list("cycle__number", "entry__slug", "verdict", "violations", "traded", "skipped"))
