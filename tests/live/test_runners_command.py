"""The composition that `manage.py runners` prints: every agent apart, with its own key and no other."""

import io
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from agents.models import Agent
from competition.services.seasons import draft_season, enter
from tests.live.stage import weekly_rules
from tests.test_compose import COMPOSE


def add(slug: str, model: str, kind: str = "single", version: int = 1, **parameters: Any) -> Agent:
    return Agent.objects.create(slug=slug, name=slug, kind=kind, model=model, version=version, parameters=parameters)


def printed() -> str:
    out = io.StringIO()
    call_command("runners", stdout=out)
    return out.getvalue()


def composed() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(printed())
    return content


def keys(service: dict[str, Any]) -> set[str]:
    return {name for name in service["environment"] if name.endswith("_KEY")}


@pytest.fixture
def agents(own_database: str) -> None:
    add("gpt", "openai/gpt-5")
    add("Big_firm", "anthropic/claude-opus-5", "firm", analyst_model="gemini/gemini-3-flash")
    add("at-home", "ollama/llama4", api_base="http://10.0.0.5:11434")
    add("steady", "offline/steady")
    add("cash", "baseline/all-cash", "baseline")


def test_every_agent_that_asks_a_model_has_a_runner_with_its_own_key_only(agents: None) -> None:
    services = composed()["services"]
    runners = {name: service for name, service in services.items() if name.startswith("runner-")}
    assert {name: keys(service) for name, service in runners.items()} == {
        "runner-gpt": {"OPENAI_API_KEY"},
        "runner-big-firm": {"ANTHROPIC_API_KEY", "GEMINI_API_KEY"},
        "runner-at-home": set(),
        "runner-steady": set(),
    }
    assert runners["runner-gpt"]["environment"]["OPENAI_API_KEY"].startswith("${OPENAI_API_KEY:?Set OPENAI_API_KEY")


def test_runners_share_a_network_with_whoever_asks_them_and_with_nobody_else(agents: None) -> None:
    content = composed()
    services, networks = content["services"], content["networks"]
    runners = {name: set(service["networks"]) for name, service in services.items() if name.startswith("runner-")}
    for one, other in itertools.combinations(runners.values(), 2):
        assert not one & other
    others = {name: set(service["networks"]) for name, service in COMPOSE["services"].items()}
    for asker in ("orchestrator", "ticker"):
        assert services[asker]["environment"]["RUNNER_URL"] == "http://runner-{agent}:8100"
        others[asker] |= set(services[asker]["networks"])
    for own in runners.values():
        assert {name for name, theirs in others.items() if own & theirs} == {"orchestrator", "ticker"}
        assert all(networks[name]["internal"] for name in own if name.startswith("ask-"))


def test_only_a_runner_with_a_provider_has_a_way_out(agents: None) -> None:
    content = composed()
    outward = {name for name, network in content["networks"].items() if not network.get("internal")}
    assert outward == {"out-gpt", "out-big-firm", "out-at-home"}
    assert not outward & set(content["services"]["orchestrator"]["networks"])


def test_an_address_of_its_own_is_allowed_by_the_operator_and_not_by_the_agent(agents: None) -> None:
    services = composed()["services"]
    assert services["runner-at-home"]["environment"]["MODEL_API_BASES"].startswith("${MODEL_API_BASES:?")
    assert "MODEL_API_BASES" not in services["runner-gpt"]["environment"]
    assert "10.0.0.5" not in printed()


def test_a_runner_is_confined_as_every_container_of_the_site(agents: None) -> None:
    common = COMPOSE["services"]["web"]
    for name, service in composed()["services"].items():
        if name.startswith("runner-"):
            for rule in (
                "user",
                "read_only",
                "tmpfs",
                "cap_drop",
                "security_opt",
                "init",
                "restart",
                "logging",
                "image",
            ):
                assert service[rule] == common[rule], (name, rule)
            assert service["pids_limit"]
            assert service["mem_limit"]
            assert not {"ports", "volumes", "privileged"} & set(service)
            assert not {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"} & set(service["environment"])
    assert composed()["services"]["runner"]["profiles"] == ["one-for-all"]


def test_the_text_is_a_composition_by_its_schema(agents: None, tmp_path: Path) -> None:
    path = tmp_path / "runners.yaml"
    path.write_text(printed())
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    checked = subprocess.run(checker, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_the_newest_version_counts_and_an_old_one_as_long_as_it_plays(own_database: str) -> None:
    add("moving", "openai/gpt-4")
    add("moving", "anthropic/claude-opus-5", version=2)
    assert keys(composed()["services"]["runner-moving"]) == {"ANTHROPIC_API_KEY"}
    enter(draft_season("s", "S", weekly_rules(), ()), Agent.objects.get(slug="moving", version=1))
    assert keys(composed()["services"]["runner-moving"]) == {"ANTHROPIC_API_KEY", "OPENAI_API_KEY"}


def test_an_agent_of_another_house_is_named_and_has_no_service(own_database: str) -> None:
    add("even", "example/even")
    text = printed()
    assert "# even brings a container of its own: call it runner-even.\n" in text
    assert "runner-even" not in yaml.safe_load(text)["services"]


def test_a_provider_nobody_knows_is_named_with_what_to_do(own_database: str) -> None:
    add("odd", "oddity/one")
    with pytest.raises(CommandError, match=r"oddity/one: say in KEY_VARIABLES of agents/core/providers\.py"):
        printed()


def test_two_agents_that_would_be_one_host_are_refused(own_database: str) -> None:
    add("a-b", "offline/steady")
    add("a_b", "offline/steady")
    with pytest.raises(CommandError, match="a-b, a_b"):
        printed()
