"""Randomized fault schedules on the production steps: orders executed twice or lost, over so many (500, or ARGS).

Each plays a short season on a real PostgreSQL, a made-up clock and a hostile exchange, with processes frozen and
killed, and compares our record with the exchange's own log. There is no peer: it is a figure to keep.
"""

import json
import logging
import os
import sys
import time


def main() -> None:
    from django.core.management import call_command

    import tests.conftest  # noqa: F401 - engines, settings
    from tests.databases import connected_to, database
    from tests.schedules.run import run_many

    logging.disable(logging.CRITICAL)
    first, number = (int(given) for given in (*sys.argv[1:], *("0", "500")[len(sys.argv) - 1 :]))
    template = f"schedules_{os.getpid()}"
    began = time.monotonic()
    with database(template):
        with connected_to(template):
            call_command("migrate", verbosity=0)
        counts = run_many(template, range(first, first + number))
    told = {"name": "schedules", "seconds": round(time.monotonic() - began), **counts}
    print(json.dumps({**told, "violations": counts["violations"]}))
    sys.exit(bool(counts["violations"]))


if __name__ == "__main__":
    main()
