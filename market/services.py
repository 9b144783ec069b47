"""Writes of the market: checked candle files into candles, snapshots into rows."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import batched, groupby
from operator import itemgetter
from pathlib import Path

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from market.core.candles import Series, from_ms
from market.core.canonical import canonical_json, plain
from market.core.klines import MAX_DECIMALS, MAX_TEXT_BYTES, KlineFileError, joined, parse_klines
from market.core.outages import Gap, gaps_in, is_known_outage
from market.core.snapshot import Snapshot
from market.core.symbols import UnknownSymbol
from market.models import StoredSnapshot
from market.queries import listed_symbols

CHANGES_SHOWN = 5
_GAPS_SHOWN = 10
_LINES_PER_BLOCK = 10_000
_NUMBERS = ("close", "open", "high", "low", "volume")


@dataclass(frozen=True, slots=True)
class CheckedCandles:
    """A series fit to be stored, with its holes: those of known outages and those accepted by hand."""

    series: Series
    known_outages: tuple[Gap, ...]
    accepted_gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A candle that was stored with other numbers: `column` is the close if that differs, else the first that does."""

    symbol: str
    timeframe: str
    open_at: datetime
    column: str
    old: Decimal
    new: Decimal

    def __str__(self) -> str:
        at = f"{self.open_at:%Y-%m-%d %H:%M} UTC"
        return f"{self.symbol} {self.timeframe} {at}: {self.column} {plain(self.old)} → {plain(self.new)}"


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """How many candles of a series were not there before, were there with other numbers (the first), or alike."""

    new: int
    changed: int
    unchanged: int
    changes: tuple[Change, ...] = ()


