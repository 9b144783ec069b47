"""A stranger takes the facts away as files and computes the site's figures again, without its database."""

import csv
import io
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from agents.models import Call
from competition.models import Standing, Turn
from competition.pages import exports
from competition.pages.csv_rows import csv_blocks
from portfolio.models import Fill, Order, Posting, Valuation
from tests.api.asking import V1, data, error, get
from tests.pages.asked import Asked
from tests.pages.seasons import Played

VERIFIER = Path(__file__).resolve().parents[2] / "docs" / "verify_ledger.py"
ROWS: dict[str, Any] = {
    "standings": lambda: Standing.objects.filter(entry__season__slug="played"),
    "equity": lambda: Valuation.objects.filter(portfolio__entry__season__slug="played"),
    "decisions": lambda: Turn.objects.filter(entry__season__slug="played"),
    "orders": lambda: Order.objects.filter(portfolio__entry__season__slug="played"),
    "fills": lambda: Fill.objects.filter(order__portfolio__entry__season__slug="played"),
    "postings": lambda: Posting.objects.filter(portfolio__entry__season__slug="played"),
}


def text(path: str, season: str = "played") -> str:
    response = get(f"seasons/{season}/export/{path}")
    assert response.status_code == 200, (path, response.status_code)
    assert isinstance(response, StreamingHttpResponse)
    return b"".join(response).decode()


def table(name: str, season: str = "played", query: str = "") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(f"{name}.csv{query}", season), newline="")))


def objects(name: str, season: str = "played", query: str = "") -> list[dict[str, Any]]:
    return [json.loads(line) for line in text(f"{name}.ndjson{query}", season).splitlines()]


@pytest.mark.parametrize("name", ROWS)
def test_every_fact_of_a_season_is_in_both_files(played: Played, name: str) -> None:
    assert len(table(name)) == len(objects(name)) == ROWS[name]().count() > 0


def test_a_reader_computes_every_balance_again_from_the_postings(played: Played) -> None:
    books: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in table("postings"):
        if row["account"] == "entry":
            books[row["entry"]][row["asset"]] += Decimal(row["amount"])
    assert len(books) == played.season.entries.count()
    for slug in ("swinger", "btc-hold", "all-cash"):
        held = data(f"portfolio/positions?season=played&entry={slug}")["items"]
        assert {asset: amount for asset, amount in books[slug].items() if amount} == {
            row["asset"]: Decimal(row["quantity"]) for row in held
        }


def verified(postings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, VERIFIER], input=postings, capture_output=True, text=True, check=False)


def test_the_published_verifier_finds_the_head_that_the_site_shows(played: Played) -> None:
    said = verified(text("postings.ndjson"))
    assert said.stdout.splitlines()[-1].endswith(data("seasons/played/export")["ledger"]["sha256"]), said.stderr


def test_the_verifier_names_the_journal_that_was_changed_afterwards(played: Played) -> None:
    postings = text("postings.ndjson?entry=swinger")
    changed = verified(postings.replace('"reason":"start capital"', '"reason":"a gift"'))
    assert (changed.returncode, changed.stderr.strip()[:12]) == (1, "journal 1 of")
    lost = verified("".join(postings.splitlines(keepends=True)[2:]))
    assert "is missing" in lost.stderr


def test_fills_add_up_to_what_decisions_say_was_traded(played: Played) -> None:
    traded: defaultdict[str, Decimal] = defaultdict(Decimal)
    for fill in objects("fills", query="?entry=swinger"):
        traded[fill["cycle"]] += Decimal(fill["quote_amount"])
    said = {row["cycle"]: Decimal(row["traded"]) for row in objects("decisions", query="?entry=swinger")}
    assert {cycle: amount for cycle, amount in said.items() if amount} == dict(traded)


def test_the_file_of_one_entry_has_that_entry_alone(played: Played) -> None:
    for name in ROWS:
        assert {row["entry"] for row in objects(name, query="?entry=swinger")} == {"swinger"}


