"""Who speaks for an agent in a backtest: its model through a runner, behind a mask if that was asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agents.core.answers import DecideFreely
from agents.core.baselines import OF_THE_HOUSE
from competition.core.backtest_parameters import AgentSpec, BacktestParameters
from competition.core.rules import Rules
from competition.services.backtest_costs import SCRIPTED, is_asked
from competition.services.backtest_runners import Runners

if TYPE_CHECKING:
    from agents.core.masking import Mask
    from competition.services.backtest_asking import Interview


@dataclass(frozen=True, slots=True)
class Voice:
    """`decide` is None for whoever reads candles, or decides in process and is shown everything."""

    decide: DecideFreely | None = None
    interview: "Interview | None" = None
    mask: "Mask | None" = None

    def told(self) -> dict[str, Any]:
        """What is to be kept with the result: what was asked and what it cost, and who was who behind the mask."""
        found: dict[str, Any] = {}
        if self.interview is not None:
            talk = self.interview
            found["asking"] = {
                "asked": talk.asked,
                "answered_before": talk.known,
                "unanswered": talk.unanswered,
                "usd": str(talk.usd),
            }
        if self.mask is not None:
            found["mask"] = dict(self.mask.names)
        return found


def voice_of(
    spec: AgentSpec,
    key: str,
    parameters: BacktestParameters,
    rules: Rules,
    runners: Runners,
    alive: Callable[[], None],
) -> Voice:
    """The voice of this agent. The house is never masked: it reads figures, and remembers nothing."""
    if spec.model.startswith(OF_THE_HOUSE):
        return Voice()
    from agents.core.deciders import decider  # only here: the house needs nothing of all that
    from agents.core.masking import mask_of
    from competition.services.backtest_asking import interview, masked

    mask = mask_of(parameters.symbols, parameters.quote, str(parameters.seed)) if parameters.mask else None
    if spec.model.startswith(SCRIPTED):
        return Voice(masked(decider(spec.model, spec.parameters), mask), mask=mask) if mask else Voice()
    talk = interview(key, spec, rules, parameters.max_usd, runners, alive)
    return Voice(masked(talk.decide, mask) if mask else talk.decide, talk, mask)


def settle_cut_off(key: str, parameters: BacktestParameters, now: datetime) -> None:
    """Charge what an earlier worker had asked when it was cut off, if anybody is asked in this backtest at all."""
    if any(is_asked(spec.model) for spec in parameters.agents):
        from competition.services.backtest_asking import charge_cut_off  # only here, for the same reason

        charge_cut_off(key, now)
