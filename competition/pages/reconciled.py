"""What the status page tells of the account on the exchange: the last look at it, and what did not agree."""

from dataclasses import dataclass
from datetime import datetime

from competition.pages.figures import Moment, moment, relative
from competition.pages.text import detail, line
from portfolio.exchange_models import Reconciliation

FINDINGS_MAX = 10


@dataclass(frozen=True, slots=True)
class ReconciledStatus:
    """The last look. `verdict` sums up; `told` are the first of what did not agree; `trouble` is for the headline."""

    at: Moment
    age: str
    verdict: str
    told: tuple[str, ...]
    trouble: str


def last_look(now: datetime) -> ReconciledStatus | None:
    """The last look at the account; None where nothing ever traded there. One query."""
    row = Reconciliation.objects.defer("lines").order_by("-id").first()
    if row is None:
        return None
    return ReconciledStatus(
        at=moment(row.at),
        age=relative(row.at, now),
        verdict=detail(row.verdict),
        told=tuple(line(f"{kind} {subject}: {sentence}") for kind, subject, sentence in row.findings[:FINDINGS_MAX]),
        trouble=_trouble(row),
    )


def _trouble(row: Reconciliation) -> str:
    if row.trouble:
        return "The account on the exchange could not be looked at."
    return f"The account on the exchange has {row.differences} from the record." if row.findings_count else ""
