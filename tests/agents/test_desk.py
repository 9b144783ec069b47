"""The desk of a firm: an analyst that hangs costs its own report and not the firm's answer."""

import asyncio
from typing import Any

import pytest

from agents.calling import Purse
from agents.core.calls import ErrorClass, ModelCall
from agents.core.firm import Deliberation, deliberate
from agents.core.parameters import AgentParameters
from agents.core.pricing import Worst
from agents.core.said import Said
from agents.desk import Desk
from tests.agents.meetings import BRIEF, Cast, timed

ATTEMPT_S = 100.0
PARAMETERS = AgentParameters(call_timeout_s=1_000, tries_max=1)
FOREVER_S = 1e6


class Firm:
    """A firm at one desk whose roles take so many seconds each, one if not said; all have one attempt's time."""

    def __init__(self, **seconds: float) -> None:
        self.seconds = seconds
        self.began: dict[str, float] = {}
        self.told: dict[str, dict[str, Any]] = {}

    async def complete(self, call: ModelCall, *, timeout_s: float, supports_schema: bool) -> Said:
        self.began[call.role] = asyncio.get_running_loop().time()
        await asyncio.sleep(self.seconds.get(call.role, 1))
        text = str(getattr(Cast(), call.role))
        return Said(text, call.model, "stop", usage=None, usage_raw={}, provider_request_id="")

    def meet(self) -> tuple[Deliberation, float]:
        return timed(self._meet())

    async def _meet(self) -> Deliberation:
        desk = Desk(
            model="offline/desk",
            parameters=PARAMETERS,
            cards={},
            purse=Purse(Worst(tokens=0, usd=0)),
            deadline=ATTEMPT_S,
            complete=self.complete,
            fix=str,
            tell=lambda event: self.told.setdefault(str(event["try"]), {}).update(event["fields"]),
            monotonic=asyncio.get_running_loop().time,
        )
        return await deliberate(BRIEF, (), "", desk.ask_role, 2, asyncio.gather)

    def errors(self) -> dict[str, ErrorClass | None]:
        return {fields["role"]: fields["error_class"] for fields in self.told.values()}


@pytest.mark.parametrize("analyst", ["technical", "sentiment", "tokenomics"])
def test_an_analyst_that_hangs_is_missing_and_the_others_go_on(analyst: str) -> None:
    firm = Firm(**{analyst: FOREVER_S})
    came, elapsed = firm.meet()
    assert came.reply == Cast().trader
    assert came.content["missing"] == {analyst: "offline/desk: timeout"}
    assert firm.errors()[analyst] == ErrorClass.TIMEOUT
    # 40 % of 100 s, and as long as a library may take to notice
    assert 40 <= firm.began["researcher"] < 41
    assert elapsed == firm.began["researcher"] + 3


def test_with_two_analysts_that_hang_the_firm_is_silent_when_their_time_is_over() -> None:
    came, elapsed = Firm(technical=FOREVER_S, sentiment=FOREVER_S).meet()
    assert came.reply is None
    assert came.reason.startswith("1 of 3 analysts are usable, the quorum is 2")
    assert elapsed < 41


def test_whoever_comes_after_the_analysts_has_all_the_time_that_is_left() -> None:
    came, elapsed = Firm(technical=39, researcher=1, trader=58).meet()
    assert came.reply == Cast().trader
    assert elapsed == 99


def test_an_analyst_may_use_the_whole_share_and_is_heard() -> None:
    came, _ = Firm(sentiment=40).meet()
    assert came.content["missing"] == {}
