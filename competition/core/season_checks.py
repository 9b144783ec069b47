"""What must hold of a season's calendar, its frozen facts and its boards."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from decimal import Decimal

from competition.core.ranking import Result, StandingRow
from competition.core.schedule import asking_ends, boundary, last_due, market_time, trading_ends
from competition.core.season_record import SeasonRecord
from competition.core.states import TERMINAL_CYCLES, CycleState, SeasonState

SeasonCheck = Callable[[SeasonRecord], Iterator[str]]
PATIENCE = timedelta(hours=1)  # beyond twice the trade window, in which a cycle ends whatever breaks


def cycles_are_one_for_each_week(season: SeasonRecord) -> Iterator[str]:
    """Numbered from 1 without holes, each due at its boundary, none before it; its market time follows from it."""
    numbers = list(season.cycles)
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"its weeks are numbered {_listed(numbers)}"
        return
    if len(numbers) > last_due(season.rules, season.audited_at):
        yield f"it has {len(numbers)} weeks, and {last_due(season.rules, season.audited_at)} were due"
    for cycle in season.cycles.values():
        if cycle.due_at != boundary(season.rules, cycle.number):
            yield f"week {cycle.number} is due at {cycle.due_at:%Y-%m-%d %H:%M:%S}, which is not its boundary"
        opened_at = cycle.due_at if cycle.state is CycleState.MISSED else cycle.opened_at
        planned = (market_time(season.rules, opened_at), asking_ends(season.rules, opened_at))
        if (cycle.as_of, cycle.deadline_at) != planned or cycle.opened_at < cycle.due_at:
            yield f"week {cycle.number} was opened at {cycle.opened_at:%Y-%m-%d %H:%M:%S}, and its instants do not fit"


def one_cycle_is_played_at_a_time(season: SeasonRecord) -> Iterator[str]:
    """All but the newest have ended; all have when the season is closed."""
    newest = max(season.cycles, default=0)
    for cycle in season.cycles.values():
        is_over = cycle.number != newest or season.state is SeasonState.CLOSED
        if is_over and cycle.state not in TERMINAL_CYCLES:
            yield f"week {cycle.number} is {cycle.state} although it is past"


def cycles_have_what_their_state_needs(season: SeasonRecord) -> Iterator[str]:
    """A snapshot once it asks, an instant of trading once it trades; neither when it was missed or held."""
    for cycle in season.cycles.values():
        was_shown = cycle.state in (CycleState.ASKING, CycleState.TRADING, CycleState.CLOSING, CycleState.CLOSED)
        trades = was_shown and cycle.state is not CycleState.ASKING
        if (cycle.shown is not None) != was_shown or (cycle.trade_as_of is not None) != trades:
            yield f"week {cycle.number} is {cycle.state} and has not the prices that belong to it"
        elif cycle.traded and (not trades or cycle.traded.as_of != cycle.trade_as_of):
            yield f"week {cycle.number} trades at the prices of another instant"


def no_cycle_stands_still(season: SeasonRecord) -> Iterator[str]:
    """Twice the trade window after its deadline a cycle has ended, unless nothing is running."""
    for cycle in season.cycles.values():
        ends = trading_ends(season.rules, cycle.deadline_at) + timedelta(seconds=season.rules.trade_window_s)
        if cycle.state not in TERMINAL_CYCLES and season.audited_at > ends + PATIENCE:
            yield f"week {cycle.number} is {cycle.state} and should have ended by {ends:%Y-%m-%d %H:%M:%S} UTC"


def rules_are_those_it_was_opened_with(season: SeasonRecord) -> Iterator[str]:
    if season.rules.sha256 != season.rules_sha256:
        yield "its rules no longer have the hash they were frozen under"


def symbols_are_those_of_its_rules(season: SeasonRecord) -> Iterator[str]:
    if set(season.symbols) != set(season.rules.universe):
        yield f"it froze {', '.join(season.symbols)}, and its rules name {', '.join(season.rules.universe)}"


@dataclass(slots=True)
class Tally:
    """One entry's figures so far, from its turns and valuations."""

    entry: str
    values: list[Decimal] = field(default_factory=list)
    traded: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    ai_cost: Decimal = Decimal(0)
    due: int = 0
    valid: int = 0

    def result(self) -> Result:
        return Result(self.entry, tuple(self.values), self.traded, self.fees, self.ai_cost, self.due, self.valid)


def board_differences(number: int, stored: Sequence[StandingRow], found: Sequence[StandingRow]) -> Iterator[str]:
    """How the stored board of a week differs from the one computed again."""
    if [row.entry for row in stored] != [row.entry for row in found]:
        yield f"the board of week {number} lists {_listed([row.entry for row in stored])} in this order"
        return
    for kept, again in zip(stored, found, strict=True):
        before, after = asdict(kept), asdict(again)
        if odd := [name for name in before if before[name] != after[name]]:
            yield f"on the board of week {number} {kept.entry} has another {', '.join(odd)}"


def _listed(names: Sequence[object]) -> str:
    text = ", ".join(str(name) for name in names[:10])
    return f"{text} and {len(names) - 10} more" if len(names) > 10 else text or "nothing"
