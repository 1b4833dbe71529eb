"""The gate lets in who has the token, asks once what many want, and forgets who is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from zfwidgets.images import limits
from zfwidgets.remote import wire
from zfwidgets.serve.gate import Gate
from zfwidgets.serve.refusal import Reply, refusal
from zfwidgets.serve.turns import Turns

PICTURES = {"picture0": np.arange(9000, dtype=np.int64)}
KEY = wire.key_of(PICTURES)


class Engines:
    """Stand in for engines: each question waits until it is let go; some forget pictures."""

    def __init__(self, *, free: bool = True) -> None:
        self.asked: list[dict[str, Any]] = []
        self.go = asyncio.Semaphore(1000 if free else 0)
        self.forgetful = False

    async def __call__(self, net: str, body: bytes) -> Reply:
        head, arrays = wire.unpack(body)
        self.asked.append({**head, "sent": sorted(arrays)})
        await self.go.acquire()
        if self.forgetful and not wire.pictures_in(arrays):
            return refusal(409, wire.UNKNOWN, "", "")
        return 200, wire.pack({"net": net, "of": head.get("key")})


def question(**head: Any) -> bytes:
    return wire.pack({"op": "measures", "net": "small", "key": KEY, **head})


async def ask(gate: Gate, body: bytes, client: str = "a", token: str = "secret") -> Reply:
    async def stream() -> AsyncIterator[bytes]:
        for first in range(0, len(body), 65_536):
            yield body[first : first + 65_536]

    headers = {"authorization": f"Bearer {token}", wire.CLIENT: client}
    return await gate.answer(headers, stream(), "somewhere")


def gate_of(engines: Engines, **how: int) -> Gate:
    turns = Turns(**{"at_once": 1, "each": 8, "most": 64, **how})
    return Gate(engines, ["small"], "secret", turns)


def told(reply: Reply) -> dict[str, str]:
    found: dict[str, str] = json.loads(reply[1])["error"]
    return found


async def settled() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


@pytest.mark.parametrize("token", ["", "wrong", "secret ", "geheim \u00e9"])
def test_without_the_token_nothing_is_read(token: str) -> None:
    async def lesson() -> None:
        engines = Engines()
        gate = gate_of(engines)

        read = False

        async def body() -> AsyncIterator[bytes]:
            nonlocal read
            read = True
            yield question()

        reply = await gate.answer({"authorization": f"Bearer {token}"}, body(), "somewhere")
        assert not read
        assert reply[0] == 401
        assert "token" in told(reply)["title"]
        assert engines.asked == []

    asyncio.run(lesson())


def test_a_gate_has_a_token_always() -> None:
    with pytest.raises(ValueError, match="empty token"):
        Gate(Engines(), ["small"], "", Turns(1, 1, 1))


def test_a_large_upload_is_refused_before_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_limits", limits.Limits(max_bytes=1000))
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 65_536
            yield bytes(65_536)

    async def lesson() -> Reply:
        headers = {"authorization": "Bearer secret"}
        return await gate_of(Engines()).answer(headers, endless(), "somewhere")

    assert asyncio.run(lesson())[0] == 413
    assert read < 2 * 2**20


def test_what_is_no_question_or_of_no_net_is_refused() -> None:
    async def lesson() -> None:
        engines = Engines()
        gate = gate_of(engines)
        assert (await ask(gate, b"\x80\x04\x95"))[0] == 400
        reply = await ask(gate, question(net="../../etc/passwd"))
        assert reply[0] == 404
        assert "there are small" in told(reply)["message"]
        assert engines.asked == []

    asyncio.run(lesson())


def test_what_thirty_ask_at_once_is_asked_once_and_then_known() -> None:
    async def lesson() -> None:
        engines = Engines(free=False)
        gate = gate_of(engines)
        asking = [asyncio.create_task(ask(gate, question(), f"student {i}")) for i in range(30)]
        await settled()
        engines.go.release()
        replies = await asyncio.gather(*asking)
        assert {reply[0] for reply in replies} == {200}
        assert await ask(gate, question(), "late") == replies[0]
        assert len(engines.asked) == 1
        other = asyncio.create_task(ask(gate, question(key="another")))
        await settled()
        engines.go.release()
        head, _ = wire.unpack((await other)[1])
        assert head["of"] == "another", "an answer is of its own question"

    asyncio.run(lesson())


def test_an_engine_that_forgot_is_given_the_pictures_without_the_client() -> None:
    async def lesson() -> None:
        engines = Engines()
        gate = gate_of(engines)
        engines.forgetful = True
        first = await ask(gate, question(op="record"))
        assert (first[0], told(first)["kind"]) == (409, wire.UNKNOWN)
        sent = wire.pack({"op": "record", "net": "small", "key": KEY}, PICTURES)
        assert (await ask(gate, sent))[0] == 200
        assert (await ask(gate, question(layer="conv1")))[0] == 200
        assert [one["sent"] for one in engines.asked[-2:]] == [[], ["picture0"]]

    asyncio.run(lesson())


def test_who_vanishes_is_not_computed_for() -> None:
    async def lesson() -> None:
        engines = Engines(free=False)
        gate = gate_of(engines)
        running = asyncio.create_task(ask(gate, question(layer="conv1"), "one"))
        await settled()
        gone = asyncio.create_task(ask(gate, question(layer="conv2"), "gone"))
        stays = asyncio.create_task(ask(gate, question(layer="conv3"), "stays"))
        await settled()
        gone.cancel()
        await settled()
        for _ in range(2):
            engines.go.release()
            await settled()
        assert (await running)[0] == (await stays)[0] == 200
        assert [one["layer"] for one in engines.asked] == ["conv1", "conv3"]
        assert (gate.turns.running, gate.turns.waiting) == (0, 0)

    asyncio.run(lesson())


def test_who_vanishes_takes_no_answer_from_others() -> None:
    async def lesson() -> None:
        engines = Engines(free=False)
        gate = gate_of(engines)
        first = asyncio.create_task(ask(gate, question(), "gone"))
        await settled()
        second = asyncio.create_task(ask(gate, question(), "stays"))
        await settled()
        first.cancel()
        await settled()
        engines.go.release()
        assert (await second)[0] == 200
        assert len(engines.asked) == 1

    asyncio.run(lesson())


def test_a_full_queue_is_said_and_the_others_are_served() -> None:
    async def lesson() -> None:
        engines = Engines(free=False)
        gate = gate_of(engines, each=2, most=3)
        flood = [asyncio.create_task(ask(gate, question(n=n), "flood")) for n in range(9)]
        await settled()
        calm = asyncio.create_task(ask(gate, question(n=99), "calm"))
        await settled()
        for _ in range(4):
            engines.go.release()
            await settled()
        statuses = sorted([(await one)[0] for one in flood])
        assert statuses == [200] * 3 + [429] * 6
        assert (await calm)[0] == 200
        assert engines.asked[1]["n"] == 99, "the calm one comes second"

    asyncio.run(lesson())


def test_an_engine_that_breaks_is_said_and_the_next_question_is_answered() -> None:
    async def lesson() -> None:
        broken = True

        async def engines(_net: str, _body: bytes) -> Reply:
            if broken:
                raise OSError("wires cut")
            return 200, wire.pack({})

        gate = Gate(engines, ["small"], "secret", Turns(1, 8, 8))
        reply = await ask(gate, question())
        assert reply[0] == 500
        assert "wires cut" in told(reply)["message"]
        broken = False
        assert (await ask(gate, question()))[0] == 200

    asyncio.run(lesson())
