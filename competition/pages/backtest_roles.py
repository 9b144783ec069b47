"""Who of a firm's six roles was called before a decision of a backtest, and why the others were not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.models import AgentKind, Attempt, AttemptOutcome
from competition.core.backtest_parameters import AgentSpec
from competition.pages.called import LONG_FIELDS
from competition.pages.firm import roles_of
from competition.pages.words import Mark
from competition.services.backtest_costs import is_asked
from market.core.canonical import sha256_of

IN_PROCESS = "It decided in the worker's own process, by script; no call was made."
MASKED = "It was asked behind the mask, under another brief than the one below; its calls are kept with that one."
NO_ATTEMPT = "Nothing of its calls is on record: this decision was reached without asking."


@dataclass(frozen=True, slots=True)
class RolesPart:
    """`rows` are title, mark and what is to be said of each role; `note` stands where there are none."""

    rows: tuple[tuple[str, Mark, str], ...] = ()
    note: str = ""


def roles_behind(spec: AgentSpec, brief: Mapping[str, Any] | None, is_masked: bool) -> RolesPart | None:
    """The roles behind a decision on this brief; None for whoever is no firm. Two queries where a firm was asked."""
    if spec.kind != AgentKind.FIRM or brief is None:
        return None
    if not is_asked(spec.model):
        return RolesPart(note=IN_PROCESS)
    if is_masked:
        return RolesPart(note=MASKED)
    attempts = Attempt.objects.filter(brief__agent__slug=spec.slug, brief__turn=None, brief__sha256=sha256_of(brief))
    shown = _best(list(attempts.order_by("number")))
    if shown is None:
        return RolesPart(note=NO_ATTEMPT)
    cards, uncalled = roles_of(shown, list(shown.calls.defer(*LONG_FIELDS).order_by("position")))
    why = {title: said.removeprefix("not asked: ") for title, said in uncalled}  # the mark says that
    return RolesPart(tuple((card.title, card.mark, why.get(card.title, _called(len(card.calls)))) for card in cards))


def _best(attempts: Sequence[Attempt]) -> Attempt | None:
    """The newest that was answered, else the newest."""
    answered = [attempt for attempt in attempts if attempt.outcome == AttemptOutcome.ANSWERED]
    return next(reversed(answered or attempts), None)


def _called(count: int) -> str:
    return "one call" if count == 1 else f"{count} calls"
