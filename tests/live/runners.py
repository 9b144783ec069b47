"""Runners as processes of their own, and questions to put to them over real HTTP."""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil

from agents.core.answers import Answer, NoAnswer, Question
from agents.core.brief import Brief
from agents.core.pricing import ModelCard, Worst
from agents.runner_client import runners_at
from tests.live.servers import free_port, until_answers
from tests.notation import content
from tests.support_engines import until

ROOT = Path(__file__).resolve().parent.parent.parent
GRANIAN = (sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws", "--workers-kill-timeout", "2")
PLANTED_KEY = "planted-key-of-no-known-shape"
PLENTY = Worst(tokens=10_000_000, usd=Decimal(1_000))

# In its third cycle offline/latecomer is on time with a seed of 1, and never answers with one of 3.
BRIEF = Brief(
    content("BTC change_7d 0.1, BTC change_28d 0.2, ETH change_7d 0.2, ETH change_28d 0.1", cycle=3), "0" * 64
)


@dataclass
class Runner:
    """A running runner: granian, its worker, and the worker's zygote."""

    url: str
    process: subprocess.Popen[bytes]

    def processes(self, words: str) -> list[psutil.Process]:
        """Those of its processes whose command line ends so."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [process for process in found if " ".join(process.cmdline()).endswith(words)]

    @property
    def worker(self) -> psutil.Process:
        (worker,) = psutil.Process(self.process.pid).children()
        return worker

    @property
    def zygote(self) -> psutil.Process:
        (zygote,) = self.worker.children()
        return zygote

    @property
    def children(self) -> list[psutil.Process]:
        """Whoever is being asked now, and whoever has ended and was not reaped."""
        return self.zygote.children()

    def ready(self) -> None:
        until_answers(f"{self.url}/readyz")


@contextmanager
def running(descriptors: int = 0, soft_descriptors: int = 0, **environ: str) -> Iterator[Runner]:
    """A runner with nothing in its environment but what it needs, ready to answer.

    `descriptors` is how many it may have open at most, `soft_descriptors` how many before it asks for more; 0: as here.
    """
    port = free_port()
    needed = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ["PYTHONPATH"]}
    process = subprocess.Popen(
        [
            *_limited(descriptors, soft_descriptors),
            *GRANIAN,
            "--respawn-failed-workers",
            "--port",
            str(port),
            "agents.runner:application",
        ],
        cwd=ROOT,
        env={**needed, "DJANGO_SETTINGS_MODULE": "config.settings_runner", **environ},
        stdout=subprocess.DEVNULL,
    )
    try:
        runner = Runner(f"http://127.0.0.1:{port}", process)
        runner.ready()
        yield runner
    finally:
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait(timeout=20)
        until(lambda: not any(one.is_running() for one in family), "everything of the runner to be gone")


def _limited(descriptors: int, soft_descriptors: int) -> tuple[str, ...]:
    """What a command begins with so that it has these limits."""
    hard = f"ulimit -n {descriptors}; " if descriptors else ""
    soft = f"ulimit -S -n {soft_descriptors}; " if soft_descriptors else ""
    return ("/bin/sh", "-c", f'{hard}{soft}exec "$@"', "sh") if hard or soft else ()


def question(model: str = "offline/steady", seconds: float = 20, seed: int = 1, **more: Any) -> Question:
    parameters = {"seed": seed, **more.pop("parameters", {})}
    return Question(str(uuid.uuid4()), model, parameters, more.pop("brief", BRIEF), (), seconds, **more)


def priced(model: str, **more: Any) -> Question:
    """A question to a model that has a price, with more than enough to spend."""
    card = ModelCard(model=model, price_id=1, prompt_usd=Decimal(1), completion_usd=Decimal(2), cached_usd=Decimal(1))
    return question(model, cards=(card,), allowance=PLENTY, **more)


def hanging(seconds: float = 20) -> Question:
    """A question that nobody answers in time."""
    return question("offline/latecomer", seconds, seed=3)


def asked(url: str, what: Question) -> Answer | NoAnswer:
    return all_asked(url, [what])[0]


def all_asked(url: str, questions: Sequence[Question]) -> list[Answer | NoAnswer]:
    """All at once."""

    async def ask() -> list[Answer | NoAnswer]:
        async with runners_at(lambda _: url) as put:
            return await asyncio.gather(*map(put, questions))

    return asyncio.run(ask())
