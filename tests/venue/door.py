"""Who may come in: keys, signatures over the real payload, timestamps, and parameters in their proper form."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from urllib.parse import unquote_plus

from tests.venue.state import Account, Says, State

AHEAD_MS, WINDOW_MS, WINDOW_MOST_MS = 1000, 5000, 60_000
KEY_FORM = re.compile(r"[A-Za-z0-9]{1,64}")
ENCODED = re.compile(r"(?:[A-Za-z0-9\-._~=&+*]|%[0-9A-Fa-f]{2})*")
SQL = re.compile(r"\b(select|union|insert|delete|drop|truncate)\b", re.IGNORECASE)
CLIENT_ID = re.compile(r"[a-zA-Z0-9-_]{1,36}")
NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
SIGNED = {"timestamp", "recvWindow", "signature"}


@dataclass
class Request:
    """A request as it came: `query` and `body` are text as sent, still encoded."""

    method: str
    path: str
    query: str
    body: str
    key: str = ""

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def params(self) -> dict[str, str]:
        """Names and values; of a name that is in both, the query's value counts."""
        found: dict[str, str] = {}
        for text in (self.query, self.body):
            pairs = [pair.partition("=") for pair in text.split("&") if pair]
            if len({name for name, _, _ in pairs}) != len(pairs):
                raise Says(-1101, "Duplicate values for a parameter detected.")
            for name, _, value in pairs:
                found.setdefault(unquote_plus(name), unquote_plus(value))
        return found

    @property
    def payload(self) -> str:
        """What must have been signed: the query directly followed by the body, without the signature."""
        texts = (
            "&".join(p for p in text.split("&") if not p.startswith("signature=")) for text in (self.query, self.body)
        )
        return "".join(texts)


def account_of(request: Request, state: State, now_ms: int) -> Account:
    """The account that signed this request; `Says` what is wrong otherwise."""
    if not KEY_FORM.fullmatch(request.key):
        raise Says(-2014, "API-key format invalid.", 401)
    if request.key not in state.accounts:
        raise Says(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    account, params = state.accounts[request.key], request.params
    for name in ("timestamp", "signature"):
        if not params.get(name):
            raise Says(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    check_time(params, now_ms)
    wanted = hmac.new(account.secret.encode(), request.payload.encode(), hashlib.sha256).hexdigest()
    if not ENCODED.fullmatch(request.payload) or not hmac.compare_digest(wanted, params["signature"].lower()):
        raise Says(-1022, "Signature for this request is not valid.")
    return account


def check_time(params: dict[str, str], now_ms: int) -> None:
    """Whether a timestamp is within its window, as it is checked on arrival and again before matching."""
    window, stamp = params.get("recvWindow", str(WINDOW_MS)), params["timestamp"]
    if not window.isdecimal() or not stamp.isdecimal():
        raise Says(-1100, "Illegal characters found in parameter 'timestamp'; legal range is '^[0-9]{1,20}$'.")
    if int(window) > WINDOW_MOST_MS:
        raise Says(-1131, "recvWindow must be less than 60000.")
    at_ms = int(stamp) // 1000 if len(stamp) > 14 else int(stamp)  # microseconds are taken, too
    if at_ms >= now_ms + AHEAD_MS:
        raise Says(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - at_ms > int(window):
        raise Says(-1021, "Timestamp for this request is outside of the recvWindow.")


def checked(params: dict[str, str], needed: str, allowed: str = "") -> dict[str, str]:
    """The parameters without those of the signature, if the needed ones are there and no other than the allowed."""
    own = {name: value for name, value in params.items() if name not in SIGNED}
    for name in needed.split():
        if not own.get(name):
            raise Says(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    known = [name for name in own if name in f"{needed} {allowed}".split()]
    if len(known) != len(own):
        read = len(known) + len(params) - len(own)
        raise Says(
            -1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{len(params)}'."
        )
    for name, value in own.items():
        _check_form(name, value)
    return own


def _check_form(name: str, value: str) -> None:
    if not value:
        raise Says(-1105, f"Parameter '{name}' was empty.")
    if name in ("quantity", "price", "quoteOrderQty"):
        if not NUMBER.fullmatch(value):
            legal = "^([0-9]{1,20})(\\.[0-9]{1,20})?$"
            raise Says(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
        if len(value.partition(".")[2].rstrip("0")) > 8:
            raise Says(-1111, f"Parameter '{name}' has too much precision.")
    if name.lower().endswith("clientorderid") and not CLIENT_ID.fullmatch(value):
        raise Says(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[a-zA-Z0-9-_]{{1,36}}$'.")
    if name in ("orderId", "limit", "fromId", "startTime", "endTime") and not value.isdecimal():
        raise Says(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
