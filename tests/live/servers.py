"""Loopback helpers: free ports, waiting for an answer, and a server that says one thing and hangs up."""

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support_engines import PATIENCE_S, until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
