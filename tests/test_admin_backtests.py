"""Staff runs backtests from the admin: told before, confirmed, watched, ended, played again, and read."""

from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from competition.models import Backtest
from competition.services import backtest_runs
from competition.services.backtests import claim, fail, tell_progress
from tests.pages.reading import Page
from tests.pages.test_backtest_form import TYPED, a_model
from tests.test_admin import operator  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

LIST, ASK = "/admin/competition/backtest/", "/admin/competition/backtest/ask/"
MINE = UUID(int=1)


def text_of(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status
    return " ".join(answer.content.decode().split())


def yes_in(answer: Any) -> str:
    """What the button says yes to."""
    (button,) = Page.of(answer).all("button", id="yes")
    return str(button.attributes["value"])


def asked_for(operator: Client, **changes: Any) -> Backtest:
    """A backtest that staff asked for, was told of and confirmed."""
    typed = {**TYPED, **changes}
    operator.post(ASK, {**typed, "yes": yes_in(operator.post(ASK, typed))})
    return Backtest.objects.latest("id")


def page_of(backtest: Backtest) -> str:
    return f"{LIST}{backtest.pk}/change/"


def act(name: str, *backtests: Backtest) -> str:
    return f"{LIST}act/{name}/?{'&'.join(f'key={backtest.key}' for backtest in backtests)}"


# Start


def test_it_is_typed_told_confirmed_and_in_the_queue(operator: Client) -> None:
    assert f'href="{ASK}">Run a backtest' in text_of(operator.get("/admin/"))
    assert f'href="{ASK}">Run a backtest' in text_of(operator.get(LIST))
    assert "Say what it will take" in text_of(operator.get(ASK))
    told = operator.post(ASK, TYPED)
    assert "It asks no model, so it costs nothing." in text_of(told)
    assert "Period: 1 Jan 2024 – 1 Mar 2024." in text_of(told)
    assert "Models may cost: nothing, as none is paid." in text_of(told)
    assert not Backtest.objects.exists(), "nothing happens before the yes"
    answer = operator.post(ASK, {**TYPED, "yes": yes_in(told)})
    backtest = Backtest.objects.get()
    assert answer.headers["Location"] == page_of(backtest)
    assert (backtest.state, backtest.requested_via) == ("queued", "admin")
    assert backtest.requested_by is not None
    assert backtest.requested_by.username == "operator"
    assert "A worker of the queue for backtests takes it next" in text_of(operator.get(page_of(backtest)))


def test_a_yes_to_something_else_than_was_told_starts_nothing(operator: Client) -> None:
    yes = yes_in(operator.post(ASK, TYPED))
    told = operator.post(ASK, {**TYPED, "capital": "20000", "yes": yes})
    assert "Capital: 20,000.00 USDT each." in text_of(told)
    assert yes_in(told) != yes
    assert not Backtest.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"agents": []}, "agents", "Choose at least one agent."),
        ({"agents": ["nobody"]}, "agents", "nobody cannot be chosen here."),
        ({"last": "2023-01-01"}, "last", "the end must come after the beginning"),
        ({"first": "2024-02-30"}, "first", "is no date"),
        ({"capital": "NaN"}, "capital", "is not a number"),
        ({"capital": "-1"}, "capital", "leaves nothing to invest"),
        ({"timeframe": "7m"}, "timeframe", "7m"),
        ({"agents": ["dear"]}, "agents", "Set a price with manage.py set_price"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_written(
    operator: Client,
    changes: dict[str, Any],
    field: str,
    said: str,
) -> None:
    a_model()
    answer = operator.post(ASK, {**TYPED, **changes})
    assert "It cannot be started like this." in text_of(answer, 422)
    (complaint,) = Page.of(answer).all("p", id=f"error-{field}")
    assert said in complaint.text
    assert not Page.of(answer).all("button", id="yes")
    assert not Backtest.objects.exists()


# Progress and result


def test_it_is_watched_until_its_figures_stand_there(operator: Client) -> None:
    backtest = asked_for(operator)
    held = claim(backtest.key, MINE, timezone.now())
    assert held is not None
    tell_progress(held, 4, 16, timezone.now())
    shown = text_of(operator.get(page_of(backtest)))
    assert 'hx-trigger="every 2s"' in shown
    assert "4 of 16 decisions" in shown
    part = operator.get(page_of(backtest), headers={"HX-Request": "true"})
    assert '<progress max="16" value="4"' in text_of(part)
    assert "<html" not in text_of(part)
    assert "HX-Refresh" not in part.headers
    Backtest.objects.update(lease_until=timezone.now())  # its worker is gone, and another takes it
    backtest_runs.run_due(timezone.now, lambda: MINE)
    assert operator.get(page_of(backtest), headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
    done = text_of(operator.get(page_of(backtest)))
    assert "Done: Equal weight" in done
    assert '<th scope="col">Deepest fall</th>' in done
    assert "every 2s" not in done
    assert f'href="/backtests/{backtest.key}/">Its public page' in done
    assert "Cancel …" not in Page.of(operator.get(page_of(backtest))).texts("a")


# Cancel, and play again


def test_it_is_cancelled_and_played_again_each_after_a_yes(operator: Client) -> None:
    backtest = asked_for(operator)
    address = act("cancel", backtest)
    assert address.replace("&", "&amp;") in text_of(operator.get(page_of(backtest)))
    assert "is queued, with 0 of" in text_of(operator.get(address))
    backtest.refresh_from_db()
    assert backtest.state == "queued", "nothing happens before the yes"
    assert operator.post(address).headers["Location"] == page_of(backtest)
    backtest.refresh_from_db()
    assert backtest.state == "cancelled"
    again = act("again", backtest)
    assert again in text_of(operator.get(page_of(backtest)))
    assert "is played from its start: " in text_of(operator.get(again))
    assert "It asks no model, so it costs nothing." in text_of(operator.get(again))
    operator.post(again)
    backtest.refresh_from_db()
    assert (backtest.state, backtest.attempts) == ("queued", 0)
    assert "waits for a worker" in text_of(operator.get(page_of(backtest)))


def test_one_that_failed_says_why_and_can_be_played_again(operator: Client) -> None:
    backtest = asked_for(operator)
    held = claim(backtest.key, MINE, timezone.now())
    assert held is not None
    fail(held, "The runner is away.", timezone.now())
    shown = text_of(operator.get(page_of(backtest)))
    assert '"alarm"' in shown
    assert "The runner is away." in shown
    operator.post(act("again", backtest))
    backtest.refresh_from_db()
    assert (backtest.state, backtest.error) == ("queued", "")


def test_of_many_those_that_can_be_are_cancelled_and_of_the_others_it_is_said(operator: Client) -> None:
    first, second = asked_for(operator), asked_for(operator, seed="2")
    operator.post(act("cancel", first))
    answer = operator.post(LIST, {"action": "cancel_chosen", "_selected_action": [first.pk, second.pk]})
    address = answer.headers["Location"]
    assert address == act("cancel", first, second)
    assert f"{first} is cancelled; it stays as it is." in text_of(operator.get(address))
    told = text_of(operator.post(address, follow=True))
    assert f"{second} is cancelled." in told
    assert f"{first} is cancelled; it stays as it is." in told
    assert "Nothing of this waits or runs." in text_of(operator.post(address))


def test_what_there_is_not_is_not_found(operator: Client) -> None:
    backtest = asked_for(operator)
    for address in (
        act("cancel"),
        act("fly", backtest),
        f"{LIST}act/cancel/?key=x",
        f"{LIST}act/cancel/?key=%00",
        f"{ASK}?from=nope",
    ):
        assert operator.get(address).status_code == 404, address


# Who may


def test_who_may_only_look_may_start_and_end_nothing(client: Client, operator: Client) -> None:
    backtest = asked_for(operator)
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_backtest"))
    client.force_login(clerk)
    assert client.post(ASK, TYPED).status_code == 403
    for name in ("cancel", "again"):
        assert client.post(act(name, backtest)).status_code == 403
    assert "Cancel …" not in Page.of(client.get(page_of(backtest))).texts("a")
    backtest.refresh_from_db()
    assert backtest.state == "queued"
