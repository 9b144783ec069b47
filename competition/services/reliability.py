"""Keeping what a run that tried to break the site found."""

import subprocess
import tomllib
from collections.abc import Mapping
from functools import cache

from django.conf import settings

from competition.core.reliability import RunResult
from competition.models import ReliabilityRun

FINDINGS_KEPT = 50
GIT_WITHIN_S = 10


def keep_run(result: RunResult) -> ReliabilityRun:
    """Append the result of a run. Raises ValueError for counts that are no whole numbers from 0."""
    for name, number in {**result.counts, **result.faults}.items():
        if type(number) is not int or number < 0:
            raise ValueError(f"{name!r} is {number!r}; a run counts in whole numbers from 0.")
    return ReliabilityRun.objects.create(
        kind=result.kind.value,
        version=own_version(),
        commit=own_commit(),
        seed=result.seed,
        seeds_count=result.seeds_count,
        started_at=result.started_at,
        ended_at=result.ended_at,
        counts=dict(result.counts),
        faults=dict(result.faults),
        violations=len(result.findings),
        findings=list(result.findings[:FINDINGS_KEPT]),
    )


@cache
def own_version() -> str:
    """The version in pyproject.toml."""
    project: Mapping[str, str] = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    return project["version"]


@cache
def own_commit() -> str:
    """The commit that is checked out, with -dirty behind it if files differ; blank where nobody can tell."""
    asked = ["git", "-C", str(settings.BASE_DIR), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=GIT_WITHIN_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()
