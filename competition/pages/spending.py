"""What a season's calls used and cost, added up by the database in one statement: all sums are of one moment."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import add
from typing import NamedTuple

from django.db import connection

from agents.models import Charge
from competition.models import Season

# Two cuts of one reading, which the ORM cannot say: two statements of its would read every call twice.
# The sums are in the order of `Spending`.
_CUTS = """
SELECT entry.slug, cut.role, cut.model, cycle.number,
       calls, failed, worst, prompt, cached, completion, reasoning, tokens, usd, worst_usd
FROM (
    SELECT turn.entry_id, call.role, call.requested_model AS model, turn.cycle_id,
           count(*) AS calls,
           count(*) FILTER (WHERE call.error_class <> '') AS failed,
           count(*) FILTER (WHERE call.charge = %(worst)s) AS worst,
           coalesce(sum(call.prompt_tokens), 0) AS prompt,
           coalesce(sum(call.cached_tokens), 0) AS cached,
           coalesce(sum(call.completion_tokens), 0) AS completion,
           coalesce(sum(call.reasoning_tokens), 0) AS reasoning,
           sum(call.tokens_charged)::bigint AS tokens,
           sum(call.usd) AS usd,
           coalesce(sum(call.usd) FILTER (WHERE call.charge = %(worst)s), 0) AS worst_usd
    FROM agents_call AS call
    JOIN agents_attempt AS attempt ON attempt.id = call.attempt_id
    JOIN competition_turn AS turn ON turn.brief_id = attempt.brief_id
    JOIN competition_cycle AS due ON due.id = turn.cycle_id
    WHERE due.season_id = %(season)s
    GROUP BY GROUPING SETS ((turn.entry_id, call.role, call.requested_model), (turn.cycle_id))
) AS cut
LEFT JOIN competition_entry AS entry ON entry.id = cut.entry_id
LEFT JOIN competition_cycle AS cycle ON cycle.id = cut.cycle_id
"""


class Spending(NamedTuple):
    """Sums over some calls. `prompt` includes `cached`, `completion` includes `reasoning`; only what was reported.

    `tokens` are those charged for, reported or not.
    """

    calls: int = 0
    failed: int = 0
    worst: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    tokens: int = 0
    usd: Decimal = Decimal(0)
    worst_usd: Decimal = Decimal(0)

    def plus(self, other: "Spending") -> "Spending":
        return Spending(*map(add, self, other))

    @property
    def worst_share(self) -> Decimal:
        """The fraction of the USD that was charged at the worst case."""
        return self.worst_usd / self.usd if self.usd else Decimal(0)


NO_SPENDING = Spending()


@dataclass(frozen=True, slots=True)
class Share:
    """What one entry spent on one model in one role."""

    entry: str
    role: str
    model: str
    spending: Spending


@dataclass(frozen=True, slots=True)
class Spent:
    """All of a season's spending, cut in two ways."""

    shares: tuple[Share, ...]
    weeks: Mapping[int, Spending]

    @property
    def total(self) -> Spending:
        return added(share.spending for share in self.shares)

    def by(self, key: Callable[[Share], str]) -> dict[str, Spending]:
        """Spending by whatever `key` names, the dearest first."""
        sums: dict[str, Spending] = {}
        for share in self.shares:
            sums[key(share)] = sums.get(key(share), NO_SPENDING).plus(share.spending)
        return dict(sorted(sums.items(), key=lambda item: (-item[1].usd, -item[1].tokens, item[0])))


def added(parts: Iterable[Spending]) -> Spending:
    return reduce(Spending.plus, parts, NO_SPENDING)


def provider_of(model: str) -> str:
    """What stands before the first slash of a model string."""
    return model.partition("/")[0]


def spent_in(season: Season) -> Spent:
    """What the season's calls used and cost: one query, and so one moment."""
    shares: list[Share] = []
    weeks: dict[int, Spending] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CUTS, {"season": season.pk, "worst": Charge.WORST.value})
        for entry, role, model, week, *sums in cursor:
            spending = Spending(*sums)
            if week:
                weeks[week] = spending
            else:
                shares.append(Share(entry, role, model, spending))
    return Spent(tuple(shares), dict(sorted(weeks.items(), reverse=True)))
