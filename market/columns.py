"""A series as arrays: read from the database in one go, and kept as a file that is mapped instead of read again.

The web process imports neither this nor NumPy. A file is named after its series and holds one version of
it. It is written under another name and renamed when it is whole, so that nobody sees half of one; what is found is
believed only if version, length and hash agree. Else the database answers, and the file is written anew.
"""

import hashlib
import logging
import mmap
import os
import re
import struct
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection
from numpy.typing import NDArray

from market.core.candles import TIMEFRAME_S
from market.core.columns import Columns
from market.models import SeriesVersion

logger = logging.getLogger(__name__)

_MAGIC = b"OOCOLS01"
_HEADER = struct.Struct("<8s16sQ32s")  # magic, version, number of candles, SHA-256 of all before it and all after
_HASH_BYTES = hashlib.sha256().digest_size
_KINDS = ("<i8", "<f8", "<f8", "<f8", "<f8", "<f8")
_CANDLE_BYTES = 8 * len(_KINDS)
_LEFT_BEHIND_S = 3600

# PostgreSQL's binary COPY: a head, then of its only row the number of fields and each field behind its length, a tail.
# An array in it has a head of 20 bytes (one dimension, no NULL) and each element behind its length.
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8) + struct.pack(">h", 1 + len(_KINDS))
_COPY_TAIL = b"\xff\xff"
_ARRAY_HEAD_BYTES = 20
_NULL = -1
_POSTGRES_EPOCH_US = 946_684_800_000_000  # its timestamps are microseconds since 2000

# One statement, so that candles and version are of the same instant whatever commits meanwhile. One row of arrays,
# because a million rows take four times as long on the way.
_COPY = """
COPY (
    SELECT
        (SELECT version FROM market_seriesversion WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s),
        array_agg(open_at), array_agg(open::float8), array_agg(high::float8), array_agg(low::float8),
        array_agg(close::float8), array_agg(volume::float8)
    FROM (
        SELECT * FROM market_candle WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s ORDER BY open_at
    ) AS candles
) TO STDOUT (FORMAT BINARY)
"""


def candle_columns(symbol: str, timeframe: str) -> Columns:
    """All stored candles of a series as they are now; empty arrays when there are none.

    From its file under DATA if that is of the version now stored, else from the database. A file that cannot be read
    or written costs time and a warning, never the answer. `ValueError` for a name that no symbol or timeframe has.
    """
    path = columns_file(symbol, timeframe)
    now = SeriesVersion.objects.filter(symbol=symbol, timeframe=timeframe).values_list("version", flat=True).first()
    if now and (found := _kept_if_possible(path, now)) is not None:
        return found
    version, columns = _read(symbol, timeframe)
    if version:
        try:
            keep(path, version, columns)
        except OSError as error:
            logger.warning("The columns of %s %s are not kept in %s: %s", symbol, timeframe, path, error)
    return columns


def columns_file(symbol: str, timeframe: str) -> Path:
    """Where the columns of a series are kept."""
    if timeframe not in TIMEFRAME_S or not re.fullmatch("[A-Z0-9]{1,20}", symbol):
        raise ValueError(f"{symbol!r} {timeframe!r} is not the name of a series, such as BTCUSDT 1h")
    return Path(settings.DATA) / "columns" / f"{symbol}-{timeframe}"


def _read(symbol: str, timeframe: str) -> tuple[UUID | None, Columns]:
    with connection.cursor() as cursor, cursor.copy(_COPY, {"symbol": symbol, "timeframe": timeframe}) as copy:
        version, *arrays = _fields(b"".join(copy))
    opened, *numbers = (_array(field, kind) for field, kind in zip(arrays, (">i8", *[">f8"] * 5), strict=True))
    open_ms = (opened.astype(np.int64) + _POSTGRES_EPOCH_US) // 1000
    columns = Columns(open_ms, *(column.astype(np.float64) for column in numbers))
    for column in columns.all():
        column.setflags(write=False)
    return (UUID(bytes=version) if version and len(columns) else None), columns


def _fields(data: bytes) -> list[bytes | None]:
    """The fields of the one row of a binary COPY; None for NULL."""
    if not data.startswith(_COPY_HEAD) or not data.endswith(_COPY_TAIL):
        raise ValueError("PostgreSQL sent candles in a form that is not known here")
    fields: list[bytes | None] = []
    at = len(_COPY_HEAD)
    while at < len(data) - len(_COPY_TAIL):
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        fields.append(None if length == _NULL else data[at : at + length])
        at += max(length, 0)
    return fields


def _array(field: bytes | None, kind: str) -> NDArray[Any]:
    if field is None:
        return np.empty(0, kind)
    return np.frombuffer(field, np.dtype([("bytes", ">i4"), ("value", kind)]), offset=_ARRAY_HEAD_BYTES)["value"]


def keep(path: Path, version: UUID, columns: Columns) -> None:
    """Put these columns into the file, whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_what_was_left_behind(path.parent)
    arrays = [column.astype(kind, copy=False).tobytes() for column, kind in zip(columns.all(), _KINDS, strict=True)]
    unsigned = _HEADER.pack(_MAGIC, version.bytes, len(columns), b"")[:-_HASH_BYTES]
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".part")
    try:
        with open(descriptor, "wb") as file:
            file.write(unsigned + _hash(unsigned, *arrays))
            file.writelines(arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _remove_what_was_left_behind(folder: Path) -> None:
    """A process that is killed while it writes leaves its part; nobody writes for an hour."""
    for part in folder.glob("*.part"):
        try:
            if part.stat().st_mtime < time.time() - _LEFT_BEHIND_S:
                part.unlink()
        except FileNotFoundError:
            continue  # another process renamed or removed it


def _kept_if_possible(path: Path, version: UUID) -> Columns | None:
    try:
        return kept(path, version)
    except OSError as error:
        logger.warning("The kept columns in %s cannot be read: %s", path, error)
        return None


def kept(path: Path, version: UUID) -> Columns | None:
    """The columns in the file, mapped, if they are whole and of this version; else None. Raises OSError."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < _HEADER.size:
                return None
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        return None
    magic, of_version, count, digest = _HEADER.unpack_from(mapped)
    if magic != _MAGIC or of_version != version.bytes or len(mapped) != _HEADER.size + count * _CANDLE_BYTES:
        return None
    content = memoryview(mapped)
    if _hash(content[: _HEADER.size - _HASH_BYTES], content[_HEADER.size :]) != digest:
        logger.warning("The kept columns in %s are damaged; the database is read instead", path)
        return None
    starts = (_HEADER.size + 8 * count * n for n in range(len(_KINDS)))
    return Columns(*(np.frombuffer(mapped, kind, count, start) for kind, start in zip(_KINDS, starts, strict=True)))


def _hash(*parts: bytes | memoryview) -> bytes:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.digest()
