"""The exchange as a process of its own: prints its address once it listens, and runs until it is killed.

Key and secret of the account come from the environment, as for the one who trades there.
"""

import argparse
import json
import os
import time
from pathlib import Path

from tests.venue.exchange import KEY, SECRET, Venue
from tests.venue.market import price_of_the_minute
from tests.venue.seasons import prices_of
from tests.venue.server import server_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.venue", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any that is free")
    parser.add_argument("--state", type=Path, help="file in which it keeps orders and balances across its own death")
    parser.add_argument("--season", type=Path, help="the rules of a season; its prices are those of that market")
    asked = parser.parse_args()
    price_at = prices_of(json.loads(asked.season.read_text())) if asked.season else price_of_the_minute
    venue = Venue(lambda: int(time.time() * 1000), asked.state, price_at)
    key, secret = os.environ.get("BINANCE_API_KEY") or KEY, os.environ.get("BINANCE_API_SECRET") or SECRET
    if key not in venue.state.accounts:
        account = venue.state.accounts.pop(KEY)
        account.secret = secret
        venue.state.accounts[key] = account
    server = server_of(venue, asked.port)
    print(venue.url, flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main()
