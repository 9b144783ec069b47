"""Keeps a Python that a test starts off the network, as pytest-socket does for the test itself: see conftest."""

import ipaddress
import sys


def _is_here(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False


def _refuse_the_network(event: str, arguments: tuple) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):  # a unix socket's address is text
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not _is_here(host):
        raise RuntimeError(f"A process started by a test wanted to reach {host!r}.")


sys.addaudithook(_refuse_the_network)
