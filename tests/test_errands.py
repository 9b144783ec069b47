"""What operators ask for: said before it is done, done by whoever ticks, told afterwards, and kept."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.test import Client
from django.utils import timezone

from agents.core.roster import house
from competition.core.states import ErrandState
from competition.errands import EntryPause, Errand, ErrandKind
from competition.models import Analysis, Cycle, Entry, Season, Turn
from competition.services.cycles import brief_cycle
from competition.services.errands import LEASE, ErrandRefused, ask_for, run
from competition.services.markets import candles_of
from competition.services.seasons import draft_season, open_season
from tests.test_admin import SEED, UNIVERSE, operator, weekly_rules  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

NOW = timezone.now().replace(microsecond=0)
ASK = "/admin/competition/errand/ask"


@pytest.fixture
def season() -> Season:
    """An open season of two whose first cycle was due a minute ago."""
    starts_at = NOW - timedelta(minutes=1)
    rules = weekly_rules(starts_at=starts_at)
    draft = draft_season("spring", "Spring", rules, house(SEED, UNIVERSE)[:2])
    return open_season(draft.id, starts_at)


class Handed:
    """Collects what is handed out instead of doing it."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []

    def __call__(self, step: str, row_id: int) -> None:
        self.steps.append((step, row_id))


def at(instant: datetime) -> Callable[[], datetime]:
    return lambda: instant


def asked(kind: ErrandKind, **about: Any) -> Errand:
    user, _ = User.objects.get_or_create(username="ada")
    return ask_for(kind, user.pk, NOW, **about)


def done(errand: Errand, *, holds_keys: bool = False, now: datetime = NOW) -> tuple[Errand, Handed]:
    handed = Handed()
    run(errand.pk, at(now), handed, holds_keys=holds_keys)
    errand.refresh_from_db()
    return errand, handed


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


# Run now


def test_running_now_says_what_is_due_asks_and_leads_to_a_page_with_progress(operator: Client, season: Season) -> None:
    told = text_of(operator.get(f"{ASK}/look/"))
    assert "Spring: week 1 was due" in told
    assert not Errand.objects.exists(), "nothing happens before the yes"
    answer = operator.post(f"{ASK}/look/", follow=True)
    errand = Errand.objects.get()
    assert answer.redirect_chain == [(f"/admin/competition/errand/{errand.pk}/change/", 302)]
    assert 'hx-trigger="every 2s"' in text_of(answer)
    errand, handed = done(errand)
    assert (errand.state, errand.outcome) == (
        ErrandState.DONE,
        "Opened week 1 of Spring. The next step of 1 running cycle was handed out.",
    )
    assert [step for step, _ in handed.steps] == ["advance"]
    shown = text_of(operator.get(f"/admin/competition/errand/{errand.pk}/change/", headers={"HX-Request": "true"}))
    assert "Opened week 1 of Spring." in shown
    assert '<progress max="5" value="0" aria-label="week 1 of Spring">' in shown
    assert "<html" not in shown
    Cycle.objects.update(state="held", closed_at=NOW)
    assert "every 2s" not in text_of(operator.get(f"/admin/competition/errand/{errand.pk}/change/"))


def test_when_nothing_is_due_it_says_when_something_will_be(season: Season) -> None:
    Cycle.objects.bulk_create(
        Cycle(season=season, number=1, state="missed", closed_at=NOW, **dict.fromkeys(INSTANTS, NOW)) for _ in range(1)
    )
    errand, handed = done(asked(ErrandKind.LOOK))
    due = season.rule_book.starts_at + timedelta(days=7)
    assert errand.outcome == f"Nothing was due. Week 2 of Spring is due on {due:%Y-%m-%d %H:%M:%S} UTC."
    assert handed.steps == []


INSTANTS = ("due_at", "opened_at", "as_of", "deadline_at")


# Once, by one, and kept


def test_the_same_is_not_asked_for_twice_at_a_time(operator: Client, season: Season) -> None:
    asked(ErrandKind.LOOK)
    with pytest.raises(ErrandRefused):
        asked(ErrandKind.LOOK)
    assert "has been asked for and is not done yet" in text_of(operator.post(f"{ASK}/look/"))
    assert Errand.objects.count() == 1


def test_it_is_done_once_however_often_it_is_handed_out(season: Season) -> None:
    errand, _ = done(asked(ErrandKind.LOOK))
    _, again = done(errand)
    assert again.steps == []


def test_whoever_is_gone_for_too_long_has_failed(season: Season) -> None:
    errand = asked(ErrandKind.LOOK)
    Errand.objects.update(state="running", started_at=NOW, lease_until=NOW + LEASE)
    assert done(errand, now=NOW + LEASE - timedelta(seconds=1))[0].state == ErrandState.RUNNING
    errand, handed = done(errand, now=NOW + LEASE)
    assert (errand.state, handed.steps) == (ErrandState.FAILED, [])
    assert "gone before it ended" in errand.outcome