def test_calls_come_with_reply_tokens_and_cost_and_nothing_else(asked: Asked) -> None:
    rows = {row["call"]: row for row in objects("calls", "asked")}
    for call in Call.objects.filter(attempt__brief__turn__entry__season__slug="asked"):
        row = rows.pop(call.pk)
        assert (row["reply"], row["prompt_tokens"]) == (call.reply, call.prompt_tokens)
        assert Decimal(row["usd"]) == call.usd
        assert not {"messages", "parameters", "usage_raw", "provider_request_id"} & row.keys()
    assert rows == {}


def test_pieces_of_any_length_make_the_same_file(played: Played) -> None:
    whole = text("postings.ndjson?entry=swinger")
    postings = replace(exports.TABLES["postings"], rows_at_once=7)
    entry = [played.season.entries.get(slug="swinger")]
    with CaptureQueriesContext(connection) as asked_for:
        pieces = "".join(exports.ndjson_chunks(postings, entry))
    assert pieces == whole
    assert len(asked_for) == whole.count("\n") // 7 + 1
    assert all("LIMIT 7" in query["sql"] for query in asked_for)


def test_nothing_is_read_before_the_reader_reads(played: Played) -> None:
    entry = [played.season.entries.get(slug="swinger")]
    with CaptureQueriesContext(connection) as asked_for:
        chunks: Iterator[str] = exports.csv_chunks(exports.TABLES["fills"], entry)
        assert next(chunks).startswith("entry,cycle,order,venue")
        assert len(asked_for) == 0


def test_text_is_no_formula_in_csv_and_verbatim_in_ndjson_and_numbers_stay_numbers(played: Played) -> None:
    (written,) = csv_blocks([["=1+1", "+1", "-1", "@x", "\tx", "plain", Decimal("-1.50"), None, -3, True]])
    assert written == "'=1+1,'+1,'-1,'@x,'\tx,plain,-1.5,,-3,true\r\n"
    assert any(row["amount"].startswith("-") for row in table("postings"))
    said = [row["rationale"] for row in objects("decisions", query="?entry=vandal")]
    assert any("<script>" in (rationale or "") for rationale in said)


def test_a_file_is_saved_under_a_name_that_says_what_it_is(played: Played) -> None:
    whole, one = (get(f"seasons/played/export/fills.{end}") for end in ("csv", "ndjson?entry=swinger"))
    assert whole["Content-Disposition"] == 'attachment; filename="played-fills.csv"'
    assert one["Content-Disposition"] == 'attachment; filename="played-swinger-fills.ndjson"'
    assert (whole["Content-Type"], one["Content-Type"]) == tuple(exports.FORMATS.values())
    head = Client().head(f"{V1}seasons/played/export/fills.csv")
    assert (head.status_code, b"".join(head)) == (200, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nope/export", 404),
        ("nope/export/fills.csv", 404),
        ("played/export?entry=nobody", 404),
        ("played/export/fills.csv?entry=nobody", 404),
        ("played/export/secrets.csv", 422),
        ("played/export/fills.xlsx", 422),
        ("played/export/fills.csv?sesaon=x", 422),
    ],
)
def test_what_there_is_no_file_of_is_refused_with_the_reason(played: Played, path: str, status: int) -> None:
    assert error(f"seasons/{path}", status)


def test_files_count_against_the_same_limit_as_every_read(played: Played, settings: Settings) -> None:
    settings.API_READS_PER_MINUTE = 0
    assert error("seasons/played/export/fills.csv", 429)["type"] == "too_many_requests"


def test_the_list_of_files_leads_to_every_file(played: Played) -> None:
    for line in data("seasons/played/export?entry=swinger")["tables"]:
        head = text(f"{line['name']}.csv?entry=swinger").splitlines()[0]
        assert head.split(",") == line["columns"]
        assert Client().get(line["ndjson"]).status_code == 200
