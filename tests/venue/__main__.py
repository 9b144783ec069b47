"""The exchange as a process of its own: prints its address once it listens, and runs until it is killed."""

import argparse
import time
from pathlib import Path

from tests.venue.exchange import KEY, SECRET, Venue
from tests.venue.server import server_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.venue", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any that is free")
    parser.add_argument("--state", type=Path, help="file in which it keeps orders and balances across its own death")
    parser.add_argument("--key", default=KEY, help="API key of the account")
    parser.add_argument("--secret", default=SECRET, help="its secret")
    asked = parser.parse_args()
    venue = Venue(lambda: int(time.time() * 1000), asked.state)
    if asked.key not in venue.state.accounts:
        account = venue.state.accounts.pop(KEY)
        account.secret = asked.secret
        venue.state.accounts[asked.key] = account
    server = server_of(venue, asked.port)
    print(venue.url, flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main()