class CandleFilesError(ValueError):
    """Files that cannot be imported; `problems` has one text for each file or series at fault."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class StoredOtherwiseError(ValueError):
    """Candles that are stored with other numbers and were not to be replaced; the message gives the first few."""

    def __init__(self, counts: Sequence[StoreCounts]) -> None:
        changed = sum(count.changed for count in counts)
        candles = "1 candle is" if changed == 1 else f"{changed} candles are"
        lines = [f"{candles} stored already, with other numbers:"]
        lines += [f"  {change}" for count in counts for change in count.changes][:CHANGES_SHOWN]
        if changed > CHANGES_SHOWN:
            lines.append(f"  and {changed - CHANGES_SHOWN} more")
        lines.append("If the new numbers are the right ones, add --replace.")
        super().__init__("\n".join(lines))


class UnexplainedGapsError(ValueError):
    """A series with holes that no known outage explains; the message gives the first ten of `gaps`."""

    def __init__(self, series: Series, gaps: Sequence[Gap]) -> None:
        self.gaps = tuple(gaps)
        lines = [f"{series.symbol} {series.timeframe} has gaps that no known outage explains:"]
        lines += [f"  {gap} missing" for gap in gaps[:_GAPS_SHOWN]]
        if len(gaps) > _GAPS_SHOWN:
            lines.append(f"  and {len(gaps) - _GAPS_SHOWN} more")
        lines.append("  Give the files that fill them, or --accept-gaps if the exchange was really down.")
        super().__init__("\n".join(lines))


def read_candle_files(
    paths: Iterable[Path],
    as_of: datetime,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    accept_gaps: bool = False,
) -> list[CheckedCandles]:
    """Read and check every file and join those of one symbol and timeframe; nothing is written.

    Symbol and timeframe come from the file names, or are given. A last candle open at `as_of` is dropped.
    All that is wrong with any of the files is in one `CandleFilesError`.
    """
    problems: list[str] = []
    parts = [part for path in paths if (part := _part(path, as_of, symbol, timeframe, problems))]
    checked = [found for group in _by_market(parts) if (found := _checked(group, accept_gaps, problems))]
    if problems:
        raise CandleFilesError(problems)
    return checked


def _part(
    path: Path, as_of: datetime, symbol: str | None, timeframe: str | None, problems: list[str]
) -> tuple[str, Series] | None:
    try:
        return path.name, parse_klines(path.name, _content(path), as_of, symbol=symbol, timeframe=timeframe)
    except KlineFileError as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror or error}.")
    return None


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise IsADirectoryError(0, "it is a folder; give the files in it")
    if path.exists() and not path.is_file():
        raise OSError(0, "it is not a regular file")
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise OSError(0, f"it is larger than {MAX_TEXT_BYTES // 1024**2} MB; split it")
    return path.read_bytes()


def _by_market(parts: Iterable[tuple[str, Series]]) -> Iterator[list[tuple[str, Series]]]:
    def market(part: tuple[str, Series]) -> tuple[str, str]:
        return part[1].symbol, part[1].timeframe

    for _, group in groupby(sorted(parts, key=market), key=market):
        yield list(group)


def _checked(parts: Sequence[tuple[str, Series]], accept_gaps: bool, problems: list[str]) -> CheckedCandles | None:
    try:
        series = joined(parts)
        listed_symbols([series.symbol])
        gaps = gaps_in(series)
        unexplained = tuple(gap for gap in gaps if not is_known_outage(gap))
        if unexplained and not accept_gaps:
            raise UnexplainedGapsError(series, unexplained)
        return CheckedCandles(series, tuple(gap for gap in gaps if is_known_outage(gap)), unexplained)
    except (KlineFileError, UnexplainedGapsError) as error:
        problems.append(str(error))
    except UnknownSymbol as error:
        problems.append(f"{error} A symbol can be added in the admin, under listed symbols.")
    return None


def store_candles(
    all_series: Iterable[Series],
    *,
    replace: bool = False,
    progress: Callable[[list[Series]], Iterable[Series]] = iter,
) -> list[StoreCounts]:
    """Insert the candles of every series in one transaction; one count per series, in the order given.

    A candle already there with the same numbers is neither rewritten nor locked; one with others is corrected if
    `replace`, else `StoredOtherwiseError`. A number that the table would round (more than 18 decimals) or that is not
    finite raises `ValueError`. Whatever is raised, nothing is kept. `progress` goes through the series as they are
    stored: by name, so that two imports of the same series wait for each other and never in a ring.
    """
    given = list(all_series)
    order = sorted(range(len(given)), key=lambda n: (given[n].symbol, given[n].timeframe))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CREATE_TABLE)
        stored = [_store(cursor, series) for series in progress([given[n] for n in order])]
        counts = [count for _, count in sorted(zip(order, stored, strict=True), key=itemgetter(0))]
        if not replace and any(count.changed for count in counts):
            raise StoredOtherwiseError(counts)
        cursor.execute("DROP TABLE incoming_candle")
    return counts


def _store(cursor: CursorWrapper, series: Series) -> StoreCounts:
    if not len(series):
        return StoreCounts(0, 0, 0)
    market = {"symbol": series.symbol, "timeframe": series.timeframe}
    cursor.execute(_ONE_WRITER_A_SERIES, market)
    cursor.execute("TRUNCATE incoming_candle")
    with cursor.copy("COPY incoming_candle FROM STDIN") as copy:
        for block in batched(_copy_lines(series), _LINES_PER_BLOCK):
            copy.write("".join(block))
    cursor.execute(_COUNT_UNSTORABLE, {"most": MAX_DECIMALS})
    if unstorable := cursor.fetchone()[0]:
        raise ValueError(
            f"{series.symbol} {series.timeframe}: {unstorable} candles have a number that is not finite "
            f"or has more than {MAX_DECIMALS} decimals"
        )
    window = {"first": from_ms(series.open_ms[0]), "last": from_ms(series.open_ms[-1])}
    cursor.execute(_UPSERT, {**market, **window, "most": CHANGES_SHOWN})
    rows = cursor.fetchall()
    new, changed = rows[0][:2]
    changes = tuple(_change(series, *row[2:]) for row in rows[:changed])
    return StoreCounts(new, changed, len(series) - new - changed, changes)


def _change(series: Series, open_at: datetime, *numbers: Decimal) -> Change:
    """`numbers` are the five that are stored and then the five that come in, both in the order of `_NUMBERS`."""
    pairs = zip(_NUMBERS, numbers[: len(_NUMBERS)], numbers[len(_NUMBERS) :], strict=True)
    column, old, new = next((column, old, new) for column, old, new in pairs if old != new)
    return Change(series.symbol, series.timeframe, open_at, column, old, new)


def _copy_lines(series: Series) -> Iterator[str]:
    columns = (series.open_ms, series.opens, series.highs, series.lows, series.closes, series.volumes)
    return ("\t".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


_CREATE_TABLE = """
CREATE TEMPORARY TABLE incoming_candle (
    open_ms bigint, open numeric, high numeric, low numeric, close numeric, volume numeric
)
"""

# Held until the transaction ends. Whoever waited sees what the one before stored.
_ONE_WRITER_A_SERIES = "SELECT pg_advisory_xact_lock(hashtextextended('candles ' || %(symbol)s || %(timeframe)s, 0))"

# scale() of NaN and of infinity is NULL, so that these are counted too.
_COUNT_UNSTORABLE = """
SELECT count(*) FROM incoming_candle
WHERE (
    scale(open) <= %(most)s AND scale(high) <= %(most)s AND scale(low) <= %(most)s
    AND scale(close) <= %(most)s AND scale(volume) <= %(most)s
) IS NOT TRUE
"""

# What is new is inserted, what differs updated, the rest not touched: ON CONFLICT would lock every unchanged row and so
# write to its page, and takes 1.4 times as long for new ones. There is one writer a series, so nothing comes in
# between; should another program write here, the key refuses and nothing is kept. The join is an outer one, and the
# window is there, for a table without statistics: an inner join took minutes, a few candles a look at the whole series.
# The last columns are in the order of _NUMBERS.
_UPSERT = """
WITH incoming AS (
    SELECT timestamptz 'epoch' + open_ms * interval '1 millisecond' AS open_at, open, high, low, close, volume
    FROM incoming_candle
), differing AS MATERIALIZED (
    SELECT incoming.*, kept.open AS old_open, kept.high AS old_high, kept.low AS old_low, kept.close AS old_close,
        kept.volume AS old_volume
    FROM incoming LEFT JOIN market_candle AS kept
        ON kept.symbol = %(symbol)s AND kept.timeframe = %(timeframe)s AND kept.open_at = incoming.open_at
        AND kept.open_at BETWEEN %(first)s AND %(last)s
    WHERE (kept.open, kept.high, kept.low, kept.close, kept.volume)
        IS DISTINCT FROM (incoming.open, incoming.high, incoming.low, incoming.close, incoming.volume)
), inserted AS (
    INSERT INTO market_candle (symbol, timeframe, open_at, open, high, low, close, volume)
    SELECT %(symbol)s, %(timeframe)s, open_at, open, high, low, close, volume FROM differing WHERE old_close IS NULL
), updated AS (
    UPDATE market_candle AS kept
    SET open = new.open, high = new.high, low = new.low, close = new.close, volume = new.volume
    FROM differing AS new
    WHERE new.old_close IS NOT NULL
        AND kept.symbol = %(symbol)s AND kept.timeframe = %(timeframe)s AND kept.open_at = new.open_at
)
SELECT counted.*, first_changed.*
FROM (SELECT count(*) FILTER (WHERE old_close IS NULL), count(old_close) FROM differing) AS counted
LEFT JOIN (
    SELECT open_at, old_close, old_open, old_high, old_low, old_volume, close, open, high, low, volume
    FROM differing WHERE old_close IS NOT NULL ORDER BY open_at LIMIT %(most)s
) AS first_changed ON true
ORDER BY open_at
"""


def store_snapshot(snapshot: Snapshot) -> StoredSnapshot:
    """The row of this snapshot, made if there is none; two processes storing it at once get the same row."""
    stored, _ = StoredSnapshot.objects.get_or_create(
        sha256=snapshot.sha256,
        defaults={
            "as_of": snapshot.as_of,
            "source": snapshot.content["source"],
            "content": json.loads(canonical_json(snapshot.content)),
        },
    )
    return stored
