"""Who leads, in a sentence, and how little that means, in another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from competition.core.ranking import StandingRow
from competition.core.rules import Rules
from competition.pages.figures import listed, money, ordinal, points, signed_percent
from competition.pages.names import EntryName, spoken

NAMED_MAX = 3


@dataclass(frozen=True, slots=True)
class Lead:
    headline: str
    meaning: str


def lead_of(
    board: Sequence[StandingRow],
    names: Mapping[str, EntryName],
    rules: Rules,
    week: int,
    by_lot: Sequence[str],
    *,
    is_over: bool = False,
) -> Lead:
    """`board` is in order of rank after `week` weeks; `by_lot` are the slugs of entries that draw their weights."""
    ranked = [row for row in board if row.rank is not None]
    if not ranked:
        return Lead("Nobody finished first" if is_over else "Nobody leads yet", _nobody(rules, week))
    leaders = [row for row in ranked if row.rank == 1]
    who = listed([spoken(names[row.entry]) for row in leaders])
    verb = "finished first" if is_over else "lead" if len(leaders) > 1 else "leads"
    headline = f"{who} {verb} after {_weeks(week)} with {signed_percent(leaders[0].net_return).text}"
    sentences = [_against_benchmark(leaders, names, rules), _little(week), _luck(ranked, names, by_lot)]
    return Lead(headline, " ".join(filter(None, sentences)))


def extremes_of(board: Sequence[StandingRow], names: Mapping[str, EntryName], rules: Rules) -> str:
    """The equity chart in one sentence: who is highest and lowest of a start at 100, and where the benchmark is."""
    if not board:
        return "Nobody has entered."
    shown = {row.entry: money(row.value / rules.capital * 100, 1) for row in board}
    values = [shown[row.entry] for row in sorted(board, key=lambda row: row.value)]
    lowest, highest = values[0], values[-1]
    if lowest == highest:
        return f"All stand at {highest}."
    top, bottom = (_at(value, shown, names) for value in (highest, lowest))
    sentence = f"Highest {'are' if values.count(highest) > 1 else 'is'} {top}, lowest {bottom}"
    if rules.benchmark not in shown:
        return f"{sentence}."
    return f"{sentence}; the benchmark ({names[rules.benchmark].name}) at {shown[rules.benchmark]}."


def _at(value: str, shown: Mapping[str, str], names: Mapping[str, EntryName]) -> str:
    """Who is shown at a value, by name unless they are many."""
    slugs = sorted(slug for slug, text in shown.items() if text == value)
    who = listed([spoken(names[slug]) for slug in slugs]) if len(slugs) <= NAMED_MAX else f"{len(slugs)} entries"
    return f"{who} at {value}"


def _nobody(rules: Rules, week: int) -> str:
    if not week:
        return "No week has closed. Everyone starts with the same capital."
    if week < rules.ranked_after_cycles:
        return f"Ranks begin after week {rules.ranked_after_cycles}. Until then the order means nothing at all."
    return "Nobody has decided validly often enough to be ranked."


def _against_benchmark(leaders: Sequence[StandingRow], names: Mapping[str, EntryName], rules: Rules) -> str:
    excess = leaders[0].excess_return
    if excess is None or rules.benchmark not in names:
        return ""
    benchmark = names[rules.benchmark].name
    if any(row.entry == rules.benchmark for row in leaders):
        return f"That is the benchmark itself ({benchmark}): nobody has beaten it."
    figure = points(abs(excess)).text.lstrip("+")
    sentence = f"That is {figure} points {'above' if excess >= 0 else 'below'} the benchmark ({benchmark})."
    return f"Without a single trade. {sentence}" if all(row.turnover == 0 for row in leaders) else sentence


def _little(week: int) -> str:
    return f"It says little: {_weeks(week)} in one market cannot tell skill from luck."


def _luck(ranked: Sequence[StandingRow], names: Mapping[str, EntryName], by_lot: Sequence[str]) -> str:
    for row in ranked:
        if row.entry in by_lot and row.rank == 1:
            return "The weights of the leader are drawn by lot."
        if row.entry in by_lot and row.rank is not None:
            place = f"{ordinal(row.rank)} of {len(ranked)}"
            return f"{spoken(names[row.entry])}, whose weights are drawn by lot, is {place}."
    return ""


def _weeks(count: int) -> str:
    return f"{count} week" if count == 1 else f"{count} weeks"
