"""The brief: everything an agent is shown, as one hashed document. The market part is the same for all.

Rivals appear under neutral ids and with figures only; no free text of a rival ever reaches another agent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from market.core.canonical import plain, sha256_of
from market.core.indicators import rounded
from market.core.snapshot import Snapshot
from market.core.symbols import Symbol
from portfolio.core.book import Book, holdings_value

BRIEF_VERSION = 1


@dataclass(frozen=True, slots=True)
class BoardLine:
    """One rival (or oneself) on the last closed leaderboard: `rank` is None while unranked, `net_return` a fraction."""

    entry: str
    rank: int | None
    net_return: Decimal


class Place(NamedTuple):
    """Where in the season this brief stands, and who is asked, by neutral id."""

    cycle: int
    cycles: int
    entry: str


@dataclass(frozen=True, slots=True)
class Brief:
    """`content` is what is sent, stored and shown; `sha256` its hash."""

    content: Mapping[str, Any]
    sha256: str


def build_brief(
    place: Place,
    snapshot: Snapshot,
    book: Book,
    symbols: Mapping[str, Symbol],
    board: Sequence[BoardLine],
    rules: Mapping[str, Any],
) -> Brief:
    """Put together what one entry is shown in one cycle. `rules` is the season's summary of limits and costs."""
    content = {
        "version": BRIEF_VERSION,
        "cycle": place.cycle,
        "cycles": place.cycles,
        "you": place.entry,
        "rules": rules,
        "market": snapshot.content,
        "portfolio": portfolio_part(book, snapshot, symbols, rules["quote"]),
        "leaderboard": [
            {"entry": line.entry, "rank": line.rank, "net_return": plain(line.net_return)} for line in board
        ],
    }
    return Brief(content, sha256_of(content))


def portfolio_part(book: Book, snapshot: Snapshot, symbols: Mapping[str, Symbol], quote: str) -> dict[str, Any]:
    """The entry's own book at the snapshot's prices; raises `MissingPrice` when a held asset has none."""
    values = holdings_value(book, snapshot.prices, symbols, quote)
    cash = book.of(quote)
    total = cash + sum(values.values(), Decimal(0))

    def weight(value: Decimal) -> str:
        return plain(rounded(value / total)) if total else "0"

    return {
        "value": plain(total),
        "cash": plain(cash),
        "cash_weight": weight(cash),
        "holdings": {
            name: {
                "quantity": plain(book.of(symbols[name].base)),
                "value": plain(value),
                "weight": weight(value),
            }
            for name, value in values.items()
        },
    }
