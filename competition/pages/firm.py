"""The page of a firm in one week: six roles, what each handed on, where they disagree, and what risk took out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.urls import reverse

from agents.models import AgentKind, Attempt, AttemptOutcome, Call
from competition.models import Season, Turn
from competition.pages import text
from competition.pages.called import LONG_FIELDS, CallLine, call_lines, exact_usd, is_simulated, role_word, seconds
from competition.pages.cycles import NUMBER_MAX
from competition.pages.figures import NOTHING, Moment, moment
from competition.pages.firm_hands import Handed, StanceLine, WeightLine, handed_on, stance_lines, weight_lines
from competition.pages.frame import Link, NotThere
from competition.pages.latest import traded_by_portfolio
from competition.pages.minutes import ANALYSTS, ROLES, Minutes, as_text, minutes_of
from competition.pages.names import EntryName, name_of
from competition.pages.turns import OUTCOME_MARKS
from competition.pages.words import Deed, Mark, deed_of

LINKS_MAX = 12
# (word, shape, tone) by the status a firm's record gives a role
STATUS_MARKS: Mapping[str, tuple[str, str, str]] = {
    "used": ("Answered", "diamond", "acted"),
    "unusable": ("Not usable", "cross", "failed"),
    "no answer": ("No answer", "ring", "failed"),
    "not asked": ("Not asked", "bar", "calm"),
}
_NO_RECORD = ("No record", "bar", "calm")


@dataclass(frozen=True, slots=True)
class RoleCard:
    """One role in the graph, and below it what it handed on."""

    role: str
    title: str
    mark: Mark
    why: str
    objected: str
    models: tuple[str, ...]
    is_simulated: bool
    prompt: str
    took: str
    tokens: str
    usd: str
    calls: tuple[CallLine, ...]
    handed: Handed
    is_missing: bool


@dataclass(frozen=True, slots=True)
class AttemptLink:
    number: int
    mark: Mark
    href: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class FirmPage:
    """`cards` and what follows are empty when nobody has been asked; `raw` is a record that could not be read.

    `uncalled` are the roles of which there is no call, each with the reason.
    """

    season: str
    week: int
    entry: EntryName
    deed: Deed
    attempts: tuple[AttemptLink, ...]
    attempt: int | None
    at: Moment | None
    mark: Mark | None
    reason: str
    truncated: bool
    quorum: str
    facts: tuple[tuple[str, str], ...]
    cards: tuple[RoleCard, ...]
    uncalled: tuple[tuple[str, str], ...]
    analysts: tuple[str, ...]
    stances: tuple[StanceLine, ...]
    weights: tuple[WeightLine, ...]
    ruling: str
    calls: tuple[CallLine, ...]
    raw: str


def firm_page(season: Season, slug: str, number: int, wanted: str) -> FirmPage:
    """Everything on record of a firm's week: four queries. `wanted` is the attempt asked for, empty for the best.

    Raises `NotThere` for what is no firm, was not asked in that week, or has no such attempt.
    """
    turn = _turn(season, slug, number)
    attempts = list(turn.brief.attempts.order_by("number"))
    shown = _shown(attempts, wanted)
    calls = list(shown.calls.defer(*LONG_FIELDS).order_by("position")) if shown else []
    minutes = minutes_of(shown.deliberation) if shown else None
    quote = season.rule_book.quote
    portfolio_id = turn.entry.portfolio_id
    traded = traded_by_portfolio([portfolio_id], number).get(portfolio_id, {})
    record = minutes or Minutes()
    cards, uncalled = roles_of(shown, calls) if shown else ((), ())
    return FirmPage(
        season=season.slug,
        week=number,
        entry=name_of(turn.entry),
        deed=deed_of(turn, traded, quote),
        attempts=_links(season, slug, number, attempts, shown),
        attempt=shown.number if shown else None,
        at=moment(shown.started_at) if shown else None,
        mark=Mark(*OUTCOME_MARKS[shown.outcome]) if shown else None,
        reason=text.line(shown.reason) if shown else "",
        truncated=shown.truncated if shown else False,
        quorum=_quorum(minutes),
        facts=_facts(calls),
        cards=cards,
        uncalled=uncalled,
        analysts=tuple(role_word(role) for role in ANALYSTS),
        stances=stance_lines(record),
        weights=weight_lines(record, turn.brief.content, quote),
        ruling=text.line(record.ruling.ruling) if record.ruling else "",
        calls=call_lines(calls),
        raw=as_text(shown.deliberation) if shown and shown.deliberation is not None and minutes is None else "",
    )


def roles_of(attempt: Attempt, calls: Sequence[Call]) -> tuple[tuple[RoleCard, ...], tuple[tuple[str, str], ...]]:
    """The six roles of an attempt with these calls, and those of which there is no call, each with the reason."""
    record = minutes_of(attempt.deliberation) or Minutes()
    cards = tuple(_card(role, record, calls) for role in ROLES)
    return cards, tuple(
        (card.title, _why_uncalled(card, attempt).removesuffix(".")) for card in cards if not card.calls
    )


def _turn(season: Season, slug: str, number: int) -> Turn:
    firm = {"entry__slug": slug, "entry__agent__kind": AgentKind.FIRM, "cycle__season": season}
    rows = Turn.objects.filter(**firm).select_related("cycle", "entry__agent", "brief")
    turn = rows.filter(cycle__number=number).first() if number <= NUMBER_MAX else None
    if turn is not None:
        return turn
    weeks = rows.order_by("-cycle__number").values_list("cycle__number", flat=True)[:LINKS_MAX]
    links = [Link(reverse("firm", args=[season.slug, slug, week]), f"Week {week}") for week in weeks]
    raise NotThere("There is no firm of this name that was asked in this week.", links)


def _shown(attempts: Sequence[Attempt], wanted: str) -> Attempt | None:
    """The attempt asked for; else the newest that was answered, else the newest."""
    if wanted:
        found = [attempt for attempt in attempts if str(attempt.number) == wanted]
        if not found:
            raise NotThere("There is no such attempt in this week.")
        return found[0]
    answered = [attempt for attempt in attempts if attempt.outcome == AttemptOutcome.ANSWERED]
    return next(reversed(answered or attempts), None)


def _links(
    season: Season, slug: str, number: int, attempts: Sequence[Attempt], shown: Attempt | None
) -> tuple[AttemptLink, ...]:
    address = reverse("firm", args=[season.slug, slug, number])
    return tuple(
        AttemptLink(
            attempt.number,
            Mark(*OUTCOME_MARKS[attempt.outcome]),
            f"{address}?attempt={attempt.number}",
            attempt is shown,
        )
        for attempt in attempts
    )


def _quorum(minutes: Minutes | None) -> str:
    if minutes is None:
        return ""
    return f"{minutes.analysts_used} of {len(ANALYSTS)} analysts were usable; the quorum is {minutes.quorum}."


def _facts(calls: Sequence[Call]) -> tuple[tuple[str, str], ...]:
    if not calls:
        return ()
    begun = min(call.started_at for call in calls)
    ended = max(call.started_at + timedelta(milliseconds=call.latency_ms) for call in calls)
    one_by_one = sum(call.latency_ms for call in calls)
    return (
        ("From first call to last", seconds(round((ended - begun) / timedelta(milliseconds=1)))),
        ("All calls one after another", seconds(one_by_one)),
        ("Calls", f"{len(calls)}, {sum(bool(call.error_class) for call in calls)} failed"),
        ("Tokens charged", f"{sum(call.tokens_charged for call in calls):,}"),
        ("Cost", f"{exact_usd(_usd(calls))} USD"),
    )


def _card(role: str, minutes: Minutes, calls: Iterable[Call]) -> RoleCard:
    record, own = minutes.role(role), [call for call in calls if call.role == role]
    models = tuple(dict.fromkeys(call.requested_model for call in own))
    return RoleCard(
        role=role,
        title=role_word(role),
        mark=Mark(*STATUS_MARKS.get(record.status, _NO_RECORD)),
        why=text.detail(record.why),
        objected=text.detail(record.objected),
        models=tuple(text.line(model) for model in models),
        is_simulated=any(is_simulated(model) for model in models),
        prompt=text.line(record.prompt),
        took=seconds(sum(call.latency_ms for call in own)) if own else NOTHING,
        tokens=_tokens(own),
        usd=f"{exact_usd(_usd(own))} USD" if own else NOTHING,
        calls=call_lines(own),
        handed=handed_on(role, minutes),
        is_missing=record.status != "used",
    )


def _why_uncalled(card: RoleCard, attempt: Attempt) -> str:
    if attempt.outcome == AttemptOutcome.PENDING:
        return "its turn has not come, or its call is not over"
    of_attempt = text.line(attempt.reason)
    if card.mark.word == "Not asked":
        return f"not asked: {card.why or of_attempt or 'those before it left it nothing to go on'}"
    if card.why:
        return card.why
    if card.is_missing:
        return f"nothing of it is on record: {of_attempt or 'the runner told nothing of it'}"
    return "it answered, and the runner told of no call"


def _usd(calls: Iterable[Call]) -> Decimal:
    return sum((call.usd for call in calls), Decimal(0))


def _tokens(calls: Sequence[Call]) -> str:
    """Tokens sent and received over all tries that reported any."""
    said = [call for call in calls if call.prompt_tokens is not None and call.completion_tokens is not None]
    if not said:
        return "tokens not reported"
    sent, received = sum(call.prompt_tokens or 0 for call in said), sum(call.completion_tokens or 0 for call in said)
    return f"{sent:,} → {received:,} tokens"
