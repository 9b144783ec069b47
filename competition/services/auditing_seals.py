"""Seals: a hash over all ended cycles of a season, kept with each audit, so that the next one sees what has changed."""

from collections.abc import Iterator, Mapping
from typing import Any

from competition.core.states import TERMINAL_CYCLES, TurnState
from competition.models import Audit, Cycle, Season, Turn
from market.core.canonical import sha256_of
from portfolio.prepared import Given, Prepared

GENESIS = "0" * 64
CHUNK = 100
_CYCLE = (
    *("number", "state", "due_at", "opened_at", "is_late", "as_of", "deadline_at", "trade_as_of", "closed_at"),
    *("reason", "snapshot__sha256", "trade_snapshot__sha256"),
)
_TURN = (
    "entry__slug",
    "brief__sha256",
    "state",
    "verdict",
    "verdict_reason",
    "decided_at",
    "settled_at",
    "trade_reason",
)
_TURNS = Prepared(lambda: Turn.objects.filter(cycle=Given("cycle")).order_by("entry__number").values_list(*_TURN))
_PROVISIONAL = Prepared(
    lambda: Turn.objects.filter(cycle=Given("cycle"), state=TurnState.PROVISIONAL.value).values_list("id")[:1]
)


def ended_cycles_are_as_they_were_sealed(season: Season) -> Iterator[str]:
    """The cycles that had ended at an earlier audit, and their turns, are what they were then."""
    sealed = last_seal(season)
    if sealed and (found := _seal_at(season, sealed["cycles"])) != sealed["sha256"]:
        what = "are no longer what they were" if found else "are no longer all there"
        yield f"its first {sealed['cycles']} weeks {what} when an earlier audit sealed them"


def next_seal(season: Season) -> dict[str, Any]:
    """The seal over all that has ended now; the earlier one while it does not hold, so that it is missed every time."""
    sealed, newest = last_seal(season), {"cycles": 0, "sha256": GENESIS}
    for number, sha256 in _seals(season):
        if sealed and number == sealed["cycles"] and sha256 != sealed["sha256"]:
            return dict(sealed)
        newest = {"cycles": number, "sha256": sha256}
    return dict(sealed) if sealed and sealed["cycles"] > newest["cycles"] else newest


def last_seal(season: Season) -> Mapping[str, Any] | None:
    row = Audit.objects.filter(seals__has_key=season.slug).order_by("-id").only("seals").first()
    return row.seals[season.slug] if row and row.seals[season.slug]["cycles"] else None


def _seal_at(season: Season, number: int) -> str:
    return next((sha256 for sealed, sha256 in _seals(season) if sealed == number), "")


def _is_provisional(cycle_id: int) -> bool:
    """Whether a turn of it waits for an order: it may still change, so nothing from here on is sealed yet."""
    return bool(_PROVISIONAL.rows(cycle=cycle_id))


def _seals(season: Season) -> Iterator[tuple[int, str]]:
    """After each ended cycle, as far as they have ended, its number and the hash over it and all before it."""
    sha256, terminal = GENESIS, {state.value for state in TERMINAL_CYCLES}
    for cycle in Cycle.objects.filter(season=season).order_by("number").values("id", *_CYCLE).iterator(CHUNK):
        if cycle["state"] not in terminal or _is_provisional(cycle["id"]):
            return
        turns = _TURNS.rows(cycle=cycle["id"])
        sha256 = sha256_of([sha256, [cycle[name] for name in _CYCLE], [list(turn) for turn in turns]])
        yield cycle["number"], sha256
