"""What the processes around a call give away, fetch and weigh: seen from outside, in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.provider import BEHAVIOURS, Provider, running_provider

ROOT = Path(__file__).resolve().parents[2]
PLANTED = "planted/key+0123456789=abcdef"
WEB_PROCESS_MIB_MAX = 130

WEB_PROCESS = """
import psutil, sys, time
began = time.perf_counter()
import config.wsgi
took = time.perf_counter() - began
mib = psutil.Process().memory_info().rss / 1024**2
foreign = sorted({"litellm", "openai", "binance", "numpy", "pandas", "pandas_ta_classic"} & sys.modules.keys())
print(f"{mib:.1f} {took:.2f} {foreign}")
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as server:
        yield server


def output_of(*arguments: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


MODELS = (
    *(f"{kind}/{name}" for kind in ("openai", "openrouter") for name in BEHAVIOURS),
    *(f"anthropic/{name}" for name in ("key_refused", "rate_limited", "server_error", "redirect", "reset", "html")),
)


@pytest.fixture(scope="module")
def shown(provider: Provider) -> str:
    """What a process shows that has a planted key and puts calls of every kind; it takes ten seconds of CPU."""
    keys = dict.fromkeys(("OPENAI_API_KEY", "OPENROUTER_API_KEY", "ANTHROPIC_API_KEY"), PLANTED)
    loud = {"LITELLM_LOG": "DEBUG", "OPENAI_LOG": "debug", "ANTHROPIC_LOG": "debug", "PYTHONWARNINGS": "always"}
    return output_of("-m", "tests.agents.planted_key", provider.url, *MODELS, **keys, **loud)


def test_a_planted_key_is_seen_nowhere_whatever_goes_wrong(provider: Provider, shown: str) -> None:
    assert {request.key for request in provider.requests} == {PLANTED}, "the provider was never given the key"
    assert all(f"{model} " in shown for model in MODELS)
    for fragment in (PLANTED, PLANTED[:12], "0123456789"):
        assert fragment not in shown


def test_importing_the_home_of_litellm_reaches_for_no_network(shown: str) -> None:
    (line,) = (line for line in shown.splitlines() if line.startswith("known "))
    assert line.endswith(", reached for []")


def test_the_web_process_imports_nothing_heavy_and_stays_light() -> None:
    mib, _, foreign = output_of("-c", WEB_PROCESS).strip().splitlines()[-1].split(" ", 2)
    assert foreign == "[]"
    assert float(mib) < WEB_PROCESS_MIB_MAX
