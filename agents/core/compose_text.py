"""The composition of one runner per agent, as text: each with its own key, on its own networks, confined."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.core.providers import host_name

HEAD = """\
# One runner per agent. Written by `manage.py runners`; write it anew when agents come or go, and start all with
#
#   docker compose --file compose.yaml --file {file} up --detach
#
# It adds to compose.yaml, and leaves out the one runner for all. Each runner meets whoever asks it on a network of its
# own that leads nowhere else. One whose model is not scripted has a second network, with nobody else on it, that leads
# out to its provider. Docker's own address pools are enough for about thirty networks; for more, widen
# default-address-pools in its daemon.json.
"""

ASKING = """\
  {name}:
    environment:
      RUNNER_URL: http://runner-{{agent}}:8100
    networks: [{networks}]
"""

SERVICE = """\
  {name}:
    image: openoutcry:${{TAG:-local}}
    user: "10001:10001"
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    init: true
    restart: unless-stopped
    pids_limit: 128
    mem_limit: 768m
    cpus: 1.0
    logging:
      driver: json-file
      options: {{max-size: 10m, max-file: "3"}}
    networks: [{networks}]
    environment:
{environment}
    command:
      [python, -m, granian, --interface, asgi, --host, 0.0.0.0, --port, "8100", --workers, "1", --no-ws,
       --respawn-failed-workers, --log-level, warning, "agents.runner:application"]
    healthcheck:
      test: [CMD, python, -c, "from urllib.request import urlopen; urlopen('http://127.0.0.1:8100/readyz', timeout=4)"]
      interval: 15s
      timeout: 5s
      start_period: 60s
      retries: 3
"""

ASKERS = ("orchestrator", "ticker")


@dataclass(frozen=True, slots=True)
class RunnerPart:
    """What the runner of one agent needs. `keys` are the names of variables, never their values."""

    slug: str
    keys: tuple[str, ...]
    has_api_base: bool
    leads_out: bool

    @property
    def name(self) -> str:
        return f"runner-{host_name(self.slug)}"

    @property
    def meeting(self) -> str:
        """The network on which it is asked."""
        return f"ask-{host_name(self.slug)}"

    @property
    def way_out(self) -> str:
        return f"out-{host_name(self.slug)}"


def compose_text(parts: Sequence[RunnerPart], strangers: Sequence[str], file: str) -> str:
    """An addition to compose.yaml with a service for each part. `strangers` are agents whose runner is not ours."""
    notes = [f"# {slug} brings a container of its own: call it runner-{host_name(slug)}.\n" for slug in strangers]
    meetings = ", ".join(part.meeting for part in parts)
    lines = [HEAD.format(file=file), *notes, "\nservices:\n"]
    lines += [ASKING.format(name=asker, networks=meetings) for asker in ASKERS]
    lines.append("  runner:\n    profiles: [one-for-all]  # not started: every agent has its own\n")
    lines += [_service(part) for part in parts]
    lines.append("\nnetworks:\n")
    for part in parts:
        lines.append(f"  {part.meeting}: {{internal: true}}\n")
        lines += [f"  {part.way_out}: {{}}\n"] * part.leads_out
    return "".join(lines)


def _service(part: RunnerPart) -> str:
    environment = {
        "DJANGO_SETTINGS_MODULE": "config.settings_runner",
        "RUNNER_ALLOWED_HOSTS": f"{part.name},127.0.0.1",
        "RUNNER_CHILDREN_MAX": '"4"',
        "LOG_LEVEL": "${LOG_LEVEL:-INFO}",
    }
    if part.has_api_base:
        environment["MODEL_API_BASES"] = "${MODEL_API_BASES:?Set MODEL_API_BASES in .env to where the model is}"
        environment["MODEL_PRIVATE_HOSTS"] = "${MODEL_PRIVATE_HOSTS:-}"
    for key in part.keys:
        environment[key] = f"${{{key}:?Set {key} in .env to the key of agent {part.slug}}}"
    told = "\n".join(f"      {name}: {value}" for name, value in environment.items())
    networks = f"{part.meeting}, {part.way_out}" if part.leads_out else part.meeting
    return SERVICE.format(name=part.name, networks=networks, environment=told)
