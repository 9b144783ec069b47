"""Every fact of a season as files, CSV and NDJSON: whole, exact, and streamed with the memory of a few hundred rows."""

from typing import Any, Literal

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router
from pydantic import Field

from competition.api.answers import answers, reads
from competition.api.envelope import Part, Provenance, Sha256, Success
from competition.api.freshness import CACHE_CONTROL
from competition.api.sources import of_board
from competition.api.wishes import MaybeSlug, Slug, Wish, optional
from competition.pages.entries import entry_named
from competition.pages.exports import CHUNKS, FORMATS, TABLES, export_links
from competition.pages.frame import season_named
from competition.pages.names import entries_of
from competition.pages.progress import progress_of
from competition.pages.trails import heads_of

router = Router(tags=["Exports"])

TableName = Literal["standings", "equity", "decisions", "orders", "fills", "postings", "calls"]
FormatName = Literal["csv", "ndjson"]
_MEDIA = {
    "text/csv": {"schema": {"type": "string"}},
    "application/x-ndjson": {"schema": {"type": "string"}},
}


class TablePart(Part):
    name: str
    what: str
    columns: tuple[str, ...]
    csv: str = Field(description="address of the file on this site")
    ndjson: str = Field(description="address of the file on this site")


class Ledger(Part):
    """One hash over the chains of all portfolios; docs/verify_ledger.py computes it again from postings.ndjson."""

    portfolios: int
    journals: int
    sha256: Sha256


class Export(Part):
    provenance: Provenance
    ledger: Ledger
    tables: tuple[TablePart, ...]


class ExportWish(Wish):
    entry: MaybeSlug = optional(description="only of this entry")


@router.get(
    "/seasons/{slug}/export",
    response=reads(Success[Export]),
    operation_id="export",
    summary="Files there are of a season",
)
def export(request: HttpRequest, slug: Slug, wish: Query[ExportWish]) -> Any:
    """Which files there are of a season, and the head of its ledger to hold them against."""
    season = season_named(slug)
    entry = entry_named(season, wish.entry).slug if wish.entry else ""
    (head,) = heads_of([season])
    return Success[Export](
        data=Export(
            provenance=of_board(season, progress_of(season)),
            ledger=Ledger(portfolios=head.portfolios, journals=head.journals, sha256=head.sha256),
            tables=tuple(
                TablePart(
                    name=link.name,
                    what=link.what,
                    columns=("entry", *TABLES[link.name].columns),
                    csv=link.csv,
                    ndjson=link.ndjson,
                )
                for link in export_links(season.slug, entry)
            ),
        )
    )


@router.get(
    "/seasons/{slug}/export/{table}.{form}",
    response=answers(None, 404),
    operation_id="export_file",
    summary="One table of a season as a file",
    openapi_extra={"responses": {200: {"content": _MEDIA}}},
)
def export_file(request: HttpRequest, slug: Slug, table: TableName, form: FormatName, wish: Query[ExportWish]) -> Any:
    """One table of a season, or of one entry in it, as a file; rows are in the order in which they were written.

    In CSV, text that a spreadsheet would take for a formula has an apostrophe before it; NDJSON has it verbatim.
    """
    season = season_named(slug)
    entries = [entry_named(season, wish.entry)] if wish.entry else entries_of(season)
    name = "-".join(filter(None, [season.slug, wish.entry, table]))
    return StreamingHttpResponse(
        CHUNKS[form](TABLES[table], entries),
        content_type=FORMATS[form],
        headers={"Content-Disposition": f'attachment; filename="{name}.{form}"', "Cache-Control": CACHE_CONTROL},
    )
