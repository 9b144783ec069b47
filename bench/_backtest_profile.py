"""Where the CPU time of a work of the backtest benchmark goes: `make bench-_backtest_profile`, or one work by name.

The timer of the process' own CPU seconds rings every thousandth of one, and whatever code of the product is innermost
then is counted, with what it calls of Python and NumPy. Nothing is slowed down call by call, so that many small ones do
not look dearer than they are.
"""

import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from _backtest_ours import agent_of, in_django, play, stage_of

ROOT = str(Path(__file__).resolve().parent.parent) + os.sep
OURS = ("agents/", "competition/", "market/", "portfolio/")
EVERY_S, FOR_S = 0.001, 6.0
FUNCTIONS, LEAST = 14, 0.01
WORKS = ("weekly", "arrays", "called")


def profile(work: str, folder: str) -> tuple[Counter[tuple[str, str]], int, float]:
    """Samples by (file, function), how often it was played, and the CPU seconds of one time."""
    stage, agent = stage_of(work, folder), agent_of(work)
    play(work, stage, agent)
    found: Counter[tuple[str, str]] = Counter()

    def rings(signum: int, frame: FrameType | None) -> None:
        while frame is not None:
            path = frame.f_code.co_filename.removeprefix(ROOT)
            if path.startswith(OURS):
                found[path, frame.f_code.co_name] += 1
                return
            frame = frame.f_back

    signal.signal(signal.SIGPROF, rings)
    began, times = time.process_time(), 0
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    while time.process_time() - began < FOR_S:
        play(work, stage, agent)
        times += 1
    signal.setitimer(signal.ITIMER_PROF, 0)
    return found, times, (time.process_time() - began) / times


def told(work: str, found: Counter[tuple[str, str]], times: int, cpu_s: float) -> str:
    """Shares by file, and of the functions that take most."""
    every = found.total()
    files: Counter[str] = Counter()
    for (path, _), samples in found.items():
        files[path] += samples
    lines = [f"{work}: {cpu_s:.4f} s CPU, played {times} times, {every} samples"]
    lines += [f"{samples / every:7.1%}  {path}" for path, samples in files.most_common() if samples > LEAST * every]
    lines += ["", "of these, by function:"]
    lines += [f"{samples / every:7.1%}  {name} ({path})" for (path, name), samples in found.most_common(FUNCTIONS)]
    return "\n".join(lines)


def main(works: list[str]) -> None:
    in_django()
    from backtest import walk

    with tempfile.TemporaryDirectory(prefix="oo-bench-") as folder:
        walk(folder)
        for work in works or WORKS:
            print(told(work, *profile(work, folder)), end="\n\n")


if __name__ == "__main__":
    main(sys.argv[1:])
