"""Whose turn it is: questions of many clients to few engines, so that nobody waits for one of them.

Fair queueing (Demers, Keshav & Shenker 1989) by a clock for each client: the one that has been
served least comes next, and one that comes back from a pause starts where the others are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class QueueFull(Exception):  # noqa: N818 - the client is told
    """There are too many questions already: of this client (`own`), or of all."""

    def __init__(self, waiting: int, *, own: bool) -> None:
        super().__init__(waiting)
        self.waiting, self.own = waiting, own


class Turns:
    """Lets so many questions through at once.

    at_once: questions that are answered at the same time. each, most: questions that may wait, of
    one client and of all.
    """

    def __init__(self, at_once: int, each: int, most: int) -> None:
        self.at_once, self.each, self.most = at_once, each, most
        self.running = self.waiting = 0
        self._queues: dict[str, deque[tuple[asyncio.Future[None], float]]] = {}
        self._served: dict[str, float] = {}  # cost so far, of clients that wait
        self._now = 0.0  # the clock of the client that was served last

    @asynccontextmanager
    async def turn(self, client: str, cost: float = 1.0) -> AsyncIterator[None]:
        """Wait for one's turn, and hold it while the block runs.

        cost: how much work it is, in any unit. Raises QueueFull.
        """
        await self._wait(client, cost)
        try:
            yield
        finally:
            self.running -= 1
            self._next()

    async def _wait(self, client: str, cost: float) -> None:
        own = self._queues.get(client)
        if own is not None and len(own) >= self.each:
            raise QueueFull(len(own), own=True)
        if self.waiting >= self.most:
            raise QueueFull(self.waiting, own=False)
        if own is None:
            own = self._queues[client] = deque()
            self._served[client] = max(self._served.get(client, 0.0), self._now)
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        own.append((mine, cost))
        self.waiting += 1
        self._next()
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was its turn just now
                self.running -= 1
                self._next()
            else:
                self._forget(client, mine)
            raise

    def _next(self) -> None:
        while self.running < self.at_once and self._queues:
            client = min(self._queues, key=lambda name: self._served[name])
            mine, cost = self._queues[client].popleft()
            self.waiting -= 1
            if mine.cancelled():  # gone, and not yet woken up to leave the queue
                self._drop_if_empty(client)
                continue
            self._now = self._served[client]
            self._served[client] += cost
            self._drop_if_empty(client)
            self.running += 1
            mine.set_result(None)

    def _forget(self, client: str, mine: asyncio.Future[None]) -> None:
        """Somebody who waited is gone."""
        queue = self._queues.get(client, deque())
        for ticket in list(queue):
            if ticket[0] is mine:
                queue.remove(ticket)
                self.waiting -= 1
        self._drop_if_empty(client)

    def _drop_if_empty(self, client: str) -> None:
        if client in self._queues and not self._queues[client]:
            del self._queues[client]
            # What a client has been served is forgotten once all others have been served as much.
            self._served = {
                name: served
                for name, served in self._served.items()
                if name in self._queues or served > self._now
            }
