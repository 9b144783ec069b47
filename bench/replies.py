"""How many replies are read per second, beside a parser that mends; and, as `fuzz`, what 50,000 mangled ones do.

    bench/replies.py                   throughput, and how many decisions are made of replies that were broken
    bench/replies.py fuzz [N] [SEED]   crashes, and decisions that a second, independent reading does not find

Rates are by CPU time, so that a busy machine does not change them. The peer is json-repair with pydantic, in an
environment of its own that lasts as long as the run.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from agents.core.reply import parse_reply
from bench._mangled import fuzz, never, valid, wrapped

REPLIES, ROUNDS, FUZZED = 1000, 15, 50_000
PEER = ("json-repair==0.64.4", f"pydantic=={version('pydantic')}")


def corpus() -> list[tuple[str, bool]]:
    """Replies as they come: four in five sound, most of those wrapped; and whether each is sound."""
    dice = random.Random(1)  # noqa: S311 - the same every time
    long = json.dumps("The trend holds and the funding rate is calm, so I keep what I have. " * 6)
    replies = []
    for n in range(REPLIES):
        sound = n % 5 > 0
        text = wrapped(valid(dice), dice) if sound else never(dice)
        replies.append((text.replace('"rise"', long), sound))
    return replies


def ours(replies: list[tuple[str, bool]]) -> dict[str, float]:
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        decisions = [parse_reply(text).decision for text, _ in replies]
        rates.append(len(replies) / (time.process_time() - started))
    return {"replies_per_s": round(statistics.median(rates)), **tally(replies, [d is not None for d in decisions])}


def tally(replies: list[tuple[str, bool]], accepted: list[bool]) -> dict[str, int]:
    pairs = [(sound, made) for (_, sound), made in zip(replies, accepted, strict=True)]
    return {
        "sound_replies_refused": sum(sound and not made for sound, made in pairs),
        "broken_replies_accepted": sum(made and not sound for sound, made in pairs),
    }


PEER_SCRIPT = """
import json, statistics, sys, time
from typing import Literal
from json_repair import loads
from pydantic import BaseModel

class Reply(BaseModel):
    action: Literal["hold", "rebalance"]
    allocations: dict[str, float] | None = None
    confidence: float | None = None
    rationale: str = ""

def read(text):
    try:
        Reply.model_validate(loads(text))
    except (ValueError, RecursionError):
        return False
    return True

texts, rates = json.load(open(sys.argv[1])), []
for _ in range(int(sys.argv[2])):
    started = time.process_time()
    accepted = [read(text) for text in texts]
    rates.append(len(texts) / (time.process_time() - started))
print(json.dumps({"rate": round(statistics.median(rates)), "accepted": accepted}))
"""


def peers(replies: list[tuple[str, bool]]) -> dict[str, dict[str, float]]:
    """The peer over the same replies; nothing when its packages cannot be had."""
    with tempfile.TemporaryDirectory(prefix="oo-bench-", dir="/tmp") as folder:
        python, texts = Path(folder, "env", "bin", "python"), Path(folder, "texts.json")
        texts.write_text(json.dumps([text for text, _ in replies]))
        try:
            subprocess.run([sys.executable, "-m", "venv", folder + "/env"], check=True, capture_output=True)
            subprocess.run([python, "-m", "pip", "install", "-q", *PEER], check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            print(f"no peer: {str(error.stderr).strip().splitlines()[-1:]}")
            return {}
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [python, "-c", PEER_SCRIPT, texts, "5"], check=True, capture_output=True, text=True, env=clean
        )
    said = json.loads(done.stdout)
    return {f"{PEER[0]} + pydantic": {"replies_per_s": said["rate"], **tally(replies, said["accepted"])}}


def main() -> None:
    replies = corpus()
    found, others = ours(replies), peers(replies)
    for name, figures in {"ours": found, **others}.items():
        print(f"{name}: {figures}")
    ratio = {name: round(found["replies_per_s"] / other["replies_per_s"], 1) for name, other in others.items()}
    print(json.dumps({"name": "replies", "ours": found, "peers": others, "ratio": ratio}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["fuzz"]:
        count, seed = [*map(int, sys.argv[2:4]), *(FUZZED, 1)[len(sys.argv[2:4]) :]]
        print(json.dumps({"name": "replies-fuzz", "ours": fuzz(count, seed), "peers": {}, "ratio": {}}))
    else:
        main()
