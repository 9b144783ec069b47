"""The composition keeps apart what must not meet, and confines every container."""

import itertools
import re
from typing import Any

import pytest
import yaml
from django.conf import settings

from competition.management.commands.settings_table import SOURCES
from config.settings_table import variables

ROOT = settings.BASE_DIR
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text()

# Who talks to whom. Every pair that is not here shares no network.
MEETINGS = {
    "postgres": {"web", "beat", "ticker", "orchestrator", "executor", "fetcher", "backtester", "migrate"},
    "redis": {"beat", "orchestrator", "executor", "fetcher", "backtester"},
    "runner": {"ticker", "orchestrator", "backtester"},
}
SECRETS = ("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD")

every_service = pytest.mark.parametrize("name", sorted(SERVICES))


def networks(name: str) -> set[str]:
    return set(SERVICES[name]["networks"])


def environment(name: str) -> dict[str, str]:
    found: dict[str, str] = SERVICES[name].get("environment", {})
    return found


def holders(variable: str) -> set[str]:
    return {name for name in OURS if variable in environment(name)}


def test_all_parts_of_the_site_are_there() -> None:
    ours = {"web", "orchestrator", "executor", "fetcher", "backtester", "beat", "ticker", "migrate", "runner"}
    assert ours == OURS
    assert set(SERVICES) == ours | {"postgres", "redis"}


@pytest.mark.parametrize(("server", "clients"), sorted(MEETINGS.items()))
def test_a_server_is_reached_by_its_clients_and_nobody_else(server: str, clients: set[str]) -> None:
    assert {name for name in SERVICES if name != server and networks(name) & networks(server)} == clients


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("web", "runner"),
        ("web", "redis"),
        ("runner", "postgres"),
        ("runner", "redis"),
        ("runner", "executor"),
        ("runner", "beat"),
        ("ticker", "redis"),
        ("postgres", "redis"),
    ],
)
def test_forbidden_pairs_share_no_network(one: str, other: str) -> None:
    assert not networks(one) & networks(other)


def test_web_and_the_executor_meet_nowhere_but_at_the_database() -> None:
    assert networks("web") & networks("executor") == {"data"}


def test_only_the_edge_and_the_feed_lead_out() -> None:
    assert {name for name, network in COMPOSE["networks"].items() if not network.get("internal")} == {
        "edge",
        "feed",
        "exchange",
    }
    assert {name for name in SERVICES if "feed" in networks(name)} == {"fetcher"}
    assert {name for name in SERVICES if "edge" in networks(name)} == {"web"}
    assert {name for name in SERVICES if "exchange" in networks(name)} == {"executor"}
    used = set(itertools.chain.from_iterable(map(networks, SERVICES)))
    assert used == set(COMPOSE["networks"])


def test_who_reads_the_exchange_holds_no_key_and_no_site_secret() -> None:
    told = {"LOG_LEVEL", "TICK_EVERY_S", "SECRET_KEY", "DATABASE_URL", "REDIS_URL", "MARKET_DATA"}
    assert set(environment("fetcher")) == told
    assert "${SECRET_KEY" not in environment("fetcher")["SECRET_KEY"]
    assert holders("MARKET_DATA") == {"web", "beat", "fetcher"}


def test_only_web_publishes_a_port_and_only_to_this_machine_by_default() -> None:
    assert [name for name in SERVICES if SERVICES[name].get("ports")] == ["web"]
    assert SERVICES["web"]["ports"] == ["${BIND:-127.0.0.1:8000}:8000"]


@every_service
def test_a_container_is_nobody_and_may_do_nothing_special(name: str) -> None:
    service = SERVICES[name]
    uid, gid = map(int, service["user"].split(":"))
    assert uid > 0
    assert gid > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    forbidden = {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"}
    assert not forbidden & set(service)


@every_service
def test_a_container_writes_only_to_memory_and_its_own_volume(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]
    volumes = service.get("volumes", [])
    assert all(volume.split(":")[0] == name for volume in volumes)
    assert bool(volumes) == (name in COMPOSE["volumes"])


@every_service
def test_a_container_has_limits(name: str) -> None:
    service = SERVICES[name]
    assert 0 < service["pids_limit"] <= 256
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["cpus"] > 0
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}


