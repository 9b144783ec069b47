"""Settings of the runner: no database, no Redis, no exchange, no sessions. Only what answering a question takes."""

from pathlib import Path

import environ
from django.core.management.utils import get_random_secret_key

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = get_random_secret_key()  # signs nothing that outlives the process
DEBUG = False
# The runner is reached inside its own network only, under whatever name the operator gives it there.
ALLOWED_HOSTS = env.list("RUNNER_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "runner"])
INSTALLED_APPS: list[str] = []
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "agents.runner"
DATABASES: dict[str, object] = {}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
USE_TZ = True
USE_I18N = False
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
}
