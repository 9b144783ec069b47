"""Jobs in processes of their own, each with an end that is enforced: out of time means SIGKILL, not an exception.

The parent's side of `agents.zygote`. It runs in one event loop and imports nothing that is slow.
"""

import asyncio
import itertools
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path

from agents.zygote import JOB_HEAD, KILL, ORDER, START

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
SAID_BYTES_MAX = 16 * 1_048_576
OBEY_WITHIN_S = 5.0
AGAIN_AFTER_S = 0.1
REAP_EVERY_S = 0.01
PAUSE_MIN_S, PAUSE_MAX_S = 0.5, 30.0


class Ending(Enum):
    """How a job ended."""

    ENDED = "its process ended by itself"
    OUT_OF_TIME = "its process was killed at the end of its time"
    TOO_MUCH = "its process was killed because it said too much"
    NOT_STARTED = "no process was free, or none could be made, within its time"


class Zygote:
    """One zygote process and the line to it. Making one raises `OSError` when there can be none now."""

    def __init__(self, module: str) -> None:
        self.line, theirs = socket.socketpair()
        self.line.setblocking(False)
        with theirs:
            try:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "agents.zygote", module], stdin=theirs.fileno(), cwd=ROOT
                )
            except OSError:
                self.line.close()
                raise
        self.is_alive = True

    def start(self, number: int) -> socket.socket:
        """Order a child for a job; the parent's end of its line.

        Raises `OSError` when that is not possible now: the zygote is gone, or there are too many descriptors open.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                socket.send_fds(self.line, [ORDER.pack(START, number)], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return ours

    def kill(self, number: int) -> None:
        """Order the end of a job. Without a zygote its line alone must do, which the child watches."""
        with suppress(OSError):
            self.line.send(ORDER.pack(KILL, number))

    async def end(self) -> None:
        """Kill the process, if it is still there, and reap it; closing the line is what ends its children."""
        self.is_alive = False
        self.line.close()
        self.process.kill()
        while self.process.poll() is None:  # without a thread, for which there might be no room
            await asyncio.sleep(REAP_EVERY_S)


class Children:
    """At most `limit` jobs at a time, each in a child of the zygote. Open it once per event loop."""

    def __init__(self, module: str, limit: int) -> None:
        self._module = module
        self._free = asyncio.Semaphore(limit)
        self._numbers = itertools.count(1)
        self._ready = asyncio.Event()
        self._zygote: Zygote | None = None
        self._keeper = asyncio.create_task(self._keep())

    @property
    def is_ready(self) -> bool:
        return self._ready.is_set()

    async def close(self) -> None:
        """End the zygote and with it every job."""
        self._keeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeper

    async def run(self, job: bytes, seconds: float, take: Callable[[bytes], None]) -> Ending:
        """Have a job done: each line it says is given to `take`, until its process has ended or `seconds` are over.

        The seconds count from now, so they hold for the wait for a free place, too. Cancelling kills the process.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        try:
            async with asyncio.timeout_at(ends_at):
                await self._free.acquire()
        except TimeoutError:
            return Ending.NOT_STARTED
        try:
            return await self._run(job, ends_at, take)
        finally:
            self._free.release()

    async def _run(self, job: bytes, ends_at: float, take: Callable[[bytes], None]) -> Ending:
        loop, ending = asyncio.get_running_loop(), Ending.NOT_STARTED
        try:
            async with asyncio.timeout_at(ends_at), self._child(take) as ear:
                ending = Ending.OUT_OF_TIME
                head = JOB_HEAD.pack(max(ends_at - loop.time(), 0.001), len(job))
                with suppress(ConnectionError):  # it is gone already, which reading will tell
                    await loop.sock_sendall(ear.line, head + job)
                ending = await ear.listen()
        except TimeoutError:
            logger.debug("a job was killed at the end of its time")
        return ending

    @asynccontextmanager
    async def _child(self, take: Callable[[bytes], None]) -> AsyncIterator["_Ear"]:
        """A new child; on leaving, it is dead and heard to its end."""
        zygote, number, line = await self._start()
        ear = _Ear(line, take)
        try:
            yield ear
        finally:
            await asyncio.shield(_end(zygote, number, ear))

    async def _start(self) -> tuple[Zygote, int, socket.socket]:
        """A child that was ordered. What stands in the way may pass, so it is tried for as long as the caller waits."""
        told = False
        while True:
            await self._ready.wait()
            zygote, number = self._zygote, next(self._numbers)
            if zygote is not None:
                try:
                    return zygote, number, zygote.start(number)
                except OSError as error:  # if the zygote has died, the keeper will notice: only it says who is ready
                    if not told:
                        logger.warning("no child could be ordered yet: %s", error.strerror)
                    told = True
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _keep(self) -> None:
        """Have a zygote, and another when it dies; one that dies before it was ready is not replaced at once."""
        pause_s = PAUSE_MIN_S
        while True:
            was_ready = await self._keep_one()
            pause_s = PAUSE_MIN_S if was_ready else min(pause_s * 2, PAUSE_MAX_S)
            await asyncio.sleep(0 if was_ready else pause_s)

    async def _keep_one(self) -> bool:
        """Have a zygote for as long as it lives; whether it was ever ready."""
        try:
            zygote = self._zygote = Zygote(self._module)
        except OSError as error:
            logger.error("no zygote could be started: %s", error.strerror)
            return False
        try:
            was_ready = await self._watch(zygote)
        finally:
            self._ready.clear()
            self._zygote = None
            await zygote.end()
        logger.error("the zygote ended with code %s; starting another", zygote.process.returncode)
        return was_ready

    async def _watch(self, zygote: Zygote) -> bool:
        """Wait for a zygote's end; whether it was ever ready."""
        loop, was_ready = asyncio.get_running_loop(), False
        with suppress(ConnectionError):
            while await loop.sock_recv(zygote.line, 1):
                was_ready = True
                self._ready.set()
        return was_ready


class _Ear:
    """Hears a child's line: every whole line of text is given to `take`, up to a total size."""

    def __init__(self, line: socket.socket, take: Callable[[bytes], None]) -> None:
        self.line = line
        self._take = take
        self._left = SAID_BYTES_MAX
        self._unfinished: list[bytes] = []

    async def listen(self) -> Ending:
        """Until the child has ended or has said too much."""
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            while chunk := await loop.sock_recv(self.line, 65_536):
                self._left -= len(chunk)
                if self._left < 0:
                    return Ending.TOO_MUCH
                *whole, rest = chunk.split(b"\n")
                for text in whole:
                    self._take(b"".join((*self._unfinished, text)))
                    self._unfinished.clear()
                self._unfinished.append(rest)
        return Ending.ENDED


async def _end(zygote: Zygote, number: int, ear: _Ear) -> None:
    """Make sure that a child is dead, which closes its line, and hear what it had said before.

    A zygote that does not obey is killed itself.
    """
    zygote.kill(number)
    with ear.line, suppress(OSError):
        ear.line.shutdown(socket.SHUT_WR)
        try:
            async with asyncio.timeout(OBEY_WITHIN_S):
                await ear.listen()
        except TimeoutError:
            if zygote.is_alive:
                zygote.process.kill()
