"""A worker's part: take a backtest, play it for each agent, keep what came out. Doors give it a clock and a token."""

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.utils import InterfaceError, OperationalError

from agents.core.answers import Decide, DecideFreely
from agents.core.constant_agent import ALWAYS_THE_SAME, constant_agent
from agents.core.rule_parameters import RULE
from agents.core.signals import ArrayAgent, CalledAgent
from competition.backtest_models import Backtest
from competition.core.backtest import play_briefs, play_wishes, wishes_of
from competition.core.backtest_parameters import AgentSpec, BacktestParameters
from competition.core.backtest_report import kept_yardsticks, result_of, yardsticks
from competition.core.backtest_result import AgentResult
from competition.core.backtest_stage import Played
from competition.services.backtest_market import Setting, setting_for
from competition.services.backtest_requests import BacktestRefused, data_of
from competition.services.backtest_runners import AskingStopped, AskVia, Runners, runners_of_settings
from competition.services.backtest_voices import settle_cut_off, voice_of
from competition.services.backtests import NoLongerOurs, claim, due, fail, finish, tell_progress
from market.core.canonical import sha256_of

logger = logging.getLogger(__name__)

TELL_EVERY_S = 0.5

OTHER_DATA = (
    "The candles or filters have changed since this was asked for; ask again to have it over what is stored now."
)
OTHER_DATA_NOW = (
    "The candles or filters changed while this was played, so that nobody can say which of them it was played on; "
    "ask again to have it over what is stored now."
)
BROKEN = "It broke off with an error of ours ({}). It is in the log; asking again will not help before it is mended."

type Player = Decide | ArrayAgent | CalledAgent
type OnProgress = Callable[[int, int], None]


@dataclass(slots=True)
class _Progress:
    """How far a backtest is, told at most twice a second: to its row, which keeps the lease, and to whoever watches."""

    backtest: Backtest
    total: int
    clock: Callable[[], datetime]
    watch: OnProgress
    before: int = 0
    done: int = 0
    told_at: float = float("-inf")

    def tell(self, done_of_agent: int) -> None:
        now_s, done = time.monotonic(), self.before + done_of_agent
        self.done = done
        if now_s - self.told_at < TELL_EVERY_S and done < self.total:
            return
        self.told_at = now_s
        tell_progress(self.backtest, done, self.total, self.clock())
        self.watch(done, self.total)

    def alive(self) -> None:
        """Keep the lease while somebody else is waited for. Raises `NoLongerOurs`."""
        tell_progress(self.backtest, self.done, self.total, self.clock())


def run_backtest(
    key: str,
    clock: Callable[[], datetime],
    token: uuid.UUID,
    watch: OnProgress = lambda done, total: None,
    ask: AskVia = runners_of_settings,
) -> bool:
    """Play this backtest if it waits for somebody; whether it was ours to end. What it came to stands in its row.

    `ask` opens the way to the runners of models.
    """
    backtest = claim(key, token, clock())
    if backtest is None:
        return False
    try:
        _play_and_end(backtest, Runners(ask, clock), watch)
    except NoLongerOurs as gone:
        logger.info("%s", gone)
        return False
    return True


def _play_and_end(backtest: Backtest, runners: Runners, watch: OnProgress) -> None:
    """Play it, and write how it ended. Raises `NoLongerOurs`, also where it could only have been written as failed."""
    started, clock = time.monotonic(), runners.clock
    try:
        results, setting = _played(backtest, runners, watch)
        finish(backtest, results, setting.notes, time.monotonic() - started, clock())
    except NoLongerOurs:
        raise
    except (OperationalError, InterfaceError):
        raise  # the database is away: the lease runs out, and another begins again
    except (BacktestRefused, AskingStopped) as refused:
        fail(backtest, str(refused), clock())
    except Exception as error:
        logger.exception("%s broke off", backtest)
        fail(backtest, BROKEN.format(type(error).__name__), clock())


def run_due(clock: Callable[[], datetime], new_token: Callable[[], uuid.UUID]) -> int:
    """Play whatever waits, one after the other; how many were ours."""
    return sum(run_backtest(key, clock, new_token()) for key in due(clock()))


def _played(backtest: Backtest, runners: Runners, watch: OnProgress) -> tuple[list[AgentResult], Setting]:
    parameters = BacktestParameters.model_validate(backtest.parameters)
    if sha256_of(data_of(parameters)) != backtest.data_sha256:
        raise BacktestRefused({"symbols": OTHER_DATA})
    progress = _Progress(backtest, 0, runners.clock, watch)
    setting = setting_for(parameters, progress.alive)
    stage, moments = setting.stage, len(setting.stage.moments.rows)
    progress.total = moments * len(parameters.agents)
    settle_cut_off(backtest.key, parameters, runners.clock())
    compared_with = yardsticks(stage)
    kept = {"yardsticks": kept_yardsticks(compared_with, stage.past.step_ms)}
    setting = replace(setting, notes={**setting.notes, **kept})
    results = []
    for number, spec in enumerate(parameters.agents, start=1):
        progress.before = (number - 1) * moments
        voice = voice_of(spec, backtest.key, parameters, stage.rules, runners, progress.alive)
        played = play_agent(spec, setting, progress.tell, voice.decide)
        result = result_of(spec, number, played, stage, compared_with)
        results.append(replace(result, metrics={**result.metrics, **voice.told()}))
        progress.tell(moments)
    if sha256_of(data_of(parameters)) != backtest.data_sha256:
        raise BacktestRefused({"symbols": OTHER_DATA_NOW})
    return results, setting


def play_agent(
    spec: AgentSpec, setting: Setting, on_moment: Callable[[int], None], decide: DecideFreely | None = None
) -> Played:
    """Play one agent; `on_moment` is told how many of its moments are over. `decide` speaks for it, if it is given."""
    stage, player = setting.stage, decide or player_of(spec)
    if not isinstance(player, ArrayAgent | CalledAgent):
        setting.expect(stage.moments.rows)
        return play_briefs(spec.slug, stage, player, on_moment)
    wishes = wishes_of(player, stage, lambda looked_at: on_moment(0))
    setting.expect(stage.moments.rows[wishes.moments])
    return play_wishes(spec.slug, stage, wishes, lambda wish: on_moment(int(wishes.moments[wish])))


def player_of(spec: AgentSpec) -> Player:
    """Who decides for this agent. Raises `NotDecidedInProcess` and its like for whom nobody here can ask."""
    if spec.model in ALWAYS_THE_SAME:
        return constant_agent(spec.model, spec.parameters)
    if spec.model.startswith(RULE):
        from agents.core.rule_agents import rule_agent  # only here: what computes indicators is heavy

        return rule_agent(spec.model, spec.parameters)
    from agents.core.deciders import decider  # only here: firms and scripts are heavy, too

    return decider(spec.model, spec.parameters)
