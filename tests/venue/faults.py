"""What can go wrong with a request: `venue.script("POST /api/v3/order", gateway(502, executed=True))` spoils the next.

`executed` says on which side of the matching engine it goes wrong: with False the request has no effect at all.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.market import exchange as line_troubles

PAGE = "<html><head><title>Error</title></head><body>something went wrong</body></html>"


@dataclass(frozen=True)
class Fault:
    """`line` is what happens on the line instead of a good answer: nothing, or the name of a trouble below."""

    line: str = ""
    executed: bool = False
    status: int = 500
    body: str = PAGE
    retry_after: str | None = None
    fraction: str | None = None  # of the quantity, executed now
    stays_open: bool = False  # the rest of it; otherwise it expires
    held_ms: int = 0  # between arrival and the second check of the timestamp
    later_ms: int = 0  # until it is matched, long after the answer

    @property
    def reaches_the_engine(self) -> bool:
        return not self.line or self.executed

    def trouble(self) -> Callable[[Any, Any], None] | None:
        """What to do with a connection and the good answer, or None for sending that."""
        spoiled = line_troubles.status(self.status, retry_after=self.retry_after, body=self.body.encode())
        named = {
            "": None,
            "status": spoiled,
            "silent": line_troubles.silent,
            "reset": line_troubles.reset,
            "cut off": line_troubles.cut_off,
            "hung up": line_troubles.hung_up,
            "endless": line_troubles.endless,
            "redirect": line_troubles.redirect(self.body),
        }
        return named[self.line]


def gateway(status: int, *, executed: bool = False, body: str = PAGE) -> Fault:
    """A 5xx with a page for people."""
    return Fault("status", executed, status, body)


def limited(retry_after: str | None = "7") -> Fault:
    return Fault("status", status=429, retry_after=retry_after)


def banned(retry_after: str | None = "120") -> Fault:
    return Fault("status", status=418, retry_after=retry_after)


def firewall() -> Fault:
    return Fault("status", status=403)


def says(code: int, text: str, status: int = 400, *, executed: bool = False) -> Fault:
    """An error in the exchange's own words."""
    return Fault("status", executed, status, json.dumps({"code": code, "msg": text}))


def silent(*, executed: bool = False) -> Fault:
    """No answer as long as anybody waits."""
    return Fault("silent", executed)


def reset(*, executed: bool = False) -> Fault:
    return Fault("reset", executed)


def cut_off(*, executed: bool = True) -> Fault:
    """Half of the JSON, declared as the whole."""
    return Fault("cut off", executed)


def hung_up(*, executed: bool = True) -> Fault:
    """Half of what was announced, then the end of the connection."""
    return Fault("hung up", executed)


def redirect(to: str) -> Fault:
    return Fault("redirect", body=to)


def endless() -> Fault:
    return Fault("endless", executed=True)


def partly(fraction: str) -> Fault:
    """This part is executed, and the order stays open."""
    return Fault(fraction=fraction, stays_open=True)


def expires(fraction: str = "0") -> Fault:
    """This part is executed, and the rest expires: a book that was thinner than it looked."""
    return Fault(fraction=fraction)


def held(ms: int) -> Fault:
    """The request is on its way inside for so long before its timestamp is looked at again."""
    return Fault(held_ms=ms)


def later(ms: int) -> Fault:
    """The engine takes the order, gives no answer in time, and matches it so much later."""
    told = {"code": -1007, "msg": "Timeout waiting for response from backend server. Send status unknown; execution "}
    return Fault("status", True, 504, json.dumps({**told, "msg": told["msg"] + "status unknown."}), later_ms=ms)
