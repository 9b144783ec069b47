"""The zygote: imports once what is slow to import, then forks one process per job.

`agents.children` starts it as `python -m agents.zygote MODULE` with a socket as standard input. It imports the module
and calls its `warm()`. Over the socket come orders: start a job, whose own socket comes along with the order, or kill
one. The forked child calls the module's `run(job, seconds, tell)` and is gone.

Only the zygote reaps its children, so it never kills a process that has taken over the number of a dead one. When the
other end of its socket closes, it kills all its children and ends.
"""

import gc
import importlib
import json
import logging
import os
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

logger = logging.getLogger(__name__)

ORDER = struct.Struct("!cQ")  # what to do, number of the job
START, KILL = b"s", b"k"
READY = b"r"
JOB_HEAD = struct.Struct("!dI")  # seconds it may take, bytes that follow
# By then whoever gave the order has long had the child killed: this is for a child whom nobody is left to kill.
ALARM_AFTER_S = 5.0

Tell = Callable[[Mapping[str, Any]], None]
Run = Callable[[bytes, float, Tell], None]


def main(module: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the runner ends this one itself
    control = socket.socket(fileno=0)
    gc.disable()  # it would look through what is imported over and over, a sixth of the time that takes
    work = importlib.import_module(module)
    work.warm()
    gc.collect()
    gc.freeze()  # so that a child's collector does not write to, and thereby copy, every page it shares
    gc.enable()
    serve(control, work.run)


def serve(control: socket.socket, run: Run) -> None:
    """Obey orders until `control` is closed at the other end."""
    pids: dict[int, int] = {}
    woken, waker = socket.socketpair()
    for end in (woken, waker):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    control.sendall(READY)
    while True:
        readable = select.select([control, woken], [], [])[0]
        if woken in readable:
            woken.recv(4096)
            _reap(pids)
        if control in readable:
            order, descriptors, *_ = socket.recv_fds(control, ORDER.size, 1)
            if len(order) < ORDER.size:
                break
            what, number = ORDER.unpack(order)
            if what == START and descriptors:
                _start(pids, number, socket.socket(fileno=descriptors[0]), run)
            elif what == START:  # too many are open here to take its line: closed, it says that nothing was done
                logger.error("a child's line could not be taken")
            elif number in pids:
                os.kill(pids[number], signal.SIGKILL)
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)


def _reap(pids: dict[int, int]) -> None:
    for number, pid in list(pids.items()):
        if os.waitpid(pid, os.WNOHANG)[0]:
            del pids[number]


def _start(pids: dict[int, int], number: int, line: socket.socket, run: Run) -> None:
    with line:
        try:
            pid = os.fork()
        except OSError as error:  # too many processes: the closed line says that nothing was done
            logger.error("a child could not be forked: %s", error.strerror)
            return
        if pid == 0:
            _be_a_child(line, run)
    pids[number] = pid


def _be_a_child(line: socket.socket, run: Run) -> None:
    """Do the job and end here, whatever happens; what a library prints on the way goes nowhere."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):  # 0 is the zygote's own line, on which a child has no business
            os.dup2(nowhere, standard)
        _do_the_job(line, run)
        code = 0
    finally:
        os._exit(code)


def _do_the_job(line: socket.socket, run: Run) -> None:
    seconds, length = JOB_HEAD.unpack(_read(line, JOB_HEAD.size))
    signal.setitimer(signal.ITIMER_REAL, seconds + ALARM_AFTER_S)  # its default action ends even a loop in C
    job = _read(line, length)
    threading.Thread(target=_end_when_nobody_listens, args=(line,), daemon=True).start()
    run(job, seconds, lambda event: line.sendall(json.dumps(event).encode() + b"\n"))


def _read(line: socket.socket, length: int) -> bytes:
    """Exactly that many bytes. Raises `EOFError` when the line closes before."""
    found = bytearray()
    while len(found) < length:
        chunk = line.recv(min(length - len(found), 65_536))
        if not chunk:
            raise EOFError
        found += chunk
    return bytes(found)


def _end_when_nobody_listens(line: socket.socket) -> None:
    line.recv(1)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