def test_what_has_ended_stays_and_nothing_is_deleted(season: Season) -> None:
    done(asked(ErrandKind.LOOK))
    for change in (lambda: Errand.objects.update(outcome="better"), lambda: Errand.objects.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    EntryPause.objects.create(entry=season.entries.first(), at=NOW, reason="a look", who="ada")
    for change in (lambda: EntryPause.objects.update(paused=False), lambda: EntryPause.objects.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


# Retry, rehearse, reconcile


def test_a_stage_is_retried_and_what_it_waits_for_is_told(operator: Client, season: Season) -> None:
    done(asked(ErrandKind.LOOK))
    cycle = Cycle.objects.get()
    assert f"{ASK}/retry/?cycle={cycle.pk}" in text_of(operator.get(f"/admin/competition/cycle/{cycle.pk}/change/"))
    assert "It is briefing" in text_of(operator.get(f"{ASK}/retry/?cycle={cycle.pk}"))
    errand, _ = done(asked(ErrandKind.RETRY, cycle=cycle))
    assert errand.outcome == "week 1 of Spring went from briefing to asking."
    errand, handed = done(asked(ErrandKind.RETRY, cycle=cycle))
    assert handed.steps == [] or handed.steps == [("ask", cycle.pk)]


def test_a_cycle_that_has_ended_cannot_be_retried(operator: Client, season: Season) -> None:
    ended = Cycle.objects.create(season=season, number=1, state="missed", closed_at=NOW, **dict.fromkeys(INSTANTS, NOW))
    told = text_of(operator.post(f"{ASK}/retry/?cycle={ended.pk}"))
    assert "a cycle that has ended never changes" in told
    assert not Errand.objects.exists()


def test_everybody_is_asked_without_trading_and_the_cost_is_said_before(operator: Client, season: Season) -> None:
    assert "ask when its first cycle has begun" in text_of(operator.get(f"{ASK}/rehearse/?season={season.pk}"))
    done(asked(ErrandKind.LOOK))
    cycle = Cycle.objects.get()
    assert brief_cycle(cycle.id, NOW, candles_of(season.rule_book))
    told = text_of(operator.get(f"{ASK}/rehearse/?season={season.pk}"))
    assert "Each of its 2 entries is asked once" in told
    assert "It is expected to cost about 0 USD" in told
    errand, handed = done(asked(ErrandKind.REHEARSE, season=season))
    assert errand.outcome == "2 of 2 entries are asked what they would do now. Nothing is traded."
    assert handed.steps == [("analyse", pk) for pk in Analysis.objects.order_by("id").values_list("id", flat=True)]
    shown = text_of(operator.get(f"/admin/competition/errand/{errand.pk}/change/"))
    assert shown.count("<progress") == 2


def test_only_who_holds_the_keys_reconciles_and_without_any_that_is_said(season: Season) -> None:
    errand, _ = done(asked(ErrandKind.RECONCILE))
    assert errand.state == ErrandState.QUEUED, "left to the executor"
    errand, _ = done(errand, holds_keys=True)
    assert errand.state == ErrandState.FAILED
    assert "Set BINANCE_API_KEY" in errand.outcome


# Pauses


def test_a_paused_entry_is_not_asked_and_is_silent_in_public(operator: Client, season: Season) -> None:
    first, second = season.entries.order_by("number")
    form = operator.get(f"/admin/competition/entrypause/add/?entry={first.pk}")
    assert "pausing never hides a failure" in text_of(form)
    operator.post("/admin/competition/entrypause/add/", {"entry": first.pk, "paused": "on", "reason": "a look"})
    assert f"{first}</a> by operator (a look)" in text_of(operator.get("/admin/"))
    assert "paused</span>" in text_of(operator.get("/admin/competition/entry/"))
    done(asked(ErrandKind.LOOK))
    assert brief_cycle(Cycle.objects.get().id, NOW, candles_of(season.rule_book))
    turns = {turn.entry_id: turn for turn in Turn.objects.all()}
    assert (turns[first.id].state, turns[first.id].verdict) == ("decided", "silent")
    assert turns[first.id].verdict_reason == "paused by operator: a look"
    assert turns[second.id].state == "asking"


def test_the_newest_row_of_an_entry_counts(season: Season) -> None:
    entry = Entry.objects.order_by("id").first()
    for paused in (True, False):
        EntryPause.objects.create(entry=entry, at=NOW, paused=paused, reason="a look", who="ada")
        assert EntryPause.objects.in_force().exists() is paused


# Who may


@pytest.mark.parametrize("kind", ErrandKind.values)
def test_who_may_only_look_may_ask_for_nothing(client: Client, season: Season, kind: str) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert client.post(f"{ASK}/{kind}/?season={season.pk}").status_code == 403
    assert client.post("/admin/competition/entrypause/add/", {"reason": "x"}).status_code == 403
    assert not Errand.objects.exists()


@pytest.mark.parametrize("address", ["fly/", "look/?season=x", "look/?season=999", "retry/?cycle=999"])
def test_what_there_is_not_is_not_found(operator: Client, address: str) -> None:
    assert operator.get(f"{ASK}/{address}").status_code == 404


def test_a_draft_is_opened_from_its_own_page(operator: Client) -> None:
    draft = draft_season("autumn", "Autumn", weekly_rules(), house(SEED, UNIVERSE)[:2])
    address = f"/admin/competition/season/{draft.pk}/open/"
    assert f'href="{address}"' in text_of(operator.get(f"/admin/competition/season/{draft.pk}/change/"))
    assert "2 entries get 10000 USDT each" in text_of(operator.get(address))
