"""The facts of a season as tables for whoever wants to compute with them: each column says where it is read.

Rows are read by key, some hundred at a time and entry by entry: a file of any length takes the memory of one such
piece, no cursor and no transaction is held while a slow reader reads.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from agents.models import Call
from competition.models import Entry, Standing, Turn
from competition.pages.csv_rows import csv_blocks
from market.core.canonical import canonical_json
from portfolio.models import Fill, Order, Posting, Valuation

ROWS_AT_ONCE = 1000
FORMATS: Mapping[str, str] = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of fact. `columns` are read where their values say; `rows` are those of one entry."""

    what: str
    columns: Mapping[str, str]
    rows: Callable[[Entry], QuerySet[Any]]
    rows_at_once: int = ROWS_AT_ONCE


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


TABLES: Mapping[str, Table] = {
    "standings": Table(
        "The board after each closed cycle, earlier revisions included. Ratios are fractions.",
        {
            "cycle": "cycle__number",
            **_same("revision", "position", "rank", "unranked", "value", "net_return", "excess_return"),
            **_same("max_drawdown", "turnover", "fees", "ai_cost", "coverage", "due", "valid"),
        },
        lambda entry: Standing.objects.filter(entry=entry),
    ),
    "equity": Table(
        "What an entry was worth after each cycle, in the season's quote asset; cycle 0 is the start capital.",
        {"cycle": "cycle_number", **_same("revision", "at", "value")},
        lambda entry: Valuation.objects.filter(portfolio=entry.portfolio_id),
    ),
    "decisions": Table(
        "What each entry decided in each cycle, why by its own words, and what came of it.",
        {
            "cycle": "cycle__number",
            **_same("state", "verdict", "verdict_reason"),
            "weights": "decision__weights",
            "confidence": "decision__confidence",
            "rationale": "decision__rationale",
            **_same("violations", "decided_at", "value_before", "value_after", "traded", "fees", "trade_reason"),
            "settled_at": "settled_at",
            "brief_sha256": "brief__sha256",
        },
        lambda entry: Turn.objects.filter(entry=entry),
    ),
    "orders": Table(
        "Every order as it was written before it was sent, and how it ended.",
        {
            "cycle": "cycle_number",
            "order": "client_order_id",
            **_same("symbol", "side", "quantity", "reference_price", "state", "reason"),
        },
        lambda entry: Order.objects.filter(portfolio=entry.portfolio_id),
    ),
    "fills": Table(
        "What was executed of the orders, exactly as the venue said.",
        {
            "cycle": "order__cycle_number",
            "order": "order__client_order_id",
            **_same("venue", "trade_id", "symbol"),
            "side": "order__side",
            **_same("quantity", "price", "quote_amount", "fee", "fee_asset", "at"),
        },
        lambda entry: Fill.objects.filter(order__portfolio=entry.portfolio_id),
    ),
    "postings": Table(
        "The ledger: each amount into (+) or out of (-) an account. The sum of an entry's own account is its book.",
        {
            "portfolio": "portfolio__key",
            "sequence": "journal__sequence",
            "journal": "journal__key",
            "kind": "journal__kind",
            "at": "journal__at",
            "reason": "journal__reason",
            "journal_sha256": "journal__hash",
            **_same("position", "account", "asset", "amount"),
        },
        lambda entry: Posting.objects.filter(portfolio=entry.portfolio_id),
    ),
    "calls": Table(
        "Each try of one question to one model, with its tokens, its price and its reply. Text of models is data.",
        {
            "cycle": "attempt__brief__turn__cycle__number",
            "call": "id",
            "attempt": "attempt__number",
            **_same("position", "role", "number", "requested_model", "returned_model"),
            **_same("prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens"),
            **_same("charge", "tokens_charged", "usd", "started_at", "latency_ms", "finish_reason", "status"),
            **_same("error_class", "error_detail", "request_sha256", "reply_sha256", "reply"),
        },
        lambda entry: Call.objects.filter(attempt__brief__turn__entry=entry),
        rows_at_once=50,  # a reply may be long
    ),
}


def csv_chunks(table: Table, entries: Sequence[Entry]) -> Iterator[str]:
    """The table as CSV with a head, the slug of the entry first."""
    yield from csv_blocks([["entry", *table.columns]])
    yield from csv_blocks(_rows(table, entries))


def ndjson_chunks(table: Table, entries: Sequence[Entry]) -> Iterator[str]:
    """The table as one object of canonical JSON per line: amounts are exact text, what is absent is null."""
    names = ("entry", *table.columns)
    for row in _rows(table, entries):
        yield canonical_json(dict(zip(names, row, strict=True))) + "\n"


CHUNKS: Mapping[str, Callable[[Table, Sequence[Entry]], Iterator[str]]] = {"csv": csv_chunks, "ndjson": ndjson_chunks}


def _rows(table: Table, entries: Iterable[Entry]) -> Iterator[tuple[Any, ...]]:
    """Entry by entry in their order, each from its first row to its last: one query for every piece."""
    for entry in entries:
        found = table.rows(entry).order_by("pk").values_list("pk", *table.columns.values())
        last: int | None = 0
        while last is not None:
            piece = list(found.filter(pk__gt=last)[: table.rows_at_once])
            yield from ((entry.slug, *values) for _, *values in piece)
            last = piece[-1][0] if len(piece) == table.rows_at_once else None


@dataclass(frozen=True, slots=True)
class ExportLink:
    """One table as files to take away."""

    name: str
    what: str
    csv: str
    ndjson: str


def export_links(season_slug: str, entry_slug: str = "") -> tuple[ExportLink, ...]:
    """Where every table of a season is, or of one entry in it."""
    query = {"entry": entry_slug} if entry_slug else None
    return tuple(
        ExportLink(name, table.what, *(_address(season_slug, name, form, query) for form in FORMATS))
        for name, table in TABLES.items()
    )


def _address(season_slug: str, name: str, form: str, query: Mapping[str, str] | None) -> str:
    return reverse("api-v1:export_file", args=[season_slug, name, form], query=query)
