"""The exchange's HTTP: in this process, or reached from another one by its address."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.market.exchange import Line
from tests.venue.door import Request
from tests.venue.exchange import Venue
from tests.venue.faults import Fault

CONTROL = "/_venue"
CALLS = ("script", "open_account", "set", "wipe", "carry_on", "told")


class VenueLine(Line):
    """One connection to the exchange."""

    venue: Venue

    def do_GET(self) -> None:  # noqa: N802 - http.server looks for it under this name
        self._serve()

    do_POST = do_DELETE = do_PUT = do_GET  # noqa: N815

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("latin-1")
        if parts.path == CONTROL:
            return self._control(json.loads(body))
        key = self.headers.get("X-MBX-APIKEY", "")
        reply = self.venue.take(Request(self.command, parts.path, parts.query, body, key))
        if reply.trouble is not None:
            return reply.trouble(self, reply.content)
        return self.send(reply.status, reply.page or json.dumps(reply.content).encode(), reply.headers)

    def _control(self, asked: dict[str, Any]) -> None:
        assert asked["call"] in CALLS
        args = [Fault(**one) if isinstance(one, dict) else one for one in asked["args"]]
        told = getattr(self.venue, asked["call"])(*args, **asked["named"])
        return self.send(200, json.dumps(told).encode())


def server_of(venue: Venue, port: int = 0) -> ThreadingHTTPServer:
    """A server for this exchange on loopback, listening; the exchange learns its port."""
    kind = type("ThisLine", (VenueLine,), {"venue": venue, "exchange": venue.market.exchange})
    server = ThreadingHTTPServer(("127.0.0.1", port), kind)
    server.daemon_threads = True
    venue.market.exchange.port = server.server_port
    return server


@contextmanager
def venue_double(clock: Callable[[], int] | None = None, path: Path | None = None) -> Iterator[Venue]:
    """An exchange that runs in this process; without a `clock` it keeps the real time."""
    venue = Venue(clock or (lambda: int(time.time() * 1000)), path)
    server = server_of(venue)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    serving.start()
    try:
        yield venue
    finally:
        venue.market.exchange.end.set()
        server.shutdown()
        server.server_close()
        serving.join()


class Remote:
    """An exchange in another process. `remote.call("wipe")`; its methods are those that `CALLS` names."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, name: str, *args: Any, **named: Any) -> Any:
        plain = [asdict(one) if isinstance(one, Fault) else one for one in args]
        asked = json.dumps({"call": name, "args": plain, "named": named}).encode()
        request = urllib.request.Request(f"{self.url}{CONTROL}", data=asked, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())
