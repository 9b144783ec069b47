"""How questions of backtests reach their runners. What asking itself takes is loaded where somebody is asked."""

import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from agents.runner_client import Ask

type AskVia = Callable[[], AbstractAsyncContextManager[Ask]]


class AskingStopped(Exception):
    """No further question can be put; the message says why and what to do. What was answered is kept."""


@dataclass(frozen=True, slots=True)
class Runners:
    """How questions reach their runners, and what is needed to write them down."""

    ask: AskVia
    clock: Callable[[], datetime]
    new_token: Callable[[], uuid.UUID] = uuid.uuid4


def runners_of_settings() -> "AbstractAsyncContextManager[Ask]":
    """The runners at the addresses the operator has set."""
    from agents.runner_client import (
        addresses_in,
        runners_at,
    )  # only here: a quarter of what a baseline's backtest loads

    return runners_at(addresses_in(settings.RUNNER_URL, settings.RUNNER_URLS))
