"""Loopback helpers: free ports, waiting for a server, and a server that says one thing and hangs up."""

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Return as soon as `condition` holds; fail with `what` when it does not within `patience_s`."""
    give_up_at = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < give_up_at, f"waited {patience_s:.0f} s in vain for {what}"
        threading.Event().wait(0.05)


def until_answers(url: str) -> None:
    """Return as soon as `url` answers 200."""

    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    until(answers, f"{url} to answer")


@contextmanager
def one_answer_server(response: bytes, *, hold: bool = False) -> Iterator[str]:
    """A server that reads one request, sends exactly these bytes, and closes (or holds the line open)."""
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(65_536)
            try:
                client.sendall(response)
            except (BrokenPipeError, ConnectionResetError):
                return  # the client has heard enough
            if hold:
                done.wait(PATIENCE_S)
            else:
                client.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        done.set()
        thread.join(PATIENCE_S)
        listener.close()
