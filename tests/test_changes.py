"""Who changed what of the configuration is remembered by the database, and can be neither changed nor made up."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from agents.models import Agent
from agents.prices import Quote, add_price
from competition.changes import ConfigurationChange
from competition.core.differences import Difference, differences
from competition.models import Entry, Season
from competition.services.acting import acting
from competition.services.seasons import open_season
from competition.tokens import Scope, make_token
from market.models import ListedSymbol
from portfolio.models import Posting
from tests.test_admin import START, draft, draft_form, operator, page  # noqa: F401 - fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def newest(kind: str) -> ConfigurationChange:
    return ConfigurationChange.objects.filter(kind=kind).latest("id")


# What differs


def test_a_document_differs_where_a_value_does_and_nowhere_else() -> None:
    before = {"name": "Spring", "limits": {"weight": 1, "cash": 2}, "universe": ["A", "B"], "same": {"a": [1]}}
    after = {"name": "Spring", "limits": {"weight": 3, "turnover": 4}, "universe": ["A"], "same": {"a": [1]}}
    assert differences(before, after) == (
        Difference("limits.cash", 2, None),
        Difference("limits.turnover", None, 4),
        Difference("limits.weight", 1, 3),
        Difference("universe", ["A", "B"], ["A"]),
    )


def test_an_object_that_came_is_told_value_by_value() -> None:
    assert differences({}, {"rules": {"cycles": 3}}) == (Difference("rules.cycles", None, 3),)
    assert differences({"rules": {"cycles": 3}}, {}) == (Difference("rules.cycles", 3, None),)


# Who, what, when


def test_what_an_operator_changes_in_a_draft_is_remembered_line_by_line(operator: Client, draft: Season) -> None:
    rules = {**draft.rules, "cycles": 5}
    answer = operator.post(page(Season, "change", draft.pk), draft_form(draft, cycles=5))
    assert answer.status_code == 302, answer.context["errors"]
    change = newest("season")
    assert (change.who, change.name, change.act) == ("operator", "spring", "update")
    assert change.differences == (Difference("rules.cycles", 3, 5),)
    assert Season.objects.get(pk=draft.pk).rules == rules
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('outcry.who', true)")
        assert cursor.fetchone() == ("",), "whoever comes next on this connection is not taken for the operator"


def test_opening_a_season_is_remembered_with_the_hash_of_its_rules(draft: Season) -> None:
    with acting("ada"):
        opened = open_season(draft.pk, START)
    change = newest("season")
    assert change.who == "ada"
    assert change.before["state"] == "draft"
    assert (change.after["state"], change.after["rules_sha256"]) == ("open", opened.rules_sha256)
    assert "rules" not in change.after


def test_what_nobody_answers_for_is_by_the_role_of_the_database(draft: Season) -> None:
    Season.objects.filter(pk=draft.pk).update(name="Late spring")
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user")
        role = cursor.fetchone()[0]
    change = newest("season")
    assert change.who == role
    assert change.differences == (Difference("name", "Spring", "Late spring"),)


def test_agents_entries_prices_and_symbols_are_remembered(draft: Season) -> None:
    agent = draft.entries.get(number=1).agent
    Agent.objects.filter(pk=agent.pk).update(parameters={"seed": 9})
    assert newest("agent").after == {"parameters": {"seed": 9}}
    assert [newest("entry").name, newest("entry").act] == [draft.entries.get(number=2).slug, "insert"]
    add_price("openai/test", Quote(Decimal("0.15"), Decimal("0.6")), NOW, "operator ada")
    assert (newest("price").name, newest("price").after["prompt_usd"]) == ("openai/test", Decimal("0.15"))
    ListedSymbol.objects.filter(name="BTCUSDT").update(step=Decimal("0.001"))
    assert newest("listed symbol").after == {"step": Decimal("0.001")}


def test_a_schedule_is_remembered_when_it_is_changed_and_not_when_it_runs() -> None:
    every = IntervalSchedule.objects.create(every=5, period="seconds")
    task = PeriodicTask.objects.create(name="tick", task="competition.tasks.tick", interval=every)
    PeriodicTask.objects.filter(pk=task.pk).update(last_run_at=NOW, total_run_count=7)
    assert newest("periodic task").act == "insert"
    PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
    assert newest("periodic task").differences == (Difference("enabled", True, False),)
    task.delete()
    assert (newest("periodic task").act, newest("periodic task").name) == ("delete", "tick")
    CrontabSchedule.objects.create(hour="4", minute="10")
    assert newest("crontab").after["hour"] == "4"


def test_the_hash_of_a_token_is_not_remembered() -> None:
    _, made = make_token("bot", [Scope.RESET], NOW, NOW.replace(year=2027), None)
    made.save()
    assert newest("api token").name == "bot"
    assert made.digest not in json.dumps(newest("api token").after, default=str)


def test_facts_are_their_own_history(draft: Season) -> None:
    open_season(draft.pk, START)
    assert Posting.objects.exists()
    kinds = set(ConfigurationChange.objects.values_list("kind", flat=True))
    assert kinds == {"agent", "season", "entry"}


# Kept


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE competition_configurationchange SET who = 'nobody'",
        "DELETE FROM competition_configurationchange",
        "TRUNCATE competition_configurationchange",
        "INSERT INTO competition_configurationchange (at, who, through, kind, row_id, name, act, before, after) "
        "VALUES (now(), 'ada', '', 'season', '1', 'spring', 'update', '{}', '{}')",
    ],
)
def test_no_statement_can_change_the_history_or_make_one_up(draft: Season, statement: str) -> None:
    before = list(ConfigurationChange.objects.order_by("id").values())
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert list(ConfigurationChange.objects.order_by("id").values()) == before != []


# Shown


def test_the_history_of_a_row_says_what_was_before_and_what_came_after(operator: Client, draft: Season) -> None:
    with acting("<script>alert(1)</script>"):
        Season.objects.filter(pk=draft.pk).update(name="<b>Spring</b>")
    answer = operator.get(page(Season, "history", draft.pk), follow=True)
    assert answer.status_code == 200
    shown = answer.context["cl"].result_list
    assert [(row.kind, row.row_id) for row in shown] == [("season", str(draft.pk))] * 2
    text = operator.get(page(ConfigurationChange, "change", shown[0].pk)).content.decode()
    assert "<th>name</th><td>Spring</td><td>&lt;b&gt;Spring&lt;/b&gt;</td>" in text
    assert "alert(1)" in text
    assert "<script>alert(1)" not in text


@pytest.mark.parametrize(
    ("model", "make"),
    [
        (Agent, lambda: Agent.objects.first()),
        (Entry, lambda: Entry.objects.first()),
        (ListedSymbol, lambda: ListedSymbol.objects.first()),
        (PeriodicTask, lambda: PeriodicTask.objects.create(name="tick", task="x", crontab=crontab())),
        (CrontabSchedule, lambda: crontab()),
    ],
)
def test_each_page_of_configuration_leads_to_its_history(
    operator: Client, draft: Season, model: Any, make: Any
) -> None:
    row = make()
    model.objects.filter(pk=row.pk).update(**{CHANGED[model]: 5})
    answer = operator.get(page(model, "history", row.pk), follow=True)
    assert answer.redirect_chain
    assert {one.row_id for one in answer.context["cl"].result_list} == {str(row.pk)}


CHANGED = {Agent: "version", Entry: "number", ListedSymbol: "tick", PeriodicTask: "priority", CrontabSchedule: "hour"}


def crontab() -> CrontabSchedule:
    return CrontabSchedule.objects.create(hour="4", minute="10")


def test_whoever_may_not_see_changes_does_not(client: Client) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert client.get(reverse("admin:competition_configurationchange_changelist")).status_code == 403
