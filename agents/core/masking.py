"""A brief without its dates and names, so that a model cannot recognise the past it is tested on.

What is hidden: instants, the market's source, names of symbols, levels of prices, traded volume, and the steps of
quantities, which tell a level. Each symbol's present price is 100, its other prices and what is held of it are told in
the units that go with that, so that quantity times price is the same value. Changes and closes keep four digits: enough
to decide by, too few for whoever knows prices by heart. A model that knows the shape of a whole year might still know
it again; nothing can hide that.

The quote asset, the limits, the costs and the portfolio's value are what they are.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from agents.core.answers import Answer, Decided, NoAnswer
from agents.core.brief import Brief
from agents.core.reply import parse_reply
from market.core.canonical import plain, sha256_of
from portfolio.core.decisions import Violation

LEVEL = Decimal(100)
NOT_SHOWN = "no candle that is fresh"
_FOUR_DIGITS = Context(prec=4, rounding=ROUND_HALF_EVEN)
_TEN_DIGITS = Context(prec=10, rounding=ROUND_HALF_EVEN)
_PRICES = ("price", "high_24h", "low_24h")
_FRACTIONS = ("change_1d", "change_7d", "change_28d", "volatility_28d")


@dataclass(frozen=True, slots=True)
class Mask:
    """What each symbol is called behind the mask: `COIN1USDT` and so on, in an order that says nothing."""

    names: Mapping[str, str]
    quote: str

    def brief(self, brief: Brief) -> Brief:
        """The brief behind the mask, with a hash of its own. Named fields only, so that nothing else gets through."""
        shown, market = brief.content, brief.content["market"]
        levels = {name: LEVEL / Decimal(row["price"]) for name, row in market["symbols"].items()}
        content = {
            **{name: shown[name] for name in ("version", "cycle", "cycles", "you", "rules", "leaderboard")},
            "market": {
                "symbols": self._renamed({n: _row(row, levels[n]) for n, row in market["symbols"].items()}),
                "missing": self._renamed(dict.fromkeys(market["missing"], NOT_SHOWN)),
                "off": [*market["off"], "dates", "names", "traded volume", "quantity steps"],
            },
            "portfolio": {
                **{name: shown["portfolio"][name] for name in ("value", "cash", "cash_weight")},
                "holdings": self._renamed(
                    {n: _holding(row, levels[n]) for n, row in shown["portfolio"]["holdings"].items()}
                ),
            },
        }
        return Brief(content, sha256_of(content))

    def objections(self, objections: Sequence[Violation]) -> tuple[Violation, ...]:
        """What was wrong, in the names that the agent was shown."""
        return tuple(replace(one, detail=self._told(one.detail)) for one in objections)

    def answer(self, answer: Answer | NoAnswer) -> Answer | Decided | NoAnswer:
        """What was said, about the symbols that were meant. A name the agent was not shown stands for no symbol."""
        if not isinstance(answer, Answer) or answer.truncated:
            return answer
        decision = parse_reply(answer.text).decision
        if decision is None:
            return answer
        meant = {shown: name for name, shown in self.names.items()} | {self.quote: self.quote}
        weights = {meant.get(name, f"not shown: {name}"): weight for name, weight in decision.weights.items()}
        return Decided(replace(decision, weights=weights))

    def _renamed(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        return dict(sorted((self.names[name], row) for name, row in rows.items()))

    def _told(self, text: str) -> str:
        """Longer names first, so that no name is taken for the beginning of another."""
        for name in sorted(self.names, key=len, reverse=True):
            text = re.sub(re.escape(name), self.names[name], text)
        return text


def mask_of(symbols: Sequence[str], quote: str, salt: str) -> Mask:
    """A mask for these symbols; the same symbols and salt have the same one."""
    drawn = sorted(symbols, key=lambda name: hashlib.sha256(f"{salt}/{name}".encode()).hexdigest())
    return Mask({name: f"COIN{number}{quote}" for number, name in enumerate(drawn, start=1)}, quote)


def _row(row: Mapping[str, Any], level: Decimal) -> dict[str, Any]:
    return {
        **{name: _scaled(row[name], level, _FOUR_DIGITS) for name in _PRICES},
        **{name: None if row[name] is None else _places(row[name]) for name in _FRACTIONS},
        "closes_1d": [_scaled(close, level, _FOUR_DIGITS) for close in row["closes_1d"]],
        "min_notional": row["min_notional"],
        **dict.fromkeys(("step", "priced_at", "volume_24h")),
    }


def _holding(row: Mapping[str, Any], level: Decimal) -> dict[str, Any]:
    return {**{name: row[name] for name in ("value", "weight")}, "quantity": _scaled(row["quantity"], 1 / level)}


def _scaled(number: str, factor: Decimal, digits: Context = _TEN_DIGITS) -> str:
    return plain(digits.create_decimal(Decimal(number) * factor))


def _places(fraction: str) -> str:
    return plain(Decimal(fraction).quantize(Decimal("0.0001"), rounding=ROUND_HALF_EVEN))
