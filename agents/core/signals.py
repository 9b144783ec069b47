"""How an agent decides over many candles: the contract between those who decide and whoever plays them a past market.

A market is `Mapping[symbol, Columns]`, all on one axis of n candles (`market.core.columns.aligned`). Candle i is known
once it has closed. An agent is asked at some candles, all of them or one a day, and what it wants at candle i depends
on candles 0..i alone. There are two ways to write one:

`ArrayAgent` says all it wants in one array operation. It is handed the whole market, so that it does not look
ahead is for `manage.py lookahead_check` to find out.

`CalledAgent` is called candle by candle with a `View`, which has nothing to show of what came later.

What either wants are weights, as in a reply: 0..1, at most 1 in sum, the rest stays in quote. No decision, a hold, is
a row of NaN or None. Weights are wishes in floats; what becomes of one is decided by the engine, in decimals.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from market.core.columns import Columns

type Market = Mapping[str, Columns]
type Floats = NDArray[np.float64]
type Asked = NDArray[np.bool_]

NEVER = -1


@runtime_checkable
class ArrayAgent(Protocol):
    def weights(self, market: Market, asked: Asked) -> Floats:
        """Target weights of shape (n, k), k symbols in the order of `market`; a row of NaN is no decision.

        `asked`, of shape (n,), is True at the candles at which the agent is asked. Other rows are ignored.
        """
        ...


@runtime_checkable
class CalledAgent(Protocol):
    def figures(self, market: Market) -> Mapping[str, Floats]:
        """What is computed once, of shape (n,) each, to be read by name and index through the view; {} for nothing."""
        ...

    def decide(self, index: int, view: "View") -> Mapping[str, float] | None:
        """Target weights at candle `index`, the newest that the view shows; None is no decision.

        Called once for each candle asked at, in their order. A symbol that is not named gets nothing.
        """
        ...


class LookedAhead(LookupError):
    """An agent wanted to see a candle that had not closed when it was asked."""


@dataclass(frozen=True, slots=True)
class View:
    """A market up to one candle. No attribute, argument or array of it leads to a later one.

    Python hides nothing from whoever digs in closures: what that brings, `manage.py lookahead_check` brings to light.

    `columns(symbol)` are the candles up to and with the newest, as arrays that stay as they are when the view moves on.
    `figure(name, index)` is one number of a figure, NaN while it is warming up; an index behind the newest candle or
    below zero raises `LookedAhead`. `asked_before()` is the candle at which the agent was asked last, `NEVER` at first.
    """

    symbols: tuple[str, ...]
    columns: Callable[[str], Columns]
    figure: Callable[[str, int], float]
    asked_before: Callable[[], int]


def showing(market: Market, figures: Mapping[str, Floats]) -> tuple[View, Callable[[int], None]]:
    """A view, and what moves it on to a later candle. Only the first goes to the agent.

    Moving on costs next to nothing; candles are copied into the view when they are asked for, each of them once.
    """
    newest, before = NEVER, NEVER
    numbers = {name: figure.tolist() for name, figure in figures.items()}
    shown = {name: _Shown(columns) for name, columns in market.items()}

    def move_to(index: int) -> None:
        nonlocal newest, before
        if index <= newest:
            raise ValueError(f"a view moves on, and candle {index} does not come after {newest}")
        before, newest = newest, index

    def columns(symbol: str) -> Columns:
        return shown[symbol].up_to(newest)

    def figure(name: str, index: int) -> float:
        if 0 <= index <= newest:
            return numbers[name][index]  # type: ignore[no-any-return]  # a float, by the shape of a figure
        raise LookedAhead(f"{name} at candle {index}: the newest closed is {newest}")

    return View(tuple(market), columns, figure, lambda: before), move_to


class _Shown:
    """A copy of a series that grows as far as it was shown. Behind that it holds zeros, whatever is done to it."""

    def __init__(self, columns: Columns) -> None:
        self._source = columns
        self._arrays = [np.zeros_like(column) for column in columns.all()]
        self._length = 0

    def up_to(self, index: int) -> Columns:
        fresh = slice(self._length, index + 1)
        for array, column in zip(self._arrays, self._source.all(), strict=True):
            array[fresh] = column[fresh]
        self._length = index + 1
        cut = [array[: index + 1] for array in self._arrays]
        for array in cut:
            array.setflags(write=False)
        return Columns(*cut)  # type: ignore[arg-type]  # in the order of the fields
