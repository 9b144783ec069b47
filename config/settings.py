"""One file, read top to bottom. Every variable of the environment is read here and nowhere else.

The comment above each `env(...)` line is its row in the README's configuration table, which
`manage.py settings_table` prints.
"""

from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from config import policies
from config.admin_look import UNFOLD as UNFOLD
from config.checked_env import CheckedEnv

env = CheckedEnv()

BASE_DIR = Path(__file__).resolve().parent.parent

# -- What an operator may set ---------------------------------------------------------------------

# Secret: signs sessions and forms. `make demo` makes one; production refuses to start without it.
SECRET_KEY = env.str("SECRET_KEY", default="")
# Shows tracebacks in the browser. Never in production.
DEBUG = env.bool("DEBUG", default=False)
# Host names the site answers to, separated by commas.
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
# Origins (scheme and host) from which forms may be sent, separated by commas.
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# True behind a proxy that ends TLS, strips and sets X-Forwarded-Proto: secure cookies, https only, HSTS.
BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", default=False)
# Secret: PostgreSQL, as postgresql://user:password@host/name. Unset: a real one is started under DATA.
DATABASE_URL = env.str("DATABASE_URL", default="")
# Secret: Redis, as redis://host:6379/0 or redis+socket:///path. Unset: the one `make demo` runs under DATA.
REDIS_URL = env.str("REDIS_URL", default="")
# Folder of the embedded engines and of everything `make demo` keeps.
DATA = env.path("DATA", default=str(BASE_DIR / ".data"))
# Address of the runner that answers for the agents; `{agent}` in it stands for each one's own.
RUNNER_URL = env.str("RUNNER_URL", default="http://127.0.0.1:8100")
# Agents whose runner is elsewhere, as agent=address, separated by commas.
RUNNER_URLS = env.addresses("RUNNER_URLS", default="")
# Tokens that one agent may use per UTC day, prompts and replies together.
DAILY_TOKEN_BUDGET = env.tokens("DAILY_TOKEN_BUDGET", default=2_000_000)
# USD that one call to a model may cost at most; a dearer one is not made.
USD_PER_CALL_MAX = env.usd("USD_PER_CALL_MAX", default="2")
# USD that one turn of an entry may cost at most, with every repair.
USD_PER_TURN_MAX = env.usd("USD_PER_TURN_MAX", default="5")
# USD that one agent may cost per UTC day at most.
USD_PER_AGENT_DAY_MAX = env.usd("USD_PER_AGENT_DAY_MAX", default="10")
# USD that one entry may cost in a whole season at most.
USD_PER_SEASON_MAX = env.usd("USD_PER_SEASON_MAX", default="500")
# Seconds between two looks at what is due, for beat and for the second ticker.
TICK_EVERY_S = env.seconds("TICK_EVERY_S", default=60.0)
# Where new seasons get their market: binance, synthetic or stored. With binance, beat has it fetched every minute.
MARKET_DATA = env.market_data("MARKET_DATA", default="synthetic")
# Reads of the API that one client may make per minute.
API_READS_PER_MINUTE = env.count("API_READS_PER_MINUTE", default=240)
# Writes to the API that one client may make per minute.
API_WRITES_PER_MINUTE = env.count("API_WRITES_PER_MINUTE", default=10)
# Path of the admin, so that it need not be guessable.
ADMIN_PATH = env.url_path("ADMIN_PATH", default="admin/")
# Host names that alone lead to the admin, such as admin.internal; under any other there is none. Empty: all do.
ADMIN_HOSTS = env.list("ADMIN_HOSTS", default=[])
# For tests: an exchange double on this machine, http://127.0.0.1:PORT, instead of the exchange. No other host is taken.
EXCHANGE_DOUBLE = env.str("EXCHANGE_DOUBLE", default="")
# Secret: key of the account on the Binance spot testnet at which seasons with execution "testnet" trade.
BINANCE_API_KEY = env.str("BINANCE_API_KEY", default="")
# Secret: that account's secret. Only the process that executes orders needs the two.
BINANCE_API_SECRET = env.str("BINANCE_API_SECRET", default="")
# True where static files have been collected, as `make run` and the image do: they are sent compressed.
COLLECTED = env.bool("COLLECTED", default=False)
# Least severe log message that is written: DEBUG, INFO, WARNING, ERROR, CRITICAL.
LOG_LEVEL = env.log_level("LOG_LEVEL", default="INFO")

if not SECRET_KEY:
    raise ImproperlyConfigured("Set SECRET_KEY to a long random text, or start with `make demo`, which makes one.")
if not DATABASE_URL:
    raise ImproperlyConfigured("Set DATABASE_URL, or go through manage.py or make, which start a PostgreSQL.")

# -- Django ---------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin.apps.SimpleAdminConfig",  # found by config/urls.py: commands do without
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.sitemaps",
    "axes",
    "django_celery_beat",
    "django_htmx",
    "market",
    "portfolio",
    "agents",
    "competition",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "competition.middleware.AdminHost",
    "competition.middleware.AdminPolicy",
    "competition.api.edge.ApiEdge",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "competition.middleware.DatabaseAway",
    "competition.middleware.WhoChanges",
    "axes.middleware.AxesMiddleware",  # the last, so that it can answer for a login that is refused
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

