"""Settings of the runner: no database, no Redis, no exchange, no sessions. Only what answering a question takes.

Beside these, a runner has in its environment the keys of the providers it asks, and nothing else that is secret.
"""

import os
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from django.utils.log import CallbackFilter

from agents.core.addresses import AllowedAddresses

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent

# -- What an operator may set ---------------------------------------------------------------------

# The runner is reached inside its own network only, under whatever name the operator gives it there.
ALLOWED_HOSTS = env.list("RUNNER_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "runner"])
# How many questions a runner works on at once; each has a process of its own. Further ones wait within their time.
RUNNER_CHILDREN_MAX = env.int("RUNNER_CHILDREN_MAX", default=32)
# Addresses that an agent's `api_base` may begin with, separated by commas. Without any, agents have no `api_base`.
MODEL_API_BASES = env.list("MODEL_API_BASES", default=[])
# Hosts among them that may be in a private network, such as one that runs Ollama or vLLM, separated by commas.
MODEL_PRIVATE_HOSTS = env.list("MODEL_PRIVATE_HOSTS", default=[])

# What would let whoever has taken over a model's process reach the ledger, the messages or the exchange.
FORBIDDEN = ("DATABASE_URL", "REDIS_URL")
FORBIDDEN_BEGINNINGS = ("BINANCE_",)
if held := sorted(name for name in os.environ if name in FORBIDDEN or name.startswith(FORBIDDEN_BEGINNINGS)):
    raise ImproperlyConfigured(f"A runner must not have {', '.join(held)} in its environment; start it without.")
if RUNNER_CHILDREN_MAX < 1:
    raise ImproperlyConfigured(f"RUNNER_CHILDREN_MAX must be 1 or more, not {RUNNER_CHILDREN_MAX}.")
try:
    AllowedAddresses.of(MODEL_API_BASES, MODEL_PRIVATE_HOSTS)
except ValueError as error:
    raise ImproperlyConfigured(f"MODEL_API_BASES: {error}.") from None

# -- Django ---------------------------------------------------------------------------------------

SECRET_KEY = get_random_secret_key()  # signs nothing that outlives the process
DEBUG = False
INSTALLED_APPS: list[str] = []
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "agents.runner"
DATABASES: dict[str, object] = {}
DATA_UPLOAD_MAX_MEMORY_SIZE = None  # the limit on bodies is at the door, before Django
USE_TZ = True
USE_I18N = False
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    # Not to be ready yet is an answer, not an error.
    "filters": {"errors": {"()": CallbackFilter, "callback": lambda record: getattr(record, "status_code", 0) != 503}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["errors"]}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
}
