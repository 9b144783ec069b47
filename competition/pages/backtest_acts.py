"""What staff is told before a backtest is started, ended or played again, and what one came to, for the admin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from competition.backtest_models import Backtest
from competition.core.backtest_parameters import BacktestParameters
from competition.core.states import BacktestState
from competition.errand_pages import Confirmation
from competition.pages.backtest_asking import Estimate, estimate_of
from competition.pages.backtest_figures import DRAWDOWN, RETURN, measure_of
from competition.pages.backtest_sheet import Head, head_of, runs_of
from competition.pages.backtest_words import parameter_facts
from competition.services.backtest_requests import BacktestRefused
from competition.services.backtests import UNFINISHED

PLAYABLE = (BacktestState.FAILED.value, BacktestState.CANCELLED.value)
FIGURES = (RETURN, DRAWDOWN, "Trades")


@dataclass(frozen=True, slots=True)
class BacktestCourse:
    """How far one is; `rows` are what its agents came to, the cells of a line below `heads`."""

    heads: ClassVar = ("Agent", "Return", "Deepest fall", "Trades")

    head: Head
    may_end: bool
    may_play_again: bool
    rows: tuple[tuple[str, ...], ...]


def course_of(backtest: Backtest, now: datetime) -> BacktestCourse:
    rows = tuple((run.name, *(measure_of(run.metrics, name).text for name in FIGURES)) for run in runs_of(backtest))
    return BacktestCourse(head_of(backtest, now), backtest.state in UNFINISHED, backtest.state in PLAYABLE, rows)


def before_starting(parameters: BacktestParameters, estimate: Estimate) -> Confirmation:
    """What starting this would do: all that was asked, and what it will take."""
    asked = tuple(f"{name}: {value}." for name, value in parameter_facts(parameters).items())
    takes = (estimate.size, f"{estimate.time} {estimate.queue}", estimate.cost, *estimate.cutoffs)
    return Confirmation("Start this backtest", "Yes, start", (*takes, *asked))


def before_cancelling(backtests: Sequence[Backtest]) -> Confirmation:
    sentences = tuple(
        f"{backtest} is {backtest.state}, with {backtest.progress_done} of {backtest.progress_total} decisions taken."
        if backtest.state in UNFINISHED
        else f"{backtest} is {backtest.state}; it stays as it is."
        for backtest in backtests
    )
    if not any(backtest.state in UNFINISHED for backtest in backtests):
        return Confirmation("Cancel", "", sentences, "Nothing of this waits or runs.")
    kept = "Its worker stops at its next word and keeps nothing of it. What models replied stays paid for and is kept."
    return Confirmation(f"Cancel {_these(backtests)}", "Yes, cancel", (*sentences, kept))


def before_playing_again(backtests: Sequence[Backtest], now: datetime) -> Confirmation:
    sentences = [_again(backtest, now) for backtest in backtests]
    if not any(backtest.state in PLAYABLE for backtest in backtests):
        return Confirmation(
            "Play again", "", tuple(sentences), "Only what failed or was cancelled can be played again."
        )
    return Confirmation(f"Play {_these(backtests)} again", "Yes, play again", tuple(sentences))


def _again(backtest: Backtest, now: datetime) -> str:
    if backtest.state not in PLAYABLE:
        return f"{backtest} is {backtest.state}; it stays as it is."
    try:
        takes = estimate_of(BacktestParameters.model_validate(backtest.parameters), now)
    except BacktestRefused as refused:
        return f"{backtest} will fail again: {refused}"
    return f"{backtest} is {backtest.state}. It is played from its start: {takes.size} {takes.time} {takes.cost}"


def _these(backtests: Sequence[Backtest]) -> str:
    return str(backtests[0]) if len(backtests) == 1 else f"{len(backtests)} backtests"
