"""What a season's calls used and cost, added up by the database in one statement: all sums are of one moment."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import reduce
from typing import Any

from django.db.models import BigIntegerField, CharField, Count, F, IntegerField, Q, QuerySet, Sum, Value
from django.db.models.functions import Cast, Coalesce

from agents.models import Call, Charge
from competition.models import Season

_Key = F | Value
_WORST = Q(charge=Charge.WORST)
_KINDS = ("prompt", "cached", "completion", "reasoning")
_ENTRY, _WEEK = "attempt__brief__turn__entry__slug", "attempt__brief__turn__cycle__number"


@dataclass(frozen=True, slots=True)
class Spending:
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

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    @property
    def worst_share(self) -> Decimal:
        """The fraction of the USD that was charged at the worst case."""
        return self.worst_usd / self.usd if self.usd else Decimal(0)


NAMES = tuple(field.name for field in fields(Spending))


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
            sums[key(share)] = sums.get(key(share), Spending()) + share.spending
        return dict(sorted(sums.items(), key=lambda item: (-item[1].usd, -item[1].tokens, item[0])))


def added(parts: Iterable[Spending]) -> Spending:
    return reduce(Spending.__add__, parts, Spending())


def provider_of(model: str) -> str:
    """What stands before the first slash of a model string."""
    return model.partition("/")[0]


def spent_in(season: Season) -> Spent:
    """What the season's calls used and cost: one query, and so one moment."""
    nothing, no_week = Value("", CharField()), Value(0, IntegerField())
    by_share = _sums(season, F(_ENTRY), F("role"), F("requested_model"), no_week)
    by_week = _sums(season, nothing, nothing, nothing, F(_WEEK))
    shares: list[Share] = []
    weeks: dict[int, Spending] = {}
    for entry, role, model, week, *sums in by_share.union(by_week, all=True):
        spending = Spending(**dict(zip(NAMES, sums, strict=True)))
        if week:
            weeks[week] = spending
        else:
            shares.append(Share(entry, role, model, spending))
    return Spent(tuple(shares), dict(sorted(weeks.items(), reverse=True)))


def _sums(season: Season, entry: _Key, role: _Key, model: _Key, week: _Key) -> QuerySet[Call, Any]:
    """Rows of the four keys, then the sums in the order of `Spending`."""
    keys = {"by_entry": entry, "by_role": role, "by_model": model, "by_week": week}
    sums = {
        "sum_calls": Count("id"),
        "sum_failed": Count("id", filter=~Q(error_class="")),
        "sum_worst": Count("id", filter=_WORST),
        **{f"sum_{kind}": Coalesce(Sum(f"{kind}_tokens"), 0) for kind in _KINDS},
        "sum_tokens": Cast(Sum("tokens_charged"), BigIntegerField()),
        "sum_usd": Sum("usd"),
        "sum_worst_usd": Coalesce(Sum("usd", filter=_WORST), Decimal(0)),
    }
    calls = Call.objects.filter(attempt__brief__turn__cycle__season=season).order_by()
    rows: QuerySet[Call, Any] = calls.annotate(**keys).values(*keys).annotate(**sums).values_list(*keys, *sums)
    return rows