@every_service
def test_a_container_comes_back_and_says_whether_it_is_well(name: str) -> None:
    service = SERVICES[name]
    if name == "migrate":
        assert service["restart"].startswith("on-failure:"), "it ends when it is done"
        return
    assert service["restart"] == "unless-stopped"
    if name == "web":
        assert "healthcheck" not in service
        assert re.search(r"^HEALTHCHECK .*CMD \[", DOCKERFILE, re.MULTILINE), "the image brings web's own"
    else:
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@every_service
def test_images_are_ours_or_pinned_to_a_release(name: str) -> None:
    image = SERVICES[name]["image"]
    assert image.startswith("openoutcry:") if name in OURS else re.fullmatch(r"\w+:\d+\.\d+(\.\d+)?-\w+", image)


def test_nobody_holds_what_it_does_not_need() -> None:
    assert {name for name in OURS if "@postgres:" in environment(name).get("DATABASE_URL", "")} == MEETINGS["postgres"]
    assert holders("REDIS_URL") == MEETINGS["redis"]
    assert holders("RUNNER_URL") == MEETINGS["runner"]
    assert {name for name in OURS if "${SECRET_KEY" in environment(name).get("SECRET_KEY", "")} == {"web"}


def test_the_runner_has_no_database_no_redis_and_no_key() -> None:
    assert environment("runner")["DJANGO_SETTINGS_MODULE"] == "config.settings_runner"
    assert not {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "POSTGRES_PASSWORD"} & set(environment("runner"))


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_has_no_default_and_a_missing_one_is_explained(name: str) -> None:
    uses = re.findall(rf"\$\{{{name}\b([^}}]*)\}}", TEXT)
    assert uses
    assert all(re.match(rf":\?Set {name} in \.env, for example to what openssl rand", use) for use in uses)


def test_what_the_site_is_told_is_what_its_settings_read() -> None:
    read = {variable.name for variable in variables((ROOT / name).read_text() for name in SOURCES)}
    told = set(itertools.chain.from_iterable(environment(name) for name in OURS))
    assert told - {"DJANGO_SETTINGS_MODULE"} <= read


def test_everybody_waits_for_the_tables_to_be_made() -> None:
    for name in MEETINGS["postgres"] - {"migrate"}:
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_redis_refuses_when_full_and_keeps_what_it_took() -> None:
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[::2], command[1::2], strict=True))
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--appendonly"] == "yes"
    assert "--requirepass" in options


def test_workers_take_from_the_queues_that_exist() -> None:
    queues = {name: SERVICES[name]["command"] for name in ("orchestrator", "executor", "fetcher", "backtester")}
    named = {name: command[command.index("--queues") + 1] for name, command in queues.items()}
    assert named == {"orchestrator": "ask", "executor": "celery", "fetcher": "market", "backtester": "backtest"}


def test_the_image_is_nobody_installs_by_hash_and_keeps_no_real_key() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    assert all(stage.startswith("python:3.12-slim-") for stage in stages)
    assert "--require-hashes" in stages[0]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", stages[-1], re.MULTILINE)
    assert "SECRET_KEY" not in stages[-1]


def test_the_image_gets_named_parts_of_the_project_only() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    kept = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert kept >= {"requirements.txt", "manage.py", "market", "portfolio", "agents", "competition", "config"}
    assert not kept & {".env", ".git", ".data", "tests"}


def test_only_the_executor_holds_the_keys_of_the_account_at_the_exchange() -> None:
    assert holders("BINANCE_API_KEY") == holders("BINANCE_API_SECRET") == {"executor"}
    assert environment("executor")["BINANCE_API_SECRET"] == "${BINANCE_API_SECRET:-}"
