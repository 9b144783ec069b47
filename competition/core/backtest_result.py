"""What a backtest leaves behind, and how it is packed. No array library: the pages read this.

Curves are packed as little-endian instants and values, orders and decisions as JSON; both compressed. Packing the same
result gives the same bytes.
"""

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

POINTS_MAX = 4_000  # of a kept curve
TRADES_KEPT = 20_000
DECISIONS_KEPT = 2_000
_POINT_BYTES = struct.calcsize("<qd")


@dataclass(frozen=True, slots=True)
class Curve:
    """Values in quote at `at_ms`, milliseconds since 1970; of equal length, instants rising."""

    at_ms: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Trade:
    """One executed order, amounts as exact decimal text: quantity in base, the rest in quote."""

    at: str
    symbol: str
    side: str
    quantity: str
    price: str
    quote_amount: str
    fee: str


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One decision: what it was at the candle that closed `as_of`, and what became of it.

    `weights` and `traded` (in quote) are decimal text. `brief` is what was shown, for agents that are shown one.
    """

    as_of: str
    verdict: str
    reason: str
    weights: Mapping[str, str]
    rationale: str
    orders: int
    traded: str
    skipped: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    brief: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AgentResult:
    """What one agent came to. `trades` and `decisions` are the first of so many."""

    agent: str
    name: str
    number: int
    metrics: Mapping[str, Any]
    curve: Curve
    trades_count: int
    trades: Sequence[Trade]
    decisions_count: int
    decisions: Sequence[DecisionLine]
    postings_sha256: str


def packed_curve(curve: Curve) -> bytes:
    """The curve as bytes, for `unpacked_curve`."""
    count = len(curve.at_ms)
    return zlib.compress(struct.pack(f"<{count}q{count}d", *curve.at_ms, *curve.values))


def unpacked_curve(packed: bytes) -> Curve:
    """The curve that was packed."""
    content = zlib.decompress(packed)
    count = len(content) // _POINT_BYTES
    numbers = struct.unpack(f"<{count}q{count}d", content)
    return Curve(numbers[:count], numbers[count:])


def packed_lines(lines: Sequence[Trade] | Sequence[DecisionLine]) -> bytes:
    """Trades or decisions as bytes, for `unpacked_trades` and `unpacked_decisions`."""
    return zlib.compress(json.dumps([asdict(line) for line in lines], separators=(",", ":")).encode())


def unpacked_trades(packed: bytes) -> list[Trade]:
    """The trades that were packed."""
    return [Trade(**line) for line in json.loads(zlib.decompress(packed))]


def unpacked_decisions(packed: bytes) -> list[DecisionLine]:
    """The decisions that were packed."""
    return [DecisionLine(**line) for line in json.loads(zlib.decompress(packed))]
