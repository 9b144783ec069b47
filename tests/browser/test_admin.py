"""An operator's errands in a real browser: each says what it will do, asks, and shows what came of it."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import DjangoDbBlocker

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.roster import Profile, house
from agents.models import Attempt
from competition.errands import EntryPause, Errand
from competition.models import Turn
from competition.services import backtest_runs, errands
from portfolio.attempts import standing_halt
from tests.browser.reading import Watched
from tests.browser.served import Site, served
from tests.live.stage import SEED, SYMBOLS, Stage, in_process, weekly_rules

NAME, PASSWORD = "ada", "correct horse battery"
DASHBOARD, ERRAND = "/admin/", re.compile(r"/admin/competition/errand/[0-9]+/change/$")
LAX, STRICT = "'unsafe-eval'", "default-src 'self'"
SAID = "a sentence that only a model would say"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
BY_COLOUR = ("color-contrast", "link-in-text-block")

pytestmark = pytest.mark.filterwarnings("ignore:No directory at")


async def told(question: Question) -> Answer | NoAnswer:
    """The house decides as ever; the model holds, and says why."""
    if question.model.startswith("offline/"):
        return Answer(json.dumps({"action": "hold", "rationale": SAID}))
    return await in_process(question)


@dataclass
class Room:
    """The site, and the stage on which its one season is played."""

    site: Site
    stage: Stage

    def work(self) -> None:
        """What a worker would do now: every errand that waits."""

        def run() -> None:
            for errand in Errand.objects.waiting(self.stage.now):
                errands.run(errand.pk, self.stage.clock, self.stage.dispatch, holds_keys=True)

        self.site.in_its_database(run)

    def tick(self, seconds: float) -> None:
        """Time goes on, and the ticker ticks."""
        self.site.in_its_database(lambda: self.stage.tick(self.stage.now + timedelta(seconds=seconds)))


@pytest.fixture(scope="module")
def room(chromium: str, migrated_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Room]:
    """A season whose first week was due a minute ago; nobody has looked yet."""
    staged: list[Stage] = []

    def fill() -> dict[str, str]:
        User.objects.create_superuser(NAME, password=PASSWORD)
        starts_at = timezone.now() - timedelta(minutes=1)
        rules = weekly_rules(starts_at=starts_at, market_starts_at=starts_at)
        model = Profile("oracle", "Oracle", "single", "offline/steady", {"seed": SEED})
        staged.append(Stage.set(rules, (*house(SEED, SYMBOLS)[:2], model)))
        return {}

    with django_db_blocker.unblock(), served(migrated_template, "admin", fill) as site:
        stage = staged[0]
        stage.now, stage.ask = timezone.now(), told
        yield Room(site, stage)


@pytest.fixture(scope="module")
def operator(room: Room, browser: Browser) -> Iterator[Watched]:
    """A page of somebody who has logged in by the form."""
    context = browser.new_context(base_url=room.site.address, viewport=DESK, reduced_motion="reduce")
    watched = Watched(context.new_page())
    page = watched.page
    page.goto(DASHBOARD)
    page.get_by_label("Username").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#desk-acts")).to_be_visible()
    yield watched
    context.close()


def assert_looks_right(watched: Watched) -> None:
    """Nothing complained of, readable in both themes, and no wider than a phone."""
    page = watched.page
    assert (watched.complaints, watched.refused(), watched.axe()) == ([], [], [])
    page.emulate_media(color_scheme="dark")
    assert watched.axe(*BY_COLOUR) == []
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    assert watched.beyond_the_edge() == []
    assert watched.axe(*BY_COLOUR, "target-size", "heading-order") == []
    page.set_viewport_size(DESK)


def go_from_the_desk(page: Page, link: str) -> None:
    page.goto(DASHBOARD)
    page.get_by_role("main").get_by_role("link", name=link).click()


def save(page: Page, reason: str) -> None:
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()


def test_running_now_leads_from_a_yes_over_progress_to_the_closed_cycle(room: Room, operator: Watched) -> None:
    page = operator.page
    main = page.get_by_role("main")
    page.goto(DASHBOARD)
    expect(main).to_contain_text("On stage")
    assert_looks_right(operator)
    go_from_the_desk(page, "Run now …")
    expect(main).to_contain_text("On stage: week 1 was due")
    assert_looks_right(operator)
    page.get_by_role("button", name="Yes, run now").click()
    page.wait_for_url(ERRAND)
    expect(main).to_contain_text("A worker or the second ticker takes it up within moments")
    room.work()
    week = main.get_by_role("row", name="week 1 of On stage").first
    expect(main).to_contain_text("Opened week 1 of On stage.", timeout=20_000)
    expect(week).to_contain_text("asking")
    assert_looks_right(operator)
    room.tick(1)
    room.tick(room.stage.season.rule_book.ask_s)
    expect(week).to_contain_text("closed", timeout=20_000)
    expect(main).not_to_contain_text("This page looks again")
    assert room.site.in_its_database(lambda: room.stage.cycle(1).state) == "closed"
    assert_no_model_speaks_in_the_admin(room, page)


def assert_no_model_speaks_in_the_admin(room: Room, page: Page) -> None:
    """The looser policy holds there alone; what the model said is on the public page, under the strict one."""
    attempt = room.site.in_its_database(lambda: Attempt.objects.get(reply__contains=SAID))
    turn = room.site.in_its_database(lambda: Turn.objects.get(brief_id=attempt.brief_id))
    for path in (f"/admin/agents/attempt/{attempt.pk}/change/", f"/admin/competition/turn/{turn.pk}/change/"):
        answer = page.goto(path)
        assert answer
        assert answer.ok
        assert LAX in answer.headers["content-security-policy"]
        assert SAID not in page.content()
    answer = page.goto("/s/stage/c/1/")
    assert answer
    assert LAX not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith(STRICT)
    assert SAID in page.content()


def test_an_entry_is_paused_for_a_reason_and_asked_again(room: Room, operator: Watched) -> None:
    page = operator.page
    go_from_the_desk(page, "Pause an entry …")
    page.get_by_role("row", name="btc-hold").get_by_role("link", name="Pause …").click()
    expect(page.locator(".desk")).to_contain_text("A paused entry is not asked from the next cycle on")
    expect(page.get_by_label("Paused")).to_be_checked()
    save(page, "a look at its replies")
    go_from_the_desk(page, "btc-hold in On stage")
    page.get_by_role("link", name="Ask again …").click()
    expect(page.get_by_label("Paused")).not_to_be_checked()
    assert room.site.in_its_database(lambda: EntryPause.objects.in_force().get().who) == NAME
    save(page, "looked")
    assert room.site.in_its_database(EntryPause.objects.in_force().count) == 0
    assert (operator.complaints, operator.refused()) == ([], [])


def test_the_kill_switch_is_thrown_and_taken_back(room: Room, operator: Watched) -> None:
    page = operator.page
    go_from_the_desk(page, "Halt trading …")
    expect(page.locator(".desk")).to_contain_text("no new order leaves for the exchange from this moment on")
    expect(page.get_by_label("Halted")).to_be_checked()
    save(page, "prices look odd")
    halted = room.site.in_its_database(standing_halt)
    assert halted is not None
    assert (halted.who, halted.reason) == (NAME, "prices look odd")
    page.goto(DASHBOARD)
    expect(page.get_by_role("main")).to_contain_text("Trading is halted")
    page.get_by_role("link", name="Allow trading again …").click()
    expect(page.get_by_label("Halted")).not_to_be_checked()
    save(page, "they are right")
    assert room.site.in_its_database(standing_halt) is None
    assert (operator.complaints, operator.refused()) == ([], [])


def test_a_backtest_is_told_confirmed_cancelled_played_again_and_watched_to_its_figures(
    room: Room, operator: Watched
) -> None:
    page = operator.page
    go_from_the_desk(page, "Run a backtest …")
    page.get_by_label("Capital").fill("nothing")
    page.get_by_role("button", name="Say what it will take …").click()
    expect(page.locator("#error-capital")).to_contain_text("is not a number")
    operator.complaints.clear()  # the browser itself tells of the 422
    page.get_by_label("Capital").fill("10000")
    page.get_by_role("button", name="Say what it will take …").click()
    expect(page.locator("#told")).to_contain_text("Start this backtest?")
    assert_looks_right(operator)
    page.get_by_role("button", name="Yes, start").click()
    course = page.locator("#course")
    expect(course).to_contain_text("Waiting: ")
    assert_looks_right(operator)
    course.get_by_role("link", name="Cancel …").click()
    page.get_by_role("button", name="Yes, cancel").click()
    expect(course).to_contain_text("Cancelled: ")
    course.get_by_role("link", name="Play again …").click()
    expect(page.get_by_role("main")).to_contain_text("It is played from its start")
    page.get_by_role("button", name="Yes, play again").click()
    expect(course).to_contain_text("This page looks again every two seconds")
    room.site.in_its_database(lambda: backtest_runs.run_due(timezone.now, uuid.uuid4))
    expect(course).to_contain_text("Deepest fall", timeout=20_000)
    expect(course).not_to_contain_text("This page looks again")
    assert_looks_right(operator)
