"""Where questions come in: who may ask, how much, in which order; what is known already.

Knows nothing of Ray and torch: `ask` takes a question to an engine. Bodies are bytes here; only
their heads are read. Equal questions are asked once, and answers are kept while there is room.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from zfwidgets.images.limits import get_limits
from zfwidgets.remote import wire
from zfwidgets.remote.wire import Arrays, Head
from zfwidgets.serve.kept import Kept
from zfwidgets.serve.refusal import Reply, refusal, refused
from zfwidgets.serve.turns import QueueFull, Turns

Ask = Callable[[str, bytes], Awaitable[Reply]]
"""From the name of a network and a question to the reply of an engine."""

_HEAD = 2**20
"""Bytes that a question may have besides its pictures."""
_COSTS = {"record": 16.0, "strip": 32.0, "project": 4.0, "project_map": 8.0}
"""Of questions that name no channels, in projections; others cost one."""
_MOST_NAME = 64

_log = logging.getLogger(__name__)


class Gate:
    """Lets questions in, one client like another.

    ask: takes a question to an engine. nets: names of networks that may be asked about. token: who
    does not have it is turned away. turns: whose turn it is. memory: bytes of pictures, and of
    answers, that are kept.
    """

    def __init__(
        self, ask: Ask, nets: Sequence[str], token: str, turns: Turns, memory: int = 64 * 2**20
    ) -> None:
        if not token:
            raise ValueError("Gate() got an empty token; expected a secret.")
        self._ask, self._nets, self._token = ask, tuple(nets), token
        self.turns = turns
        self._pictures: Kept[tuple[str, str], Arrays] = Kept(memory)
        self._answers: Kept[bytes, Reply] = Kept(memory)
        self._asking: dict[bytes, tuple[asyncio.Task[Reply], list[object]]] = {}
        self.counts = {"asked": 0, "known": 0, "refused": 0}

    async def answer(
        self, headers: Mapping[str, str], stream: AsyncIterator[bytes], peer: str
    ) -> Reply:
        """The reply to one request. peer: who asks, if the headers do not say."""
        given = headers.get("authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(given, self._token.encode()):
            self.counts["refused"] += 1
            return refusal(
                401,
                "ServerError",
                "The engine server does not know this token",
                "Expected that which `zfwidgets serve` printed when it started.",
                "Give it as zf.connect(url, token=…), or in ZFWIDGETS_TOKEN.",
            )
        body = await _read(stream, get_limits().max_bytes + _HEAD)
        if body is None:
            most = get_limits().max_bytes / 2**20
            title, message = "The question is too large", f"It has more than {most:g} MiB."
            return refusal(413, "ServerError", title, message, "Send fewer pictures at once.")
        client = headers.get(wire.CLIENT, "")[:_MOST_NAME] or peer
        try:
            return await self._known_or_asked(client, body)
        except QueueFull as full:
            self.counts["refused"] += 1
            return _full(full)
        except Exception as error:  # noqa: BLE001 - who asked is told
            if not isinstance(error, ValueError | LookupError):
                _log.exception("A question found no engine.")
            return refused(error)

    # ------------------------------------------------------------------------ one for many

    async def _known_or_asked(self, client: str, body: bytes) -> Reply:
        head = wire.head_of(body)
        if head.get("op") == "here":
            return 200, wire.pack({"version": wire.VERSION, "nets": self._nets})
        if head.get("net") not in self._nets:
            told = f"{head.get('net')!r:.60} is not offered here; there are "
            title = "No such network on this server"
            return refusal(404, "ServerError", title, f"{told}{', '.join(self._nets)}.")
        self.counts["asked"] += 1
        digest = hashlib.sha256(body).digest()
        known = self._answers.get(digest)
        if known is not None:
            self.counts["known"] += 1
            return known
        if digest not in self._asking:
            task = asyncio.create_task(self._in_turn(client, head, body, digest))
            self._asking[digest] = task, []
        task, waiting = self._asking[digest]
        me = object()
        waiting.append(me)
        try:
            return await asyncio.shield(task)
        finally:
            waiting.remove(me)
            if not waiting and self._asking.get(digest, (None,))[0] is task:
                # Nobody waits any more: it gives its place to others, if it has not had its turn.
                del self._asking[digest]
                task.cancel()

    async def _in_turn(self, client: str, head: Head, body: bytes, digest: bytes) -> Reply:
        try:
            async with self.turns.turn(client, _cost(head)):
                reply = await self._with_pictures(head, body)
        finally:
            self._asking.pop(digest, None)
        if reply[0] == 200:
            self._answers.put(digest, reply, len(reply[1]))
        return reply

    async def _with_pictures(self, head: Head, body: bytes) -> Reply:
        """Ask; an engine that has forgotten the pictures, or never saw them, is given them."""
        net, place = str(head["net"]), (str(head["net"]), str(head.get("key")))
        reply = await self._ask(net, body)
        pictures = self._pictures.get(place)
        if _wants_pictures(reply) and pictures is not None:
            _, arrays = wire.unpack(body)
            return await self._ask(net, wire.pack(head, {**arrays, **pictures}))
        if reply[0] == 200 and pictures is None and len(body) > _HEAD // 256:
            # The engine has compared them with their key.
            sent = wire.pictures_in(wire.unpack(body)[1])
            if sent:
                self._pictures.put(place, sent, sum(array.nbytes for array in sent.values()))
        return reply


def _wants_pictures(reply: Reply) -> bool:
    return reply[0] == 409 and json.loads(reply[1])["error"]["kind"] == wire.UNKNOWN


def _cost(head: Head) -> float:
    """How much work a question is, in projections."""
    ids: Any = head.get("ids")
    if isinstance(ids, list):
        return float(max(1, len(ids)))
    return _COSTS.get(str(head.get("op")), 1.0)


async def _read(stream: AsyncIterator[bytes], most: int) -> bytes | None:
    """The whole body; None if it is larger than allowed, as soon as that is known."""
    parts, length = [], 0
    async for part in stream:
        length += len(part)
        if length > most:
            return None
        parts.append(part)
    return b"".join(parts)


def _full(full: QueueFull) -> Reply:
    if full.own:
        return refusal(
            429,
            "ServerError",
            "Too many questions at once",
            f"{full.waiting} questions of this kernel wait already.",
            "Wait for their answers; others wait, too.",
        )
    return refusal(
        503,
        "ServerError",
        "The engine server is full",
        f"{full.waiting} questions wait already.",
        "Try again in a moment; who runs the server can start it with more replicas.",
    )
