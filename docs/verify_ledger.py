"""Computes the head of a season's ledger again, from its postings alone and with nothing but Python.

    curl -s http://127.0.0.1:8000/api/v1/seasons/demo-finished/export/postings.ndjson | python3 verify_ledger.py

Every journal must sum to zero in each asset, and its hash must follow from its content and the hash before it. What is
printed is the book of every entry, to hold against the site, and the head over all chains, to hold against the one that
the site shows or that somebody noted. Exits with 1 and the first thing that does not add up.
"""

import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal, localcontext
from itertools import groupby
from typing import Any

GENESIS = "0" * 64  # the hash before the first journal
Row = dict[str, Any]


def sha256_of(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def head_of(postings: list[Row]) -> str:
    """The hash of the last journal of one portfolio; raises `ValueError` at the first that is not as it must be."""
    head, expected = GENESIS, 1
    ordered = sorted(postings, key=lambda row: (row["sequence"], row["position"]))
    for sequence, rows in groupby(ordered, key=lambda row: row["sequence"]):
        journal = list(rows)
        if sequence != expected:
            raise ValueError(f"journal {expected} of {journal[0]['portfolio']} is missing")
        head, expected = checked_hash(head, journal), sequence + 1
    return head


def checked_hash(previous: str, journal: list[Row]) -> str:
    first, sums = journal[0], defaultdict(Decimal)
    for row in journal:
        sums[row["asset"]] += Decimal(row["amount"])
    if any(sums.values()):
        raise ValueError(f"journal {first['sequence']} of {first['portfolio']} does not sum to zero")
    content = {name: first[name] for name in ("kind", "at", "reason")} | {"key": first["journal"]}
    content["postings"] = [[row["account"], row["asset"], row["amount"]] for row in journal]
    found = sha256_of([previous, content])
    if found != first["journal_sha256"]:
        raise ValueError(f"journal {first['sequence']} of {first['portfolio']} is not what was hashed")
    return found


def book_of(postings: list[Row]) -> dict[str, Decimal]:
    book: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in postings:
        if row["account"] == "entry":
            book[row["asset"]] += Decimal(row["amount"])
    return {asset: amount for asset, amount in sorted(book.items()) if amount}


def main(lines: Iterable[str]) -> None:
    portfolios: defaultdict[str, list[Row]] = defaultdict(list)
    for row in map(json.loads, lines):
        portfolios[row["portfolio"]].append(row)
    heads = []
    for key, postings in sorted(portfolios.items()):
        heads.append([key, head_of(postings)])
        holds = ", ".join(f"{amount:f} {asset}" for asset, amount in book_of(postings).items())
        sys.stdout.write(f"{postings[0]['entry']}: {holds}\n")
    sys.stdout.write(f"head of {len(heads)} portfolios: {sha256_of(heads)}\n")


if __name__ == "__main__":
    with localcontext(prec=60):  # more digits than a ledger has
        try:
            main(sys.stdin)
        except ValueError as wrong:
            sys.exit(str(wrong))
