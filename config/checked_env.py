"""Reading the environment strictly: what cannot be meant is refused with one sentence that names the variable."""

import math
import re
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MARKET_SOURCES = ("binance", "synthetic", "stored")
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0", ""})
_URL_PATH = re.compile(r"(?:[A-Za-z0-9._~-]+/)+")
_USD = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_ADDRESS_OF_AGENT = re.compile(r"[A-Za-z0-9_-]+=https?://[^\s,]+")
_KINDS = {bool: "true or false", float: "a number", int: "a whole number"}


class CheckedEnv(environ.Env):  # type: ignore[misc]  # environ carries no types
    """environ's readers, which take `maybe` for false and `6x0` for 60, made to refuse that; and some of our own."""

    def get_value(self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, cast=cast, default=default, **kwargs)
        except (ValueError, ArithmeticError):
            raise self._refused(var, _KINDS.get(cast, "something else")) from None

    @classmethod
    def parse_value(cls, value: str, cast: Any) -> Any:
        if cast is bool:
            return _bool(value)
        return float(value) if cast is float else super().parse_value(value, cast)

    def seconds(self, var: str, default: float) -> float:
        """A length of time above zero."""
        value = float(self.float(var, default=default))
        if not 0 < value < math.inf:
            raise self._refused(var, "a number of seconds above zero")
        return value

    def usd(self, var: str, default: str) -> str:
        """An amount in USD as decimal text, below a billion and with nine places at most."""
        text = str(self.str(var, default=default))
        if not _USD.fullmatch(text):
            raise self._refused(var, "an amount in USD as in 2.50, below a billion")
        return text

    def tokens(self, var: str, default: int) -> int:
        """A number of tokens, zero or more."""
        value = int(self.int(var, default=default))
        if value < 0:
            raise self._refused(var, "a number of tokens, 0 for none at all")
        return value

    def count(self, var: str, default: int) -> int:
        """How many, zero or more."""
        value = int(self.int(var, default=default))
        if value < 0:
            raise self._refused(var, "a number, 0 for none at all")
        return value

    def addresses(self, var: str, default: str) -> dict[str, str]:
        """Addresses by agent, as `agent=http://host:port`, separated by commas."""
        pairs = [part.strip() for part in str(self.str(var, default=default)).split(",") if part.strip()]
        if not all(_ADDRESS_OF_AGENT.fullmatch(pair) for pair in pairs):
            raise self._refused(var, "agent=http://host:port, and more of them behind commas")
        return dict(pair.split("=", 1) for pair in pairs)

    def log_level(self, var: str, default: str) -> str:
        """A level of the logging module, in capitals."""
        value = str(self.str(var, default=default))
        if value not in LOG_LEVELS:
            raise self._refused(var, f"one of {', '.join(LOG_LEVELS)}")
        return value

    def market_data(self, var: str, default: str) -> str:
        """A source of market data."""
        value = str(self.str(var, default=default))
        if value not in MARKET_SOURCES:
            raise self._refused(var, f"one of {', '.join(MARKET_SOURCES)}")
        return value

    def url_path(self, var: str, default: str) -> str:
        """A path below the site's address: no slash before it, one behind it."""
        value = str(self.str(var, default=default))
        if not _URL_PATH.fullmatch(value):
            raise self._refused(var, f"a path like {default}, with no slash before it and one behind it")
        return value

    def _refused(self, var: str, wanted: str) -> ImproperlyConfigured:
        return ImproperlyConfigured(f"{var} must be {wanted}, not {self.ENVIRON[var]!r}.")


def _bool(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE
