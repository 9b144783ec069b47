"""What an account of the exchange holds, and how that compares with what our portfolios hold of it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from market.core.exact import EXACT
from portfolio.core.venue_fields import Nonsense, amount_of, mapping_of, name_of


def balances_of(content: Any) -> Mapping[str, Decimal]:
    """Free and locked together by asset, zeros left out, from the answer about an account. Raises `Nonsense`."""
    rows = mapping_of(content, "an account").get("balances")
    if not isinstance(rows, list):
        raise Nonsense("an account without a list of balances")
    found: dict[str, Decimal] = {}
    for entry in rows:
        row = mapping_of(entry, "a balance")
        asset = name_of(row, "asset")
        if asset in found:
            raise Nonsense(f"{asset} is there twice")
        found[asset] = EXACT.add(amount_of(row, "free"), amount_of(row, "locked"))
    return {asset: amount for asset, amount in found.items() if amount}
