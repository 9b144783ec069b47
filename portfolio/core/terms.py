"""How the orders of a cycle are carried out at an exchange."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from market.core.symbols import Symbol
from portfolio.core.order_attempts import QUIET_S

VENUE = "testnet"
WINDOW_OVER = "the trade window had ended"


@dataclass(frozen=True, slots=True)
class Terms:
    """How orders of a cycle are carried out: none is sent after `deadline`.

    `slippage_bps` is how far from the reference price one may be executed; None for orders that only prove that they
    can be carried out, at whatever price. `symbols` are those of the season.
    """

    deadline: datetime
    symbols: Mapping[str, Symbol]
    slippage_bps: Decimal | None = None
    quiet_s: int = QUIET_S
