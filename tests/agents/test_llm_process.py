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

NO_NETWORK = """
import sys
tried = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"):
        tried.append((event, arguments))
        raise OSError("no network here")
sys.addaudithook(watch)
import agents.llm
agents.llm.facts_of("anthropic/claude-sonnet-4-5"), agents.llm.facts_of("ollama/mine")
print("tried", tried)
"""
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


def test_a_planted_key_is_seen_nowhere_whatever_goes_wrong(provider: Provider) -> None:
    models = [f"{kind}/{name}" for kind in ("openai", "openrouter") for name in BEHAVIOURS]
    models += [
        f"anthropic/{name}" for name in ("key_refused", "rate_limited", "server_error", "redirect", "reset", "html")
    ]
    keys = dict.fromkeys(("OPENAI_API_KEY", "OPENROUTER_API_KEY", "ANTHROPIC_API_KEY"), PLANTED)
    loud = {"LITELLM_LOG": "DEBUG", "OPENAI_LOG": "debug", "ANTHROPIC_LOG": "debug", "PYTHONWARNINGS": "always"}
    shown = output_of("-m", "tests.agents.planted_key", provider.url, *models, **keys, **loud)
    assert {request.key for request in provider.requests} == {PLANTED}, "the provider was never given the key"
    assert all(f"{model} " in shown for model in models)
    for fragment in (PLANTED, PLANTED[:12], "0123456789"):
        assert fragment not in shown


def test_importing_the_home_of_litellm_reaches_for_no_network() -> None:
    assert output_of("-W", "ignore", "-c", NO_NETWORK).strip() == "tried []"


def test_the_web_process_imports_nothing_heavy_and_stays_light() -> None:
    mib, _, foreign = output_of("-c", WEB_PROCESS).strip().splitlines()[-1].split(" ", 2)
    assert foreign == "[]"
    assert float(mib) < WEB_PROCESS_MIB_MAX
