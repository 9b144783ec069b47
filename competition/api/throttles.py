"""How much one client may ask. Counted in Redis for all processes; without Redis each counts for itself."""

import ipaddress
import time
from collections.abc import Callable

from django.conf import settings
from django.core.cache import BaseCache, caches
from django.http import HttpRequest
from ninja.throttling import BaseThrottle
from redis.exceptions import RedisError

WINDOW_S = 60
SHARED, OWN = "shared counts", "own counts"  # names in settings.CACHES
REDIS_AWAY_S = 10.0  # so long nobody waits for a Redis that did not answer


class PerClient(BaseThrottle):
    """So many requests of one client per minute of the clock; `limit` is asked each time."""

    away_until = 0.0

    def __init__(self, name: str, limit: Callable[[], int], clock: Callable[[], float] = time.time) -> None:
        self.name, self.limit, self.clock = name, limit, clock

    def allow_request(self, request: HttpRequest) -> bool:
        window = int(self.clock() // WINDOW_S)
        return self._count(f"{self.name}:{client_of(request)}:{window}") <= self.limit()

    def wait(self) -> float:
        """Seconds until the minute is over."""
        return WINDOW_S - self.clock() % WINDOW_S

    def _count(self, key: str) -> int:
        if time.monotonic() >= PerClient.away_until:
            try:
                return _counted(caches[SHARED], key)
            except RedisError:
                PerClient.away_until = time.monotonic() + REDIS_AWAY_S
        return _counted(caches[OWN], key)


def _counted(cache: BaseCache, key: str) -> int:
    """How often this key has been counted in its window, this time included."""
    cache.add(key, 0, timeout=2 * WINDOW_S)
    try:
        return cache.incr(key)
    except ValueError:  # it was thrown out between the two lines
        return 1


def client_of(request: HttpRequest) -> str:
    """Who asks, as far as we can tell: the address, of IPv6 the network that one customer has.

    Behind a proxy it is the last address of X-Forwarded-For, the only one that our own proxy has written.
    """
    said = request.META.get("REMOTE_ADDR", "")
    if settings.BEHIND_TLS_PROXY:
        said = request.META.get("HTTP_X_FORWARDED_FOR", said).rpartition(",")[2].strip()
    try:
        address = ipaddress.ip_address(said)
    except ValueError:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)


READS = PerClient("reads", lambda: settings.API_READS_PER_MINUTE)
WRITES = PerClient("writes", lambda: settings.API_WRITES_PER_MINUTE)
