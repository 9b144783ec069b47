"""How an entry behaves over the weeks: what it trades, keeps in cash and costs, and what went wrong."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from agents.models import AttemptOutcome
from competition.core.paired import overlap
from competition.core.states import TurnState
from competition.models import Entry, Turn
from competition.pages.figures import NOTHING, money, percent
from competition.pages.holdings import PricedBook
from competition.pages.text import line
from competition.pages.words import VERDICT_MARKS, Traded
from portfolio.core.decisions import VALID_VERDICTS
from portfolio.core.orders import Side
from portfolio.models import Fill, Portfolio
from portfolio.prepared import Given, Prepared

WEEKS_NAMED_MAX = 12
_ATTEMPTS = "brief__attempts"
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Flow:
    """What the fills of one cycle moved: by side and symbol in quote, and into (+) or out of (-) the cash."""

    traded: Traded
    cash: Decimal


@dataclass(frozen=True, slots=True)
class Week:
    """One turn as far as behaviour goes. `repairs` are the times it was asked again because a reply was no use."""

    number: int
    state: str
    verdict: str
    rules: tuple[str, ...]
    traded: Decimal
    value_before: Decimal | None
    value_after: Decimal | None
    attempts: int
    repairs: int
    unanswered: int
    usd: Decimal
    confidence: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Trait:
    """One figure of how it behaves, with what it is measured against or over."""

    label: str
    text: str
    note: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """One way in which decisions failed; `weeks` are the newest of them, `more` how many others there are."""

    what: str
    count: int
    weeks: tuple[int, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Failures:
    """`sentence` sums up what was due and what counted."""

    sentence: str
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True)
class Behaviour:
    traits: tuple[Trait, ...]
    failures: Failures


def _flows() -> QuerySet[Fill, tuple[Any, ...]]:
    moved = Fill.objects.filter(order__portfolio=Given("portfolio"))
    fee = Sum("fee", filter=Q(fee_asset=Given("quote")))
    sums = moved.values_list("order__cycle_number", "order__side", "symbol").annotate(
        amount=Sum("quote_amount"), fee=fee
    )
    return sums.order_by()


def _weeks() -> QuerySet[Turn, tuple[Any, ...]]:
    lost = [AttemptOutcome.NO_ANSWER, AttemptOutcome.LATE]
    told = ("cycle__number", "state", "verdict", "violations", "decision__confidence")
    turns = Turn.objects.filter(entry=Given("entry")).values_list(*told, "traded", "value_before", "value_after")
    asked = turns.annotate(
        attempts=Count(_ATTEMPTS),
        repairs=Count(_ATTEMPTS, filter=~Q(**{f"{_ATTEMPTS}__objections": []})),
        unanswered=Count(_ATTEMPTS, filter=Q(**{f"{_ATTEMPTS}__outcome__in": lost})),
        usd=Sum(f"{_ATTEMPTS}__cost_usd", default=_ZERO),
    )
    return asked.order_by("cycle__number")


_FLOWS, _WEEKS = Prepared(_flows), Prepared(_weeks)


def flows_of(portfolio: Portfolio) -> dict[int, Flow]:
    """What moved in each cycle with fills, by its number: one query."""
    traded: defaultdict[int, dict[tuple[str, str], Decimal]] = defaultdict(dict)
    cash: defaultdict[int, Decimal] = defaultdict(Decimal)
    for cycle, side, symbol, amount, fee in _FLOWS.rows(portfolio=portfolio.id, quote=portfolio.quote):
        traded[cycle][side, symbol] = amount
        cash[cycle] += (amount if side == Side.SELL else -amount) - (fee or _ZERO)
    return {cycle: Flow(traded[cycle], cash[cycle]) for cycle in traded}


def weeks_of(entry: Entry) -> tuple[Week, ...]:
    """Every turn of an entry with what asking for it took, oldest first: one query."""
    return tuple(
        Week(
            *(number, state, verdict, tuple(line(str(broken["rule"])) for broken in violations), *rest),
            *([] if confidence is None else [Decimal(confidence)]),
        )
        for number, state, verdict, violations, confidence, *rest in _WEEKS.rows(entry=entry.id)
    )


def behaviour_of(
    weeks: Sequence[Week], flows: Mapping[int, Flow], book: PricedBook, others: PricedBook, capital: Decimal
) -> Behaviour:
    """What the weeks come to, and what `book` holds now; `others` is the books of all others, as if they were one."""
    traits = (
        *(_turnover(weeks), _cash(weeks, flows, book, capital), _spread(book), _herding(book, others)),
        *(_calibration(weeks), _cost(weeks)),
    )
    return Behaviour(tuple(filter(None, traits)), _failures(weeks))


def _turnover(weeks: Sequence[Week]) -> Trait | None:
    """Bought and sold per week, as a share of what the portfolio was worth before."""
    shares = [week.traded / week.value_before for week in weeks if week.value_before]
    if not shares:
        return None
    active = sum(1 for share in shares if share)
    return Trait("Trades", f"{percent(_mean(shares))} of its value a week", f"in {active:,} of {len(shares):,} weeks")


def _cash(weeks: Sequence[Week], flows: Mapping[int, Flow], book: PricedBook, capital: Decimal) -> Trait | None:
    """Cash after each week is the start capital and everything that fills took from it or brought."""
    cash, shares = capital, list[Decimal]()
    for week in weeks:
        cash += flows[week.number].cash if week.number in flows else _ZERO
        if week.value_after:
            shares.append(cash / week.value_after)
    now = 1 - sum(book.weights().values(), _ZERO)
    note = f"{percent(_mean(shares), 0)} on average over {len(shares):,} weeks" if shares else ""
    return Trait("Keeps in cash", f"{percent(now)} now", note)


def _spread(book: PricedBook) -> Trait | None:
    """The largest holding, and as how many equal ones all of them count: one over the sum of the squared shares."""
    weights = book.weights()
    invested = sum(weights.values(), _ZERO)
    if not invested:
        return None
    largest = max(weights, key=lambda asset: weights[asset])
    equal = 1 / sum(((weight / invested) ** 2 for weight in weights.values()), _ZERO)
    spread = f"spread as over {equal:.1f} equal ones"
    return Trait("Largest holding", f"{line(largest)} {percent(weights[largest])}", spread)


def _herding(book: PricedBook, others: PricedBook) -> Trait | None:
    """How much of the book is what the others hold, cash being one more thing to hold."""
    if not book.values() or not others.values():
        return None
    shared = overlap(book.weights_with_cash(), others.weights_with_cash())
    return Trait("Goes with the others", f"{percent(shared, 0)} of its book", "is as all others together hold it")


def _calibration(weeks: Sequence[Week]) -> Trait | None:
    """What it said of how sure it was, and how often its book was then worth more a week later."""
    sure = [(week, later) for week, later in pairwise(weeks) if week.confidence is not None]
    after = [later.value_before > week.value_after for week, later in sure if later.value_before and week.value_after]
    stated = [week.confidence for week in weeks if week.confidence is not None]
    if not stated:
        return None
    rose = f"its book rose in {sum(after):,} of the {len(after):,} weeks that followed" if after else ""
    return Trait("Says it is sure", f"{percent(_mean(stated), 0)} on average", rose)


def _cost(weeks: Sequence[Week]) -> Trait | None:
    asked = [week for week in weeks if week.attempts]
    if not asked or not any(week.usd for week in asked):
        return None
    dearest = max(asked, key=lambda week: week.usd)
    mean = _mean([week.usd for week in asked])
    return Trait("Costs", f"{usd(mean)} USD a week", f"at most {usd(dearest.usd)}, in week {dearest.number:,}")


def usd(amount: Decimal) -> str:
    """An amount of AI cost: most weeks cost cents or less, so four places; nothing is a dash."""
    return money(amount, 4) if amount else NOTHING


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, _ZERO) / len(values)


def _failures(weeks: Sequence[Week]) -> Failures:
    decided = [week for week in weeks if week.verdict]
    found: defaultdict[str, list[int]] = defaultdict(list)
    for week in decided:
        for what in _what_failed(week):
            found[what].append(week.number)
    valid = sum(week.verdict in VALID_VERDICTS for week in decided)
    sentence = f"{valid:,} of {len(decided):,} decisions counted." if decided else "Nothing was due yet."
    return Failures(sentence, tuple(_trouble(what, numbers) for what, numbers in found.items()))


def _what_failed(week: Week) -> list[str]:
    """Each kind of trouble once, however often it came in that week."""
    found = []
    if week.verdict not in VALID_VERDICTS:
        found.append(VERDICT_MARKS[week.verdict][0])
    found += [f"Broke the rule “{rule.replace('_', ' ')}”" for rule in dict.fromkeys(week.rules)]
    if week.state == TurnState.QUARANTINED:
        found.append("Set aside, the ledger did not add up")
    if week.unanswered:
        found.append("Asked without an answer in time")
    if week.repairs:
        repaired = week.verdict in VALID_VERDICTS
        found.append("Repaired after being asked again" if repaired else "Asked again in vain")
    return found


def _trouble(what: str, numbers: Sequence[int]) -> Trouble:
    newest = tuple(reversed(numbers))[:WEEKS_NAMED_MAX]
    return Trouble(what, len(numbers), newest, len(numbers) - len(newest))
