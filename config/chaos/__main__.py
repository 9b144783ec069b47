"""`python -m config.chaos PLAN RESULT`: plays the plan in one file and writes what came out to the other."""

import json
import os
import sys
from pathlib import Path

import django

from config.chaos.crew import commands


def main(plan_file: Path, result_file: Path) -> None:
    asked = json.loads(plan_file.read_text())
    data = Path(asked["data"])
    processes = commands(os.environ, asked.pop("port"), data)
    os.environ["EXCHANGE_DOUBLE"] = processes["executor"].environ["EXCHANGE_DOUBLE"]  # we look at its account as well
    django.setup()
    from config.chaos.play import NotUp, Plan, play

    try:
        result = play(Plan(**{**asked, "data": data}), processes)
    except NotUp as why:
        sys.exit(str(why))
    told = {
        "seed": result.seed,
        "started_at": result.started_at.isoformat(),
        "ended_at": result.ended_at.isoformat(),
        "counts": dict(result.counts),
        "faults": dict(result.faults),
        "findings": list(result.findings),
    }
    result_file.write_text(json.dumps(told))


if __name__ == "__main__":
    main(*(Path(name) for name in sys.argv[1:]))