try:
    # Read as libpq does, so that every address psql takes will do: a unix socket's (?host=/folder), too.
    DATABASE = {"connect_timeout": 5, **conninfo_to_dict(DATABASE_URL)}
except ProgrammingError:
    raise ImproperlyConfigured("Set DATABASE_URL to a PostgreSQL: postgresql://user:password@host/name.") from None
# Nobody waits for ever: not for a lock of a process that hangs, nor for a server that is gone without a word.
PATIENCE = {
    "options": "-c lock_timeout=5s -c idle_in_transaction_session_timeout=60s",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE.pop("dbname", ""),
        "USER": DATABASE.pop("user", ""),
        "PASSWORD": DATABASE.pop("password", ""),
        "HOST": DATABASE.pop("host", ""),
        "PORT": DATABASE.pop("port", ""),
        "OPTIONS": {**PATIENCE, **DATABASE},
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": 60,
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["config.formats"]

STATIC_URL = "static/"
# The pages of the API are drawn by files of ninja; as an app, every command would load it, and half of Django with it.
STATICFILES_DIRS = [BASE_DIR / "static", Path(str(getattr(find_spec("ninja"), "origin", ""))).parent / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {**global_settings.STORAGES, "staticfiles": {"BACKEND": "config.collected.Collected"}}
WHITENOISE_USE_FINDERS = not COLLECTED  # both, and what lies there uncompressed would be sent

# -- Security -------------------------------------------------------------------------------------

FIRST_STYLES, FIRST_SCRIPT = policies.FIRST_STYLES, policies.FIRST_SCRIPT
SECURE_CSP, ADMIN_CSP = policies.SITE, policies.ADMIN
AUTHENTICATION_BACKENDS = ["axes.backends.AxesBackend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_REDIRECT_URL = "admin:index"  # for whoever came to the login by its own address
# Whoever fails so often waits: the address, so that nobody can lock somebody else out; of IPv6 the network.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_CLIENT_IP_CALLABLE = "competition.views.visitors.login_address"  # trusts a proxy only where there is one
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # who logged in when stands in the account
AXES_LOCKOUT_TEMPLATE = "admin/locked_out.html"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = None  # the admin's alone (`AdminPolicy`): it costs a visitor's browser a process
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS_PROXY
SECURE_SSL_REDIRECT = BEHIND_TLS_PROXY
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]  # asked from inside, without the proxy
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS_PROXY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = BEHIND_TLS_PROXY
SECURE_HSTS_PRELOAD = BEHIND_TLS_PROXY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None

# -- Celery: messages are hints; PostgreSQL is the only truth -----------------------------------------

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_TIME_LIMIT = 2 * 3600
CELERY_TASK_SERIALIZER = "json"
# Asking waits for models, so it has a queue and workers of its own: nobody else waits with it.
# So have backtests, which may take hours; and the feed, which alone reaches the hosts of market data.
CELERY_TASK_ROUTES = {
    "competition.tasks.ask": {"queue": "ask"},
    "competition.tasks.analyse": {"queue": "ask"},
    "competition.tasks.fetch": {"queue": "market"},
    "competition.tasks.play_backtest": {"queue": "backtest"},
    "competition.tasks.play_backtests": {"queue": "backtest"},
}
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 3, "socket_connect_timeout": 3, "max_retries": 1}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "config.beat:HouseScheduler"  # brings these into the database, where operators change them
CELERY_BEAT_SCHEDULE = {
    "look for what is due": {
        "task": "competition.tasks.tick",
        "schedule": TICK_EVERY_S,
        "options": {"expires": max(TICK_EVERY_S * 5, 10)},
    },
    # The web process writes what it is asked for into the database and reaches no queue: this is how soon it is found.
    "play backtests": {
        "task": "competition.tasks.play_backtests",
        "schedule": min(TICK_EVERY_S, 5.0),
        "options": {"expires": 5},
    },
    "do what operators ask for": {
        "task": "competition.tasks.run_errands",
        "schedule": min(TICK_EVERY_S, 5.0),
        "options": {"expires": 5},
    },
}
if MARKET_DATA == "binance":
    CELERY_BEAT_SCHEDULE["fetch the market"] = {
        "task": "competition.tasks.fetch",
        "schedule": 60.0,
        "options": {"expires": 50},  # the next one is due by then
    }

# -- Counting what clients of the API ask: in Redis for all processes, in memory while it is away --------

_COUNTS_URL = REDIS_URL.replace("redis+socket://", "unix://").replace("?virtual_host=", "?db=")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "own counts": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "own counts"},
    "shared counts": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": _COUNTS_URL or "redis://127.0.0.1:1",
        "KEY_PREFIX": "api",
        "OPTIONS": {"socket_timeout": 0.2, "socket_connect_timeout": 0.2},
    },
}

# -- Logging --------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"refusals in one line": {"()": "config.log_filters.RefusalInOneLine"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["refusals in one line"]}
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # Celery tells of each message several times; what came of it is told by whoever did the work.
    "loggers": {name: {"level": "DEBUG" if LOG_LEVEL == "DEBUG" else "WARNING"} for name in ("celery", "axes")},
}
