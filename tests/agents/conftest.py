"""A provider on loopback and keys for it, for whoever calls models."""

from collections.abc import Iterator

import pytest

from tests.agents.provider import Provider, running_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as server:
        yield server


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI", "ANTHROPIC", "GEMINI", "OPENROUTER", "DEEPSEEK", "MISTRAL", "GROQ"):
        monkeypatch.setenv(f"{name}_API_KEY", "planted-key-of-no-known-shape")
